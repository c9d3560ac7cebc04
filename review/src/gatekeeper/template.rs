//! ConstraintTemplates (templates.gatekeeper.sh).

use crate::manifest::Manifest;
use crate::rego::{RegoPolicy, RegoVersion};
use serde_json::Value;

/// Longest policy, its libraries included. The platform's own longest has 7 KiB.
const MAX_BYTES: usize = 64 * 1024;

/// Deepest nesting of brackets and braces: the interpreter's parser tries each of them twice, so that every level
/// doubles its time, and nothing stops it on the way.
const MAX_NESTING: usize = 8;

/// Why a template's policy cannot be evaluated here.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    /// It is written in something else, such as CEL.
    #[error("it is not written in Rego")]
    NotRego,
    /// Where a template has both, Gatekeeper evaluates CEL (since 3.18; its flag `--enable-k8s-native-validation`).
    #[error("Gatekeeper evaluates its CEL, and Fairway evaluates Rego only")]
    AlsoCel,
    /// Reading it could take longer than anybody waits.
    #[error("it is longer than {} KiB or nests brackets deeper than {MAX_NESTING} levels", MAX_BYTES / 1024)]
    TooComplex,
}

/// The kind of the constraints that a template makes possible; nothing where the manifest is no template.
pub(super) fn kind_of(manifest: &Manifest) -> Option<&str> {
    let is_template =
        manifest.group_version().0 == "templates.gatekeeper.sh" && manifest.object().kind == "ConstraintTemplate";
    manifest.value()["spec"]["crd"]["spec"]["names"]["kind"].as_str().filter(|_| is_template)
}

/// Reads the policy: `rego` of the target, or `code` with the engine Rego.
pub(super) fn policy_of(manifest: &Manifest) -> Result<RegoPolicy, TemplateError> {
    let targets = || manifest.value()["spec"]["targets"].as_array().into_iter().flatten();
    let mut codes = targets().flat_map(|target| target["code"].as_array().into_iter().flatten());
    let has_cel = codes.any(|code| code["engine"] == "K8sNativeValidation");
    let source = targets().find_map(source_of).ok_or(TemplateError::NotRego)?;
    if has_cel {
        return Err(TemplateError::AlsoCel);
    }
    let libraries = source["libs"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let policy = RegoPolicy {
        rego: source["rego"].as_str().unwrap_or_default().to_owned(),
        libraries: libraries.map(str::to_owned).collect(),
        version: if source["version"] == "v1" { RegoVersion::V1 } else { RegoVersion::V0 },
    };
    if is_too_complex(&policy) { Err(TemplateError::TooComplex) } else { Ok(policy) }
}

fn texts(policy: &RegoPolicy) -> impl Iterator<Item = &String> {
    std::iter::once(&policy.rego).chain(&policy.libraries)
}

fn is_too_complex(policy: &RegoPolicy) -> bool {
    let length: usize = texts(policy).map(String::len).sum();
    length > MAX_BYTES || texts(policy).any(|text| nesting(text) > MAX_NESTING)
}

/// Whether a policy looks at other objects than the one it judges.
pub(super) fn looks_at_inventory(policy: &RegoPolicy) -> bool {
    texts(policy).any(|text| text.contains("inventory"))
}

/// How deep brackets and braces are nested, outside of texts and comments.
fn nesting(rego: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut characters = rego.chars();
    while let Some(character) = characters.next() {
        match character {
            '[' | '{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            ']' | '}' => depth = depth.saturating_sub(1),
            '"' => skip_text(&mut characters),
            '`' => drop(characters.find(|end| *end == '`')),
            '#' => drop(characters.find(|end| *end == '\n')),
            _ => {}
        }
    }
    deepest
}

/// Up to the end of a text in double quotes, which ends with its line at the latest.
fn skip_text(characters: &mut std::str::Chars<'_>) {
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '"' | '\n' => return,
            _ => {}
        }
    }
}

fn source_of(target: &Value) -> Option<&Value> {
    let codes = target["code"].as_array().into_iter().flatten();
    let code = codes.into_iter().find(|code| code["engine"] == "Rego").map(|code| &code["source"]);
    code.or_else(|| target["rego"].is_string().then_some(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_count_outside_of_texts_and_comments() {
        for (rego, deepest) in [
            ("a := [{1: [2]}]", 3),
            ("a := [1][{2}]", 2),
            ("a := \"[[[\\\"[[[\" # [[[\nb := `[[[`", 0),
            ("a := \"not closed [[[\nb := [1]", 1),
            ("]]][", 1),
        ] {
            assert_eq!(nesting(rego), deepest, "{rego}");
        }
    }
}
