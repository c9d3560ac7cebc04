//! Changing a draft by the patches of findings.

use super::reviewing::{Depth, Reviewed, review_draft};
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

/// Whether there is a patch for it that nobody has decided against.
#[must_use]
pub fn can_fix(finding: &Finding) -> bool {
    !finding.patch.is_empty() && finding.exception.is_none()
}

/// Whether it may be fixed together with others. Who is reached from outside, and how, is changed by itself only: a
/// policy that is proposed afterwards would no longer know of it.
#[must_use]
pub fn can_fix_with_others(finding: &Finding) -> bool {
    can_fix(finding) && finding.rule != "service/load-balancer"
}

/// Applies the patch of a finding of the review that the person saw.
///
/// # Errors
/// [`WorkloadError::FindingGone`] where the draft, or what the cluster says of it, has changed.
pub async fn fix_draft(state: &AppState, actor: &Actor, draft: Draft, key: &str, seen: &str) -> Result<(), AppError> {
    let Some(reviewed) = review_as_seen(state, actor, &draft, Depth::Live, seen).await? else { return Ok(()) };
    // Findings also depend on the cluster, which may have changed: the one that was pressed, or none.
    let is_meant = |finding: &&Finding| !finding.patch.is_empty() && finding_key(finding) == key;
    let finding = reviewed.report.findings.iter().find(is_meant).ok_or(WorkloadError::FindingGone)?;
    save(state, actor, &draft, &fixed(draft.form.clone(), &[finding])).await
}

/// Patches that wait for others touch at most a few levels of one object; this is far above that.
const MOST_ROUNDS: usize = 6;

/// Applies the patches of all findings of a rule, or of all rules, until none is left that
/// [`can_fix_with_others`] allows.
///
/// # Errors
/// As [`fix_draft`].
pub async fn fix_whole_draft(
    state: &AppState,
    actor: &Actor,
    draft: Draft,
    rule: Option<&str>,
    seen: &str,
) -> Result<(), AppError> {
    let Some(mut reviewed) = review_as_seen(state, actor, &draft, Depth::Live, seen).await? else { return Ok(()) };
    let mut form = draft.form.clone();
    for _ in 0..MOST_ROUNDS {
        let is_meant = |finding: &Finding| can_fix_with_others(finding) && rule.is_none_or(|rule| finding.rule == rule);
        let mut findings = reviewed.report.findings;
        findings.retain(is_meant);
        if findings.is_empty() {
            break;
        }
        let given = form.clone();
        let next = state.compute.run(move || fixed(given, &findings.iter().collect::<Vec<_>>())).await?;
        if next == form {
            break;
        }
        // What does not hold afterwards is not kept.
        let Ok(again) = review_draft(state, actor, &next, Depth::Live).await? else { break };
        (form, reviewed) = (next, again);
    }
    save(state, actor, &draft, &form).await
}

/// The review of a draft, if it is still of the bytes that the person saw; nothing where the draft is not complete.
///
/// # Errors
/// [`WorkloadError::FindingGone`] where it is of others.
pub(super) async fn review_as_seen(
    state: &AppState,
    actor: &Actor,
    draft: &Draft,
    depth: Depth,
    seen: &str,
) -> Result<Option<Reviewed>, AppError> {
    let Ok(reviewed) = review_draft(state, actor, &draft.form, depth).await? else { return Ok(None) };
    if reviewed.bundle.digest().to_string() != seen {
        return Err(WorkloadError::FindingGone.into());
    }
    Ok(Some(reviewed))
}

/// Saves a draft that was changed by a button.
///
/// # Errors
/// [`WorkloadError::FindingGone`] where somebody else has saved it meanwhile.
pub(super) async fn save(state: &AppState, actor: &Actor, draft: &Draft, form: &DraftForm) -> Result<(), AppError> {
    let (database, version) = (&state.database, draft.version);
    match store::update_draft(database, actor.person_id, draft.id, version, &draft.shared_with, form).await? {
        true => Ok(()),
        false => Err(WorkloadError::FindingGone.into()),
    }
}

/// The draft with the objects of the findings fixed: in their own text where they were pasted, and otherwise as
/// overrides of the answers. Of patches that touch the same place only the first is applied.
fn fixed(mut form: DraftForm, findings: &[&Finding]) -> DraftForm {
    let mut pasted = decode("text", &form.manifests.text).unwrap_or_default();
    let mut patches = vec![Vec::<Patch>::new(); pasted.len()];
    let mut generated = Vec::<(&str, &Patch)>::new();
    for finding in findings {
        let object = &finding.object;
        let is_meant =
            |manifest: &Manifest| manifest.object().kind == object.kind && manifest.object().name == object.name;
        let overlaps = |done: &Patch| done.overlaps(&finding.patch);
        match pasted.iter().position(is_meant) {
            Some(place) if !patches[place].iter().any(overlaps) => {
                pasted[place].patch(&finding.patch);
                patches[place].push(finding.patch.clone());
            }
            None if !generated.iter().any(|(kind, done)| *kind == object.kind && overlaps(done)) => {
                generated.push((&object.kind, &finding.patch));
            }
            _ => {}
        }
    }
    if patches.iter().any(|patches| !patches.is_empty()) {
        form.manifests.text = rewritten(&form.manifests.text, &pasted, &patches);
    }
    for (kind, patch) in generated {
        let operations = patch.operations().to_vec();
        match form.manifests.overrides.iter_mut().find(|own| own.kind == kind) {
            Some(own) => own.operations.extend(operations),
            None => form.manifests.overrides.push(Override { kind: kind.to_owned(), operations }),
        }
    }
    form
}

/// The text with its manifests fixed. What cannot be changed in place, because it refers to other parts of the text, is
/// written anew, without its comments.
fn rewritten(text: &str, fixed: &[Manifest], patches: &[Vec<Patch>]) -> String {
    let changes: Vec<(&Manifest, &[Patch])> = fixed.iter().zip(patches.iter().map(Vec::as_slice)).collect();
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
        fixed(form, &[finding]).manifests.text
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
    fn all_findings_are_fixed_at_once_each_in_its_own_object() {
        let pod = |name: &str| {
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  hostPID: true # {name}\n  containers: []\n"
            )
        };
        let text = format!("# ours\n{}---\n{}", pod("a"), pod("b"));
        let form = DraftForm {
            manifests: ManifestsForm { text: text.clone(), overrides: Vec::new() },
            ..DraftForm::default()
        };
        let report =
            review(&decode("text", &text).unwrap(), &Context::default(), &Settings::default(), Selection::default());
        let findings: Vec<&Finding> = report.findings.iter().filter(|finding| can_fix_with_others(finding)).collect();
        let fixed = fixed(form, &findings).manifests.text;
        assert!(fixed.starts_with("# ours\n") && fixed.contains("---") && !fixed.contains("hostPID: true"), "{fixed}");
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
