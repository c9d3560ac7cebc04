//! Mending a draft by the patch of a finding.

use super::drafts::step_path;
use super::review::{Depth, review_draft};
use crate::actor::Actor;
use crate::error::AppError;
use crate::state::AppState;
use crate::workloads::draft::{Draft, DraftForm, Step};
use crate::workloads::store;
use axum::response::{IntoResponse, Redirect, Response};
use review::{Finding, Kept, decode, rewrite};

/// Applies the patch of the finding at `place` of the review that the person saw.
pub(super) async fn fix_draft(
    state: &AppState,
    actor: &Actor,
    draft: Draft,
    place: usize,
    seen: &str,
) -> Result<Response, AppError> {
    let back = Redirect::to(&step_path(draft.id, Step::Review)).into_response();
    let Ok(reviewed) = review_draft(state, actor, &draft.form, Depth::Live).await? else { return Ok(back) };
    let changed = || AppError::Conflict { message: "The draft was changed after you looked at its review, so nothing was mended. Go back and look at the review again.".to_owned() };
    if reviewed.digest.to_string() != seen {
        return Err(changed());
    }
    let finding = reviewed.report.findings.get(place).filter(|finding| !finding.patch.is_empty());
    let form = mended(draft.form, finding.ok_or(AppError::NotFound)?).ok_or(AppError::Internal)?;
    if store::update_draft(&state.database, actor.person_id, draft.id, draft.version, &form).await? {
        Ok(back)
    } else {
        Err(changed())
    }
}

/// The draft with the object of the finding mended: in its own text where it was pasted, and otherwise as a field that
/// is kept beside the answers.
fn mended(mut form: DraftForm, finding: &Finding) -> Option<DraftForm> {
    let pasted = decode("text", &form.manifests.text).unwrap_or_default();
    let object = &finding.object;
    let is_meant = |kind: &str, name: &str| kind == object.kind && name == object.name;
    match pasted.iter().find(|manifest| is_meant(&manifest.object().kind, &manifest.object().name)) {
        Some(manifest) => {
            let patches = [finding.patch.clone()];
            form.manifests.text = rewrite("text", &form.manifests.text, &[(manifest, &patches)]).ok()?;
        }
        None => {
            let operations = finding.patch.operations().to_vec();
            match form.manifests.kept.iter_mut().find(|kept| kept.kind == object.kind) {
                Some(kept) => kept.operations.extend(operations),
                None => form.manifests.kept.push(Kept { kind: object.kind.clone(), operations }),
            }
        }
    }
    Some(form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::forms::ManifestsForm;
    use review::{Context, Selection, Settings, review};

    #[test]
    fn a_pasted_object_is_mended_in_its_own_text_and_keeps_its_comments() {
        let text = "# ours\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  hostPID: true # why\n  containers: []\n";
        let form = DraftForm { manifests: ManifestsForm { text: text.into(), kept: Vec::new() }, ..DraftForm::default() };
        let report = review(&decode("text", text).unwrap(), &Context::default(), &Settings::default(), Selection::default());
        let finding = report.findings.iter().find(|finding| finding.rule == "pss/host-namespaces").unwrap();
        let mended = mended(form, finding).unwrap().manifests.text;
        assert!(mended.starts_with("# ours\n") && !mended.contains("hostPID: true"), "{mended}");
    }
}
