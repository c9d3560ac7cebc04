//! The commands that do the same from a terminal.

use super::{Answers, Kind, PodAnswers};
use crate::manifest::{Manifest, to_yaml};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The commands that apply what was generated: from the downloaded file, and for a single pod also `kubectl run`.
///
/// `kubectl run --overrides` takes a JSON merge patch (RFC 7386) that must name its `apiVersion` and replaces lists
/// whole, so the patch holds every container as a whole; and as `kubectl run` sets a label of its own, the labels are
/// given, too, or the policy would not select the pod.
#[must_use]
pub fn kubectl_commands(answers: &Answers, manifests: &[Manifest]) -> String {
    let Answers { namespace, name, .. } = answers;
    let from_file = format!(
        "# Show what would happen; nothing is changed.\nkubectl apply --server-side --field-manager=fairway \
         --namespace={namespace} --dry-run=server -f {name}.yaml\n\n# Apply the policy and the workload.\nkubectl \
         apply --server-side --field-manager=fairway --namespace={namespace} -f {name}.yaml\n"
    );
    let pod = manifests.iter().find(|manifest| manifest.object().kind == "Pod");
    match (&answers.pods, pod) {
        (Some(pods), Some(pod)) if pods.kind == Kind::Pod => {
            let others: Vec<Manifest> =
                manifests.iter().filter(|manifest| manifest.object().kind != "Pod").cloned().collect();
            format!("{from_file}\n{}", run(answers, pods, &others, pod))
        }
        _ => from_file,
    }
}

/// Everything else from standard input, and the pod by `kubectl run`.
fn run(answers: &Answers, pods: &PodAnswers, others: &[Manifest], pod: &Manifest) -> String {
    let Answers { namespace, name, labels, .. } = answers;
    let overrides = overrides(pod).to_string();
    let overrides = quoted(&overrides);
    let image = quoted(&pods.image_text);
    format!(
        "# Or without the file: first the policy, then the pod.\nkubectl apply --server-side --field-manager=fairway \
         --namespace={namespace} -f - <<'EOF'\n{}EOF\nkubectl run {name} --namespace={namespace} --image={image} \
         --labels={labels} --overrides={overrides}\n",
        to_yaml(others)
    )
}

fn overrides(pod: &Manifest) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod", "spec": pod.value()["spec"] })
}

/// A word for a POSIX shell. No command line can hold a NUL, and neither do JSON and names of images.
fn quoted(text: &str) -> Cow<'_, str> {
    shlex::try_quote(text).unwrap_or_default()
}
