//! `fairway audit erase`: a person's details go, what they did stays.

use super::{connect, database_user};
use crate::commands::say;
use anyhow::bail;
use app::actor::Profile;
use app::audit::store::{NewEvent, append_in, erase_person, hold_person};
use app::audit::{Action, Phase};
use app::preview::api::end_what_waits;
use clap::Args;
use serde_json::json;

/// Whose details.
#[derive(Args)]
pub struct EraseArguments {
    /// `iss` of the person, as an export shows it.
    #[arg(long)]
    issuer: String,
    /// `sub` of the person.
    #[arg(long)]
    subject: String,
    /// Why, or where that stands, such as the number of a ticket. It stays in the record, so it must not say who it was.
    #[arg(long)]
    reason: String,
}

impl EraseArguments {
    /// Blanking and its own row stand or fall together.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let database = connect("FAIRWAY_MIGRATE_DATABASE_URL").await?;
        let mut transaction = database.begin().await?;
        hold_person(&mut transaction, &self.issuer, &self.subject).await?;
        let ended = end_what_waits(&mut transaction, &self.issuer, &self.subject).await?;
        let blanked = erase_person(&mut transaction, &self.issuer, &self.subject).await?;
        if blanked.is_empty() {
            bail!("the record knows nobody with this issuer and subject");
        }
        let user = database_user(&mut transaction).await?;
        let fairway = Profile::fairway();
        let event = NewEvent {
            intent_id: None,
            phase: Phase::Succeeded,
            actor: (&fairway).into(),
            action: Action::RecordErase,
            object: "Person//",
            // Who it was is what must not be kept; that it was for a reason, and by whose hand, must.
            detail: json!({ "blanked": blanked, "reason": self.reason, "database_user": user }),
            request_id: "",
        };
        append_in(&mut transaction, event).await?;
        transaction.commit().await?;
        say(&format!(
            "{} identities blanked. Their sessions are ended, and so are {ended} opt-ins that waited for a decision; what they did stays in the record.",
            blanked.len()
        ));
        Ok(())
    }
}
