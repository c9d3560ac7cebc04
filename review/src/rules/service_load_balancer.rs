//! Services of type LoadBalancer.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::manifest::Manifest;
use crate::patch::Edit;

pub(super) const RULE: Rule = Rule {
    id: "service/load-balancer",
    meaning: "The platform does not hand out load balancers.",
    source: "Platform safeguard against LoadBalancer services, where the provider has none",
    faq: None,
    set: RuleSet::Platform,
    check: Check::Object(check),
};

/// What only a LoadBalancer may have (API reference, ServiceSpec v1 core).
const ITS_OWN: &[&str] = &[
    "allocateLoadBalancerNodePorts",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
];

fn check(manifest: &Manifest, _: &Scope<'_>) -> Vec<Problem> {
    let spec = &manifest.value()["spec"];
    if manifest.api_version() != "v1" || manifest.object().kind != "Service" || spec["type"] != "LoadBalancer" {
        return Vec::new();
    }
    let ports = spec["ports"].as_array().map(Vec::len).unwrap_or_default();
    let edits = ITS_OWN
        .iter()
        .map(|field| Edit::remove(&format!("spec.{field}")))
        .chain((0..ports).map(|index| Edit::remove(&format!("spec.ports[{index}].nodePort"))));
    let fix = "Use type ClusterIP and an Ingress.";
    vec![
        Problem::deny("spec.type", "The platform does not hand out load balancers.", fix)
            .fixed_by([Edit::set("spec.type", "ClusterIP")])
            .fixed_by(edits),
    ]
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of};

    #[test]
    fn a_load_balancer_is_refused_and_the_patch_leaves_nothing_of_it() {
        let service = "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: LoadBalancer, \
            externalTrafficPolicy: Local, ports: [{port: 1, nodePort: 30001}]}}";
        assert_eq!(paths_of("service/load-balancer", service), ["spec.type"]);
        assert_eq!(
            fixed("service/load-balancer", service)["spec"].to_string(),
            r#"{"type":"ClusterIP","ports":[{"port":1}]}"#
        );
    }
}
