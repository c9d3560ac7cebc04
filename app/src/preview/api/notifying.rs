//! Telling people by e-mail what became of opt-ins; one replica at a time.

use crate::actor::Profile;
use crate::audit::{Acting, Action, recorded_within};
use crate::error::AppError;
use crate::ports::{Mail, MailError, Mailer};
use crate::preview::acceptance::Acceptance;
use crate::preview::notification::{NEWS, Notification};
use crate::preview::store::{self, AcceptanceQuery};
use crate::state::AppState;
use crate::turn::Turn;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

/// Tells people all that is news at a moment and that they have not been told; nothing where no mail server is set.
///
/// # Errors
/// When the mail server or the database is away.
pub async fn notify(state: &AppState, now: Timestamp) -> Result<(), AppError> {
    let Some(mailer) = state.mailer.as_deref() else { return Ok(()) };
    let mut turn = state.database.begin().await?;
    if !Turn::Notifications.take(&mut turn).await? {
        return Ok(());
    }
    let query = AcceptanceQuery { since: Some(now - NEWS), is_whole: true, ..AcceptanceQuery::default() };
    let policy = &state.policy;
    for acceptance in store::list_acceptances(&state.database, &query).await? {
        let notifier = Notifier { state, mailer, acceptance: &acceptance, now };
        for notification in acceptance.notifications_due(now, &policy.notifications, &policy.teams) {
            Turn::keep(&mut turn).await?;
            // Where the mail server is away, it is so for the others too.
            notifier.tell(&notification).await?;
        }
    }
    turn.commit().await?;
    Ok(())
}

struct Notifier<'a> {
    state: &'a AppState,
    mailer: &'a dyn Mailer,
    acceptance: &'a Acceptance,
    now: Timestamp,
}

impl Notifier<'_> {
    async fn tell(&self, notification: &Notification) -> Result<(), AppError> {
        let site = self.state.public_url.as_str().trim_end_matches('/');
        let letter = self.acceptance.letter(notification, site, &self.state.policy.platform.support);
        let id = self.acceptance.accepted.id;
        let mail = Mail {
            id: format!("{id}.{}.{}", notification.occasion, notification.recipient).replace('/', "."),
            to: notification.address.clone(),
            subject: letter.subject,
            body: letter.body,
        };
        store::note_attempt(&self.state.database, id, notification, self.now).await?;
        match self.mailer.send(&mail).await {
            Ok(()) => self.told(notification).await,
            Err(MailError::Refused(why)) => {
                tracing::warn!(%why, acceptance = %id, recipient = %notification.recipient, "a mail was refused");
                self.not_told(notification, "The mail server did not take it.").await
            }
            Err(error @ MailError::Away(_)) => {
                self.not_told(notification, "The mail server could not be reached.").await?;
                Err(error.into())
            }
        }
    }

    /// Recorded without the address, which could not be blanked there.
    async fn told(&self, notification: &Notification) -> Result<(), AppError> {
        let id = self.acceptance.accepted.id;
        let mut transaction = self.state.database.begin().await?;
        store::note_told(&mut *transaction, id, notification, self.now).await?;
        let Notification { occasion, recipient, .. } = notification;
        let detail = json!({ "acceptance": id, "occasion": occasion, "recipient": recipient });
        let (fairway, request_id) = (Profile::fairway(), Uuid::now_v7().to_string());
        let who = Acting { profile: &fairway, request_id: &request_id };
        recorded_within(&mut transaction, who, Action::RiskTell, &self.acceptance.object(), detail).await?;
        Ok(transaction.commit().await?)
    }

    async fn not_told(&self, notification: &Notification, problem: &str) -> Result<(), AppError> {
        let id = self.acceptance.accepted.id;
        Ok(store::note_problem(&self.state.database, id, notification, problem).await?)
    }
}
