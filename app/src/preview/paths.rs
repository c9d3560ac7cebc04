//! Every address of this area.

use uuid::Uuid;

pub const FEATURES: &str = "/preview-features";
pub const APPROVALS: &str = "/admin/approvals";
pub const CATALOGUE: &str = "/admin/features";

#[must_use]
pub fn feature(slug: &str) -> String {
    format!("{FEATURES}/{slug}")
}

#[must_use]
pub fn statement(slug: &str, version: i32) -> String {
    format!("{FEATURES}/{slug}/statements/{version}")
}

#[must_use]
pub fn acceptance(id: Uuid) -> String {
    format!("{FEATURES}/acceptances/{id}")
}

/// The page of an acceptance, saying that something was done.
#[must_use]
pub fn acceptance_done(id: Uuid) -> String {
    format!("{}?done=yes", acceptance(id))
}

/// Where a button of the page of an acceptance leads.
#[must_use]
pub fn acceptance_action(id: Uuid, verb: &str) -> String {
    format!("{}/{verb}", acceptance(id))
}

#[must_use]
pub fn catalogue_entry(slug: &str) -> String {
    format!("{CATALOGUE}/{slug}")
}
