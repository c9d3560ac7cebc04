//! Adding proposed policies to a draft.

use super::fixing::{review_as_seen, save};
use super::reviewing::Depth;
use crate::actor::Actor;
use crate::error::AppError;
use crate::state::AppState;
use crate::workloads::draft::Draft;
use crate::workloads::errors::WorkloadError;
use review::{Proposal, decode, to_yaml};
use std::collections::BTreeSet;

/// Adds the proposed policies with these names to the draft's manifests.
///
/// # Errors
/// [`WorkloadError::FindingGone`] where the draft has changed, or one of them is not proposed any more.
pub async fn add_policies(
    state: &AppState,
    actor: &Actor,
    draft: Draft,
    names: &[String],
    seen: &str,
) -> Result<(), AppError> {
    let Some(reviewed) = review_as_seen(state, actor, &draft, Depth::Full, seen).await? else { return Ok(()) };
    let mut form = draft.form.clone();
    let text = &mut form.manifests.text;
    // After objects of JSON that follow each other there is no place for a comment.
    if decode("text", &format!("{text}\n---\n")).is_err() {
        let objects = decode("text", text).map_err(|_| WorkloadError::FindingGone)?;
        *text = to_yaml(&objects);
    }
    for name in names.iter().collect::<BTreeSet<_>>() {
        let is_meant = |proposal: &&Proposal| proposal.policy.object().name == *name;
        let proposal = reviewed.proposals.iter().find(is_meant).ok_or(WorkloadError::FindingGone)?;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str("---\n");
        text.push_str(&proposal.to_commented_yaml());
    }
    save(state, actor, &draft, &form).await
}
