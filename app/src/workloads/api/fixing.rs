//! Mending a draft by the patch of a finding.

use super::drafts::step_path;
use super::review::{Depth, review_draft};
use crate::actor::Actor;
use crate::error::AppError;
use crate::state::AppState;
use crate::workloads::draft::{Draft, DraftForm, Step};
use crate::workloads::store;
use axum::response::{IntoResponse, Redirect, Response};
use review::{Finding, Kept, Manifest, Patch, decode, rewrite, to_yaml};

/// What a finding is about, for the button that mends it.
#[must_use]
pub fn finding_key(finding: &Finding) -> String {
    format!("{} {} {}", finding.rule, finding.object, finding.path)
}

/// Applies the patch of a finding of the review that the person saw.
pub(super) async fn fix_draft(
    state: &AppState,
    actor: &Actor,
    draft: Draft,
    key: &str,
    seen: &str,
) -> Result<Response, AppError> {
    let back = Redirect::to(&step_path(draft.id, Step::Review)).into_response();
    let Ok(reviewed) = review_draft(state, actor, &draft.form, Depth::Live).await? else { return Ok(back) };
    let changed = || {
        AppError::Conflict { message: "The draft was changed after you looked at its review, so nothing was mended. Go back and look at the review again.".to_owned() }
    };
    if reviewed.digest.to_string() != seen {
        return Err(changed());
    }
    // Findings also depend on the cluster, which may have changed: the one that was pressed, or none.
    let is_meant = |finding: &&Finding| !finding.patch.is_empty() && finding_key(finding) == key;
    let finding = reviewed.report.findings.iter().find(is_meant).ok_or_else(changed)?;
    let (shared_with, form) = (draft.shared_with, mended(draft.form, finding));
    let (id, version) = (draft.id, draft.version);
    if store::update_draft(&state.database, actor.person_id, id, version, &shared_with, &form).await? {
        Ok(back)
    } else {
        Err(changed())
    }
}

/// The draft with the object of the finding mended: in its own text where it was pasted, and otherwise as a field that
/// is kept beside the answers.
fn mended(mut form: DraftForm, finding: &Finding) -> DraftForm {
    let object = &finding.object;
    let mut pasted = decode("text", &form.manifests.text).unwrap_or_default();
    let is_meant = |manifest: &Manifest| manifest.object().kind == object.kind && manifest.object().name == object.name;
    if let Some(place) = pasted.iter().position(is_meant) {
        pasted[place].patch(&finding.patch);
        form.manifests.text = rewritten(&form.manifests.text, &pasted, place, &finding.patch);
        return form;
    }
    let operations = finding.patch.operations().to_vec();
    match form.manifests.kept.iter_mut().find(|kept| kept.kind == object.kind) {
        Some(kept) => kept.operations.extend(operations),
        None => form.manifests.kept.push(Kept { kind: object.kind.clone(), operations }),
    }
    form
}

/// The text with one of its manifests mended. What cannot be changed in place, because it refers to other parts of the
/// text, is written anew, without its comments.
fn rewritten(text: &str, mended: &[Manifest], place: usize, patch: &Patch) -> String {
    let patches = std::slice::from_ref(patch);
    let of = |at: usize| if at == place { patches } else { &[] };
    let changes: Vec<(&Manifest, &[Patch])> =
        mended.iter().enumerate().map(|(at, manifest)| (manifest, of(at))).collect();
    rewrite("text", text, &changes).unwrap_or_else(|_| to_yaml(mended))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::forms::ManifestsForm;
    use review::{Context, Selection, Settings, review};

    fn mended_text(text: &str) -> String {
        let form =
            DraftForm { manifests: ManifestsForm { text: text.into(), kept: Vec::new() }, ..DraftForm::default() };
        let given = decode("text", text).unwrap();
        let report = review(&given, &Context::default(), &Settings::default(), Selection::default());
        let finding = report.findings.iter().find(|finding| finding.rule == "pss/host-namespaces").unwrap();
        mended(form, finding).manifests.text
    }

    #[test]
    fn a_pasted_object_is_mended_in_its_own_text_and_keeps_its_comments() {
        let text = "# ours\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  hostPID: true # why\n  containers: []\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";
        let mended = mended_text(text);
        assert!(mended.starts_with("# ours\n") && !mended.contains("hostPID: true"), "{mended}");
        assert!(mended.contains("kind: ConfigMap"), "{mended}");
    }

    #[test]
    fn a_text_whose_parts_refer_to_each_other_keeps_its_meaning() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: &a web, labels: {app: *a}}\nspec:\n  hostPID: true\n  containers: []\n";
        let mended = decode("text", &mended_text(text)).unwrap();
        assert_eq!(mended[0].value()["metadata"]["labels"]["app"], "web");
        assert_ne!(mended[0].value()["spec"]["hostPID"], true);
    }
}
