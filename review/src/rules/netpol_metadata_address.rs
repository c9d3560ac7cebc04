//! Blocks that hold the metadata address without meaning to.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::{Direction, NetworkPolicy, Rule as PolicyRule};
use crate::patch::Edit;
use crate::port_set::{PortSet, Transport};
use crate::world::ports_of;
use std::net::Ipv4Addr;

pub(super) const RULE: Rule = Rule {
    id: "netpol/metadata-address",
    meaning: "Where a cloud hands out the machine's credentials, a pod that may ask for them is the machine.",
    source: "RFC 3927 link-local address 169.254.169.254, the same in all large clouds",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Policy(check),
};

const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// A rule for every address is another rule's finding.
fn check(policy: &NetworkPolicy, _: &Scope<'_>) -> Vec<Problem> {
    policy
        .placed_rules()
        .filter(|placed| placed.direction == Direction::Egress && !is_for_dns(placed.rule))
        .flat_map(|placed| {
            placed.rule.peers.iter().enumerate().map(move |(index, peer)| (placed.peer_path(index), peer))
        })
        .filter(|(_, peer)| !peer.is_anywhere() && peer.holds_address(METADATA_ADDRESS.into()))
        .map(|(path, peer)| {
            let message = format!(
                "These addresses include {METADATA_ADDRESS}, where a cloud hands out the machine's credentials."
            );
            let except = peer.except().iter().cloned().chain([format!("{METADATA_ADDRESS}/32")]).collect::<Vec<_>>();
            Problem::warn(path.as_str(), message, format!("Leave {METADATA_ADDRESS}/32 out with except.")).fixed_by(
                peer.is_wider_than(METADATA_ADDRESS.into())
                    .then(|| Edit::set(&format!("{path}.ipBlock.except"), except)),
            )
        })
        .collect()
}

/// A cloud answers DNS at the same address, and gives out credentials on TCP port 80 only.
fn is_for_dns(rule: &PolicyRule) -> bool {
    let dns = PortSet::range(Transport::Udp, 53, 53).union(&PortSet::range(Transport::Tcp, 53, 53));
    ports_of(rule, None).difference(&dns).is_empty()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of, policy};

    #[test]
    fn a_clouds_resolver_at_that_address_is_no_credential() {
        let with_ports = |ports: &str| {
            let block = "{ipBlock: {cidr: 169.254.169.254/32}}";
            let spec = format!("{{podSelector: {{}}, egress: [{{to: [{block}], ports: [{ports}]}}]}}");
            paths_of("netpol/metadata-address", &policy("p", &spec))
        };
        assert!(with_ports("{port: 53, protocol: UDP}, {port: 53}").is_empty());
        assert_eq!(with_ports("{port: 53, protocol: UDP}, {port: 80}").len(), 1);
    }

    fn egress(block: &str) -> String {
        policy("p", &format!("{{podSelector: {{}}, egress: [{{to: [{{ipBlock: {block}}}]}}]}}"))
    }

    #[test]
    fn a_block_that_holds_the_metadata_address_is_named() {
        assert_eq!(paths_of("netpol/metadata-address", &egress("{cidr: 169.0.0.0/8}")), ["spec.egress[0].to[0]"]);
        assert!(
            paths_of("netpol/metadata-address", &egress("{cidr: 169.0.0.0/8, except: [169.254.0.0/16]}")).is_empty()
        );
        assert!(paths_of("netpol/metadata-address", &egress("{cidr: 10.0.0.0/8}")).is_empty());
    }

    #[test]
    fn a_block_of_that_address_alone_has_no_patch() {
        let block = egress("{cidr: 169.254.169.254/32}");
        let finding = crate::rules::testing::reviewed(&block)
            .findings
            .into_iter()
            .find(|finding| finding.rule == "netpol/metadata-address");
        assert!(finding.unwrap().patch.is_empty());
    }

    #[test]
    fn the_patch_leaves_it_out_beside_what_is_left_out_already() {
        let block = &fixed("netpol/metadata-address", &egress("{cidr: 169.0.0.0/8, except: [169.1.0.0/16]}"))["spec"]["egress"]
            [0]["to"][0]["ipBlock"];
        assert_eq!(block["except"], serde_json::json!(["169.1.0.0/16", "169.254.169.254/32"]));
    }
}
