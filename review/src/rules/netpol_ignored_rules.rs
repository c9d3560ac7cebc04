//! Rules that policyTypes leaves out.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::manifest::Manifest;
use crate::network_policy::{Direction, NetworkPolicy};
use crate::patch::Edit;
use serde_json::Value;

pub(super) const RULE: Rule = Rule {
    id: "netpol/ignored-rules",
    meaning: "Rules for a direction that policyTypes leaves out have no effect.",
    source: "Kubernetes API reference, NetworkPolicySpec networking.k8s.io/v1, policyTypes",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Object(check),
};

fn check(manifest: &Manifest, _: &Scope<'_>) -> Vec<Problem> {
    let spec = &manifest.value()["spec"];
    let Some(types) = spec["policyTypes"].as_array().filter(|types| NetworkPolicy::is(manifest) && !types.is_empty())
    else {
        return Vec::new();
    };
    [(Direction::Ingress, "Ingress"), (Direction::Egress, "Egress")]
        .into_iter()
        .filter(|(direction, name)| {
            let has_rules = spec[direction.field()].as_array().is_some_and(|rules| !rules.is_empty());
            has_rules && !types.iter().any(|named| named == name)
        })
        .map(|(direction, name)| {
            let named: Vec<Value> = types.iter().cloned().chain([name.into()]).collect();
            let message =
                format!("policyTypes does not name {name}, so these rules have no effect, and nothing is limited.");
            Problem::warn(format!("spec.{}", direction.field()), message, format!("Add {name} to policyTypes."))
                .fixed_by([Edit::set("spec.policyTypes", named)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of, policy};

    #[test]
    fn rules_of_a_direction_that_is_not_named_are_named() {
        let ignored = policy("p", "{podSelector: {}, policyTypes: [Ingress], egress: [{to: [{podSelector: {}}]}]}");
        assert_eq!(paths_of("netpol/ignored-rules", &ignored), ["spec.egress"]);
        assert_eq!(
            fixed("netpol/ignored-rules", &ignored)["spec"]["policyTypes"],
            serde_json::json!(["Ingress", "Egress"])
        );
        assert!(paths_of("netpol/ignored-rules", &policy("p", "{podSelector: {}, egress: [{}]}")).is_empty());
    }
}
