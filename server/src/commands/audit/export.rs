//! `fairway audit export`: the same files as in the portal.

use super::{connect, database_user};
use crate::config::policy_from_env;
use anyhow::{Context, bail};
use app::audit::stream_rows;
use app::audit::{FileFormat, Filter, FilterForm, Intent, RecordActor};
use app::error::AppError;
use clap::{Args, ValueEnum};
use futures::TryStreamExt;
use record::{Event, ExportOf};
use sqlx::PgPool;
use std::io::{BufWriter, ErrorKind, Write};

/// Which rows, and how they are written.
#[derive(Args)]
pub struct ExportArguments {
    /// JSON Lines can be verified; CSV is for spreadsheets.
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    format: ExportFormat,
    /// Part of a name or an address.
    #[arg(long, default_value = "")]
    person: String,
    /// A kind of write, as `namespace.create`.
    #[arg(long, default_value = "")]
    action: String,
    /// An object, its namespace or its name.
    #[arg(long, default_value = "")]
    object: String,
    /// The reference of a request.
    #[arg(long, default_value = "")]
    reference: String,
    /// The first day, in UTC, as 2026-11-23.
    #[arg(long, default_value = "")]
    from: String,
    /// The last day.
    #[arg(long, default_value = "")]
    to: String,
    /// A control of the settings that `FAIRWAY_CONFIG` names: what is evidence for it.
    #[arg(long, default_value = "")]
    control: String,
}

/// [`FileFormat`], as the command line spells it.
#[derive(Clone, Copy, ValueEnum)]
enum ExportFormat {
    Jsonl,
    Csv,
}

impl ExportArguments {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let format = match self.format {
            ExportFormat::Jsonl => FileFormat::Jsonl,
            ExportFormat::Csv => FileFormat::Csv,
        };
        let Self { person, action, object, reference, from, to, control, .. } = self;
        let form = FilterForm { person, action, object, reference, from, to, control };
        let policy = policy_from_env()?;
        let (filter, wrong) = form.filter(&policy.controls);
        if let Some((field, message)) = wrong.first() {
            bail!("--{field}: {message}");
        }
        let database = connect("DATABASE_URL").await?;
        // That somebody exports is recorded before the first row is written; the database knows who may.
        let user = database_user(&mut *database.acquire().await?).await?;
        let event = |rows| Event::RecordExport {
            of: ExportOf::Record { format: format.extension().to_owned() },
            filter: form.recorded(),
            rows,
            database_user: Some(user.clone()),
        };
        let actor = RecordActor { request_id: String::new(), ..RecordActor::fairway() };
        let intent = Intent::announce(&database, actor, event(None))
            .await
            .context("the export could not be recorded, so nothing is written")?;
        let written = write(&database, &filter, format).await;
        let (rows, done) = match &written {
            Ok(rows) => (Some(*rows), Ok(())),
            Err(_) => (None, Err(AppError::Internal)),
        };
        let concluded = intent.with_event(event(rows)).conclude(&database, done).await;
        written?;
        Ok(concluded?)
    }
}

/// Writes all rows to standard output, or as many as are read; gives how many.
async fn write(database: &PgPool, filter: &Filter, format: FileFormat) -> anyhow::Result<u64> {
    let mut transaction = database.begin().await?;
    let mut rows = stream_rows(&mut transaction, filter).await?;
    let mut output = BufWriter::new(std::io::stdout());
    let mut written = output.write_all(&format.head());
    let mut number = 0;
    while let (Ok(()), Some(row)) = (&written, rows.try_next().await?) {
        written = output.write_all(&format.row(row));
        number += 1;
    }
    match written.and_then(|()| output.flush()) {
        // Whoever read it has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(number),
        other => Ok(other.map(|()| number)?),
    }
}
