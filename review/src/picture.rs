//! Who may talk with a workload before and after a change: one model for the picture, the table and the sentence.

use crate::manifest::Manifest;
use crate::network_policy::Direction;
use crate::reach::{Reach, reach};
use crate::workload::Workload;
use std::collections::BTreeMap;

/// A workload and everyone it may talk with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub workload: String,
    pub namespace: String,
    pub ingress: Vec<Line>,
    pub egress: Vec<Line>,
}

/// Somebody the workload may talk with, on some ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Who, in words.
    pub peer: String,
    /// On which ports, in words.
    pub ports: String,
    /// The policies that allow it; none where no policy governs the direction.
    pub policies: Vec<String>,
    /// Whether it is there already.
    pub change: Change,
}

/// What a change of manifests does to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Allowed afterwards only.
    New,
    /// Allowed before and afterwards.
    Unchanged,
    /// Allowed before only.
    Removed,
}

/// Draws `after`; `before` is what is there now, and empty where everything is new. `workload` is as it will be.
#[must_use]
pub fn picture<'a>(
    workload: &Workload<'_>,
    before: &'a [Manifest],
    after: impl Iterator<Item = &'a Manifest>,
) -> Picture {
    let after: Vec<&Manifest> = after.collect();
    let is_there = |manifest: &&Manifest| manifest.key() == workload.manifest.key();
    let runs = before.iter().find(is_there).and_then(Workload::of);
    let lines = |direction| {
        let now = runs.map(|runs| allowed(&reach(&runs, before, direction))).unwrap_or_default();
        compared(&now, &allowed(&reach(workload, after.iter().copied(), direction)))
    };
    Picture {
        workload: workload.manifest.object().name.clone(),
        namespace: workload.namespace().to_owned(),
        ingress: lines(Direction::Ingress),
        egress: lines(Direction::Egress),
    }
}

/// Peer and ports, with the policies that allow it.
type Allowed = BTreeMap<(String, String), Vec<String>>;

const ANYONE: &str = "anyone, inside and outside the cluster";
const EVERY_PORT: &str = "every port";

fn allowed(reach: &Reach) -> Allowed {
    match reach {
        Reach::Open => Allowed::from([((ANYONE.to_owned(), EVERY_PORT.to_owned()), Vec::new())]),
        Reach::Only(rows) => rows.iter().fold(Allowed::new(), |mut allowed, row| {
            let policies = allowed.entry((row.peer.clone(), row.ports.clone())).or_default();
            if !policies.contains(&row.policy) {
                policies.push(row.policy.clone());
            }
            allowed
        }),
    }
}

/// What is there afterwards, and then what is gone.
fn compared(before: &Allowed, after: &Allowed) -> Vec<Line> {
    let line = |((peer, ports), policies): (&(String, String), &Vec<String>), change| Line {
        peer: peer.clone(),
        ports: ports.clone(),
        policies: policies.clone(),
        change,
    };
    let kept = after.iter().map(|entry| {
        let change = if before.contains_key(entry.0) { Change::Unchanged } else { Change::New };
        line(entry, change)
    });
    let gone = before.iter().filter(|(key, _)| !after.contains_key(key)).map(|entry| line(entry, Change::Removed));
    kept.chain(gone).collect()
}

impl Picture {
    /// The same with people's own words for some of the others; `name` gets the words that stand for one here.
    #[must_use]
    pub fn named(mut self, name: impl Fn(&str) -> Option<String>) -> Self {
        for line in self.ingress.iter_mut().chain(&mut self.egress) {
            if let Some(name) = name(&line.peer) {
                line.peer = name;
            }
        }
        self
    }

