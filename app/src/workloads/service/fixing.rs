//! Changing a draft by the patch of a finding.

use super::reviewing::{Depth, review_draft};
use crate::actor::Actor;
use crate::error::AppError;
use crate::state::AppState;
use crate::workloads::draft::{Draft, DraftForm};
use crate::workloads::errors::WorkloadError;
use crate::workloads::store;
use review::{Finding, Manifest, Override, Patch, decode, rewrite, to_yaml};

/// What a finding is about, for the button that fixes it.
#[must_use]
pub fn finding_key(finding: &Finding) -> String {
    format!("{} {} {}", finding.rule, finding.object, finding.path)
}

/// Applies the patch of a finding of the review that the person saw.
///
/// # Errors
/// [`WorkloadError::FindingGone`] where the draft, or what the cluster says of it, has changed.
pub async fn fix_draft(state: &AppState, actor: &Actor, draft: Draft, key: &str, seen: &str) -> Result<(), AppError> {
    let gone = || AppError::from(WorkloadError::FindingGone);
    let Ok(reviewed) = review_draft(state, actor, &draft.form, Depth::Live).await? else { return Ok(()) };
    if reviewed.bundle.digest().to_string() != seen {
        return Err(gone());
    }
    // Findings also depend on the cluster, which may have changed: the one that was pressed, or none.
    let is_meant = |finding: &&Finding| !finding.patch.is_empty() && finding_key(finding) == key;
    let finding = reviewed.report.findings.iter().find(is_meant).ok_or_else(gone)?;
    let form = fixed(draft.form, finding);
    let (database, version) = (&state.database, draft.version);
    match store::update_draft(database, actor.person_id, draft.id, version, &draft.shared_with, &form).await? {
        true => Ok(()),
        false => Err(gone()),
    }
}

/// The draft with the object of the finding fixed: in its own text where it was pasted, and otherwise as an
/// override of the answers.
fn fixed(mut form: DraftForm, finding: &Finding) -> DraftForm {
    let object = &finding.object;
    let mut pasted = decode("text", &form.manifests.text).unwrap_or_default();
    let is_meant = |manifest: &Manifest| manifest.object().kind == object.kind && manifest.object().name == object.name;
    if let Some(place) = pasted.iter().position(is_meant) {
        pasted[place].patch(&finding.patch);
        form.manifests.text = rewritten(&form.manifests.text, &pasted, place, &finding.patch);
        return form;
    }
    let operations = finding.patch.operations().to_vec();
    match form.manifests.overrides.iter_mut().find(|own| own.kind == object.kind) {
        Some(own) => own.operations.extend(operations),
        None => form.manifests.overrides.push(Override { kind: object.kind.clone(), operations }),
    }
    form
}

/// The text with one of its manifests fixed. What cannot be changed in place, because it refers to other parts of the
/// text, is written anew, without its comments.
fn rewritten(text: &str, fixed: &[Manifest], place: usize, patch: &Patch) -> String {
    let patches = std::slice::from_ref(patch);
    let of = |at: usize| if at == place { patches } else { &[] };
    let changes: Vec<(&Manifest, &[Patch])> =
        fixed.iter().enumerate().map(|(at, manifest)| (manifest, of(at))).collect();
    rewrite("text", text, &changes).unwrap_or_else(|_| to_yaml(fixed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::forms::ManifestsForm;
    use review::{Context, Selection, Settings, review};

    fn fixed_text(text: &str) -> String {
        let form =
            DraftForm { manifests: ManifestsForm { text: text.into(), overrides: Vec::new() }, ..DraftForm::default() };
        let given = decode("text", text).unwrap();
        let report = review(&given, &Context::default(), &Settings::default(), Selection::default());
        let finding = report.findings.iter().find(|finding| finding.rule == "pss/host-namespaces").unwrap();
        fixed(form, finding).manifests.text
    }

    #[test]
    fn a_pasted_object_is_fixed_in_its_own_text_and_keeps_its_comments() {
        let text = "# ours\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  hostPID: true # why\n  \
            containers: []\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";
        let fixed = fixed_text(text);
        assert!(fixed.starts_with("# ours\n") && !fixed.contains("hostPID: true"), "{fixed}");
        assert!(fixed.contains("kind: ConfigMap"), "{fixed}");
    }

    #[test]
    fn a_text_whose_parts_refer_to_each_other_keeps_its_meaning() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: &a web, labels: {app: *a}}\nspec:\n  hostPID: true\n  \
            containers: []\n";
        let fixed = decode("text", &fixed_text(text)).unwrap();
        assert_eq!(fixed[0].value()["metadata"]["labels"]["app"], "web");
        assert_ne!(fixed[0].value()["spec"]["hostPID"], true);
    }
}
