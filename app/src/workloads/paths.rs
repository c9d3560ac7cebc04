//! Every address of this area.

use super::draft::Step;
use uuid::Uuid;

pub const WORKLOADS: &str = "/workloads";

#[must_use]
pub fn submission(id: Uuid) -> String {
    format!("{WORKLOADS}/{id}")
}

/// Where a button of the page of a submission leads.
#[must_use]
pub fn submission_action(id: Uuid, verb: &str) -> String {
    format!("{WORKLOADS}/{id}/{verb}")
}

#[must_use]
pub fn step(draft: Uuid, step: Step) -> String {
    format!("{WORKLOADS}/drafts/{draft}/{}", step.slug())
}

/// Where a button of a step leads that changes rows of its form.
#[must_use]
pub fn step_action(draft: Uuid, step: Step, verb: &str) -> String {
    format!("{WORKLOADS}/drafts/{draft}/{}/{verb}", step.slug())
}

/// Where a draft is submitted, fixed, deleted or downloaded.
#[must_use]
pub fn draft_action(draft: Uuid, verb: &str) -> String {
    format!("{WORKLOADS}/drafts/{draft}/{verb}")
}
