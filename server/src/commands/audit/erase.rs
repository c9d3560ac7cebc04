//! `fairway audit erase`: a person's details go, what they did stays.

use super::{connect, database_user};
use crate::commands::say;
use anyhow::bail;
use app::audit::{RecordActor, record_event_in};
use app::audit::{erase_person, hold_person};
use app::preview::service::end_waiting_of;
use clap::Args;
use record::Event;

/// Whose details.
#[derive(Args)]
pub struct EraseArguments {
    /// `iss` of the person, as an export shows it.
    #[arg(long)]
    issuer: String,
    /// `sub` of the person.
    #[arg(long)]
    subject: String,
    /// Why, or where that stands, such as the number of a ticket. It stays in the record, so it must not say who it
    /// was.
    #[arg(long)]
    reason: String,
}

impl EraseArguments {
    /// The erasure and its own row stand or fall together.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let database = connect("FAIRWAY_MIGRATE_DATABASE_URL").await?;
        let mut transaction = database.begin().await?;
        hold_person(&mut transaction, &self.issuer, &self.subject).await?;
        let ended = end_waiting_of(&mut transaction, &self.issuer, &self.subject).await?;
        let erased = erase_person(&mut transaction, &self.issuer, &self.subject).await?;
        if erased.is_empty() {
            bail!("the record knows nobody with this issuer and subject");
        }
        let user = database_user(&mut transaction).await?;
        // Who it was is what must not be kept; that it was for a reason, and by whose hand, must.
        let count = erased.len();
        let event = Event::RecordErase { erased, reason: self.reason, database_user: user };
        let actor = RecordActor { request_id: String::new(), ..RecordActor::fairway() };
        record_event_in(&mut transaction, &actor, &event).await?;
        transaction.commit().await?;
        say(&format!(
            "{count} identities erased. Their sessions are ended, and so are {ended} opt-ins that waited for a \
             decision; what they did stays in the record."
        ));
        Ok(())
    }
}
