//! Telling people by e-mail what became of opt-ins; one replica at a time.

use crate::audit::{RecordActor, record_event_in};
use crate::error::AppError;
use crate::leader_lock::LeaderLock;
use crate::ports::{Mail, MailError, Mailer};
use crate::preview::acceptance::Acceptance;
use crate::preview::notification::{NEWS, Notification};
use crate::preview::store;
use crate::state::AppState;
use jiff::Timestamp;
use record::Event;

/// Tells people all that is news at a moment and that they have not been told; nothing where no mail server is set.
///
/// # Errors
/// When the mail server or the database is unavailable.
pub async fn notify(state: &AppState, now: Timestamp) -> Result<(), AppError> {
    let Some(mailer) = state.mailer.as_deref() else { return Ok(()) };
    let mut lock = state.database.begin().await?;
    if !LeaderLock::Notifications.take(&mut lock).await? {
        return Ok(());
    }
    let recent = {
        let mut connection = state.database.acquire().await?;
        let ids = store::list_recent_ids(&mut *connection, now - NEWS).await?;
        store::load_readable(&mut connection, &ids).await?
    };
    let policy = &state.policy;
    for acceptance in recent {
        let notifier = Notifier { state, mailer, acceptance: &acceptance, now };
        for notification in acceptance.notifications_due(now, &policy.notifications, &policy.teams) {
            LeaderLock::keep(&mut lock).await?;
            // Where the mail server is unavailable, it is so for the others too.
            notifier.tell(&notification).await?;
        }
    }
    lock.commit().await?;
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
            Err(error @ MailError::Unavailable(_)) => {
                self.not_told(notification, "The mail server could not be reached.").await?;
                Err(error.into())
            }
        }
    }

    /// Recorded without the address, which could not be erased there.
    async fn told(&self, notification: &Notification) -> Result<(), AppError> {
        let id = self.acceptance.accepted.id;
        let mut transaction = self.state.database.begin().await?;
        store::note_told(&mut *transaction, id, notification, self.now).await?;
        let event = Event::RiskNotify {
            opt_in: self.acceptance.opt_in_ref(),
            occasion: notification.occasion,
            recipient: notification.recipient.clone(),
        };
        record_event_in(&mut transaction, &RecordActor::fairway(), &event).await?;
        Ok(transaction.commit().await?)
    }

    async fn not_told(&self, notification: &Notification, problem: &str) -> Result<(), AppError> {
        let id = self.acceptance.accepted.id;
        Ok(store::note_problem(&self.state.database, id, notification, problem).await?)
    }
}
