//! Sending the record as a file.

use super::errors::AuditError;
use super::service::{FilterForm, Intent};
use super::{FileFormat, Filter, store};
use crate::actor::Actor;
use crate::download::{Download, FileName};
use crate::error::AppError;
use crate::form::decode;
use crate::state::AppState;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing;
use futures::channel::{mpsc, oneshot};
use futures::{FutureExt, SinkExt, StreamExt, TryStreamExt};
use record::{Event, ExportOf};
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::Semaphore;

pub fn routes() -> Router<AppState> {
    Router::new().route("/admin/audit/export", routing::post(post))
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct ExportForm {
    format: FileFormat,
}

/// The rows that fit the filter, as they are read. That somebody exports is recorded before
/// the first row is sent, and how it ended after the last.
///
/// # Errors
/// [`AppError::NotFound`] for everyone but administrators and auditors.
async fn post(State(state): State<AppState>, actor: Actor, body: String) -> Result<Response, AppError> {
    actor.record_reader()?;
    let form: FilterForm = decode(&body)?;
    let ExportForm { format } = decode(&body)?;
    let (filter, wrong) = form.filter(&state.policy.controls);
    if !wrong.is_empty() {
        return Err(AppError::NotFound);
    }
    let place = PLACES.try_acquire().map_err(|_| AuditError::ExportsBusy)?;
    let name = file_name(&form, format);
    let event = event(&form, format, None);
    let intent = Intent::announce(&state.database, &actor, event).await?;
    let export = Export { state, form, filter, format };
    let (sender, receiver) = mpsc::channel(16);
    let (finished, is_finished) = oneshot::channel();
    tokio::spawn(async move {
        let _place = place;
        export.run(intent, sender, finished).await;
    });
    // A file that is cut off must not look whole, whyever there is no more: it ends well only if that is said.
    let end = is_finished.map(|said| said.map_err(|_| std::io::Error::other("the export ended early")));
    let rows = receiver.map(Ok).chain(end.into_stream().filter_map(async |end| end.err().map(Err)));
    let body = Body::from_stream(Box::pin(rows));
    Ok(Download { name, content_type: format.content_type(), body }.into_response())
}

/// Says what is in it, for whoever finds it later: `fairway-record-ISO-27001-A.5.15-from-2026-01-01.csv`.
fn file_name(form: &FilterForm, format: FileFormat) -> FileName {
    let part = |word: &str, value: &str| match value.trim() {
        "" => String::new(),
        value => format!("-{word}{value}"),
    };
    let parts = part("", &form.control) + &part("from-", &form.from) + &part("to-", &form.to);
    FileName::new(&format!("fairway-record{parts}"), format.extension())
}

/// How many exports run at once: each holds a connection to the database as long as whoever asked takes to read it.
static PLACES: Semaphore = Semaphore::const_new(3);

fn event(form: &FilterForm, format: FileFormat, rows: Option<u64>) -> Event {
    let of = ExportOf::Record { format: format.extension().to_owned() };
    Event::RecordExport { of, filter: form.recorded(), rows, database_user: None }
}

struct Export {
    state: AppState,
    form: FilterForm,
    filter: Filter,
    format: FileFormat,
}

/// How long whoever asked may leave what is ready.
const STALLED: Duration = Duration::from_secs(30);

/// Bytes that are sent at a time.
const CHUNK: usize = 64 * 1024;

impl Export {
    async fn run(self, intent: Intent, mut sender: mpsc::Sender<Bytes>, finished: oneshot::Sender<()>) {
        let sent = self.send(&mut sender).await;
        if sent.is_ok() {
            // Whoever asked may have gone away with the last chunk.
            finished.send(()).unwrap_or_default();
        }
        drop(sender);
        let database = &self.state.database;
        let concluded = match sent {
            Ok(rows) => intent.with_event(event(&self.form, self.format, Some(rows))).conclude(database, Ok(())).await,
            Err(error) => {
                tracing::warn!(%error, "an export ended early");
                // It is not whole, whatever was sent.
                intent.conclude(database, Err(AppError::Internal)).await
            }
        };
        drop(concluded);
    }

    async fn send(&self, sender: &mut mpsc::Sender<Bytes>) -> Result<u64, ExportError> {
        let mut transaction = self.state.database.begin().await?;
        let mut rows = store::stream_rows(&mut transaction, &self.filter).await?;
        let mut number = 0;
        let mut chunk = self.format.head();
        while let Some(row) = rows.try_next().await? {
            chunk.extend(self.format.row(row));
            number += 1;
            if chunk.len() >= CHUNK {
                deliver(sender, std::mem::take(&mut chunk)).await?;
            }
        }
        deliver(sender, chunk).await?;
        Ok(number)
    }
}

/// Waits until there is room for a chunk, but not for ever: meanwhile a connection to the database is held.
async fn deliver(sender: &mut mpsc::Sender<Bytes>, chunk: Vec<u8>) -> Result<(), ExportError> {
    Ok(tokio::time::timeout(STALLED, sender.send(chunk.into())).await??)
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("whoever asked took nothing for {} seconds", STALLED.as_secs())]
    Stalled(#[from] tokio::time::error::Elapsed),
    #[error("whoever asked has gone away")]
    Gone(#[from] mpsc::SendError),
}