    /// Two sentences that say what the picture shows, as it is afterwards.
    #[must_use]
    pub fn sentences(&self) -> [String; 2] {
        let Self { workload, namespace, .. } = self;
        let listed = |lines: &[Line]| {
            let there = lines.iter().filter(|line| line.change != Change::Removed);
            in_words(&there.map(|line| format!("{} on {}", line.peer, line.ports)).collect::<Vec<_>>())
        };
        let is_open =
            |lines: &[Line]| lines.iter().any(|line| line.change != Change::Removed && line.policies.is_empty());
        let ingress = match listed(&self.ingress) {
            _ if is_open(&self.ingress) => {
                "can be reached by anyone, inside and outside the cluster, on every port".to_owned()
            }
            None => "cannot be reached by anyone".to_owned(),
            Some(peers) => format!("can be reached by {peers}, and by nobody else"),
        };
        let egress = match listed(&self.egress) {
            _ if is_open(&self.egress) => {
                "can reach anything, inside and outside the cluster, on every port".to_owned()
            }
            None => "cannot reach anything".to_owned(),
            Some(peers) => format!("can reach {peers}, and nothing else"),
        };
        [format!("Pods of {workload} in {namespace} {ingress}."), format!("They {egress}.")]
    }
}

/// A list as people say it; nothing for an empty one. Parts that hold commas are parted by semicolons.
fn in_words(parts: &[String]) -> Option<String> {
    let comma = if parts.iter().any(|part| part.contains(',')) { "; " } else { ", " };
    match parts {
        [] => None,
        [one] => Some(one.clone()),
        [first @ .., last] => Some(format!("{} and {last}", first.join(comma))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Context;
    use crate::manifest::decode;

    const WEB: &str = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, \
        spec: {containers: []}}";

    fn policy(rules: &str) -> String {
        format!(
            "{WEB}\n---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: web, \
             namespace: shop}}, spec: {{podSelector: {{matchLabels: {{app: web}}}}, {rules}}}}}"
        )
    }

    fn drawn(before: &str, after: &str) -> Picture {
        let context =
            Context { existing: decode("before", before).unwrap(), every_workload: true, ..Context::default() };
        let manifests = decode("after", after).unwrap();
        picture(&Workload::of(&manifests[0]).unwrap(), &context.existing, context.afterwards(&manifests))
    }

    fn told(lines: &[Line]) -> Vec<(&str, &str, Change)> {
        lines.iter().map(|line| (line.peer.as_str(), line.ports.as_str(), line.change)).collect()
    }

    #[test]
    fn everything_about_a_new_workload_is_new() {
        let picture = drawn("", &policy("ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]"));
        assert_eq!(told(&picture.ingress), [("every pod in shop", "TCP 80", Change::New)]);
        assert_eq!(told(&picture.egress), [(ANYONE, EVERY_PORT, Change::New)]);
        assert_eq!(
            picture.sentences(),
            [
                "Pods of web in shop can be reached by every pod in shop on TCP 80, and by nobody else.",
                "They can reach anything, inside and outside the cluster, on every port.",
            ]
        );
    }

    #[test]
    fn what_a_change_opens_and_closes_is_told_apart() {
        let before = policy(
            "ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}, {from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]",
        );
        let after = policy(
            "ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}, {from: [{ipBlock: {cidr: 10.1.0.0/16}}]}]",
        );
        let picture = drawn(&before, &after);
        assert_eq!(
            told(&picture.ingress),
            [
                ("addresses 10.1.0.0/16", "every port", Change::New),
                ("every pod in shop", "TCP 80", Change::Unchanged),
                ("addresses 10.0.0.0/8", "every port", Change::Removed),
            ]
        );
        assert_eq!(picture.egress[0].change, Change::Unchanged);
        assert!(!picture.sentences()[0].contains("10.0.0.0/8"));
    }

    #[test]
    fn nobody_and_nothing_are_said_plainly() {
        let picture = drawn("", &policy("policyTypes: [Ingress, Egress]"));
        assert_eq!(
            picture.sentences(),
            ["Pods of web in shop cannot be reached by anyone.", "They cannot reach anything."]
        );
    }

    #[test]
    fn a_policy_added_beside_a_running_workload_is_compared_with_it() {
        let context = Context { existing: decode("before", WEB).unwrap(), every_workload: true, ..Context::default() };
        let added = decode("after", &policy("policyTypes: [Ingress]")).unwrap();
        let picture = picture(&Workload::of(&added[0]).unwrap(), &context.existing, context.afterwards(&added[1..]));
        assert_eq!(told(&picture.ingress), [(ANYONE, EVERY_PORT, Change::Removed)]);
    }
}
