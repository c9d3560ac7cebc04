//! What answers cannot say: whole objects as YAML, and fields of the generated ones.

use crate::form::FormErrors;
use review::{Manifest, Override, Workload, apply_overrides, decode, is_secret_with_values};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The most objects of a draft: each is tried by the cluster on every look at the review.
const MOST_OBJECTS: usize = 100;

/// Beside the answers, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ManifestsForm {
    /// Objects that are applied as they are.
    pub text: String,
    /// Fields of generated objects that came with an import.
    pub overrides: Vec<Override>,
}

impl ManifestsForm {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.trim().is_empty() && self.overrides.is_empty()
    }

    /// The same without one of the overridden fields; the number counts over all objects.
    #[must_use]
    pub fn without_override(mut self, mut number: usize) -> Self {
        for own in &mut self.overrides {
            if number < own.operations.len() {
                own.operations.remove(number);
                break;
            }
            number -= own.operations.len();
        }
        self.overrides.retain(|own| !own.operations.is_empty());
        self
    }

    /// Everything that is applied: what was generated with the overridden fields, and the other objects. Policies come
    /// first and pods last, so that no pod runs without its policy.
    pub fn check(&self, generated: Vec<Manifest>, namespace: &str, errors: &mut FormErrors) -> Option<Vec<Manifest>> {
        let generated = errors.take("text", apply_overrides(generated, &self.overrides));
        let others = self.others(namespace, errors);
        let mut all: Vec<Manifest> = generated?.into_iter().chain(others?).collect();
        if all.is_empty() {
            errors.add("text", "Paste at least one object.");
            return None;
        }
        let mut seen = HashSet::new();
        let duplicate = all.iter().map(Manifest::object).find(|object| !seen.insert(*object));
        if let Some(object) = duplicate {
            errors.add("text", format!("{object} is written twice. Rename one of the two, or take it out."));
            return None;
        }
        all.sort_by_key(order);
        Some(all)
    }

    /// Whether it holds what must not be stored. A text that cannot be read yet is taken to, where it speaks of a Secret.
    #[must_use]
    pub fn holds_secret(&self) -> bool {
        match decode("text", &self.text) {
            Ok(found) => found.iter().any(is_secret_with_values),
            Err(_) => self.text.match_indices("kind").any(|(at, word)| {
                let rest =
                    self.text[at + word.len()..].trim_start_matches(|c: char| c.is_whitespace() || "\"':".contains(c));
                rest.strip_prefix("Secret").is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
            }),
        }
    }

    fn others(&self, namespace: &str, errors: &mut FormErrors) -> Option<Vec<Manifest>> {
        if self.text.trim().is_empty() {
            return Some(Vec::new());
        }
        let found = errors.take("text", decode("what you pasted", &self.text))?;
        if let Some(secret) = found.iter().find(|manifest| is_secret_with_values(manifest)) {
            let (object, name) = (secret.object(), &secret.object().name);
            errors.add(
                "text",
                format!(
                    "{object} holds values. Everyone who may edit in this namespace can read a draft, so take the Secret \
                     out of the text. Create it with kubectl create secret generic {name}, and refer to it by its name."
                ),
            );
            return None;
        }
        let is_namespace =
            |manifest: &&Manifest| manifest.api_version() == "v1" && manifest.object().kind == "Namespace";
        if let Some(manifest) = found.iter().find(is_namespace) {
            let name = &manifest.object().name;
            errors.add(
                "text",
                format!(
                    "Namespaces are not created from manifests. Create {name} under Namespaces, and take it out of the text."
                ),
            );
            return None;
        }
        // Postgres keeps no text with it.
        if found.iter().any(|manifest| manifest.value().to_string().contains("\\u0000")) {
            errors.add("text", "There is a NUL character in a text. Take it out.");
            return None;
        }
        if found.len() > MOST_OBJECTS {
            let count = found.len();
            errors.add("text", format!("These are {count} objects; at most {MOST_OBJECTS} can be looked at together."));
            return None;
        }
        let placed =
            found.into_iter().map(|manifest| in_namespace(&manifest, namespace)).collect::<Result<Vec<_>, _>>();
        errors.take("text", placed)
    }
}

/// An object that names no namespace goes where the draft goes.
fn in_namespace(manifest: &Manifest, namespace: &str) -> Result<Manifest, String> {
    let own = &manifest.object().namespace;
    if !own.is_empty() && own != namespace {
        return Err(format!("{} is for another namespace than {namespace}.", manifest.object()));
    }
    let mut value = manifest.value().clone();
    if own.is_empty() {
        value["metadata"]["namespace"] = namespace.into();
    }
    Manifest::from_value(value).map_err(|error| error.to_string())
}

fn order(manifest: &Manifest) -> u8 {
    match manifest.object().kind.as_str() {
        "NetworkPolicy" => 0,
        _ if Workload::of(manifest).is_some() => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<Vec<String>, String> {
        let form = ManifestsForm { text: text.to_owned(), overrides: Vec::new() };
        let mut errors = FormErrors::default();
        let found = form.check(Vec::new(), "shop", &mut errors);
        found
            .map(|found| found.iter().map(|object| object.object().to_string()).collect())
            .ok_or_else(|| errors.all()[0].message.clone())
    }

    const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: []}}";

    #[test]
    fn policies_come_before_pods_and_all_go_where_the_draft_goes() {
        let policy =
            "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a}, spec: {podSelector: {}}}";
        assert_eq!(checked(&format!("{POD}\n---\n{policy}")).unwrap(), ["NetworkPolicy/shop/a", "Pod/shop/a"]);
    }

    #[test]
    fn a_secret_is_refused_with_its_values_and_not_without() {
        let holds = |text: &str| ManifestsForm { text: text.to_owned(), overrides: Vec::new() }.holds_secret();
        let secret = "{apiVersion: v1, kind: Secret, metadata: {name: db}, stringData: {password: hunter2}}";
        let refusal = checked(&format!("{POD}\n---\n{secret}")).unwrap_err();
        assert!(refusal.contains("kubectl create secret generic db") && !refusal.contains("hunter2"), "{refusal}");
        assert!(holds(secret) && holds("kind: Secret\nstringData: {password: hunter2"));
        assert!(holds("{\"kind\":\"Secret\", \"data\"") && !holds(POD) && !holds("kind: SecretStore\nspec: {"));
        assert!(checked("{apiVersion: v1, kind: Secret, metadata: {name: db}}").is_ok());
    }

    #[test]
    fn what_cannot_be_applied_together_is_said() {
        assert!(checked("").unwrap_err().contains("at least one object"));
        assert!(checked("{kind: Pod}").unwrap_err().contains("apiVersion"));
        assert!(checked(&format!("{POD}\n---\n{POD}")).unwrap_err().contains("written twice"));
        let namespace = format!("{POD}\n---\n{{apiVersion: v1, kind: Namespace, metadata: {{name: shop}}}}");
        assert!(checked(&namespace).unwrap_err().contains("Create shop under Namespaces"));
        let elsewhere = "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: pay}}";
        assert!(checked(elsewhere).unwrap_err().contains("another namespace than shop"));
    }
}
