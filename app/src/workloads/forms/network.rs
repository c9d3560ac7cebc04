//! Who may reach the workload, and what it may reach. Rows run in parallel lists: one entry a row.

use super::workload::{at, dns_label, parse_ports};
use crate::form::FormErrors;
use crate::workloads::known::Known;
use review::{Cidr, Opening, Peer, PodLabels, Port, are_most_addresses};
use serde::{Deserialize, Serialize};

/// The most rows of a list: each may name another namespace, which is then looked into.
pub const MOST_ROWS: usize = 50;

/// Rows of a list: other ends that nothing ticked stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PeerRows {
    /// `workload`, `namespace`, `pods` or `addresses`.
    pub kind: Vec<String>,
    pub value: Vec<String>,
    pub ports: Vec<String>,
}

/// Who may reach it, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourcesForm {
    /// `yes` for every pod of the namespace.
    pub same_namespace: String,
    /// Slugs of places.
    pub place: Vec<String>,
    pub rows: PeerRows,
}

/// What it may reach, as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DestinationsForm {
    /// `yes` where names may be looked up.
    pub dns: String,
    /// `yes` where it may call the Kubernetes API.
    pub kubernetes_api: String,
    /// `yes` where it may reach every public address.
    pub internet: String,
    pub internet_reason: String,
    pub internet_ports: String,
    /// Slugs of places.
    pub place: Vec<String>,
    pub rows: PeerRows,
}

impl Default for DestinationsForm {
    fn default() -> Self {
        Self {
            dns: "yes".to_owned(),
            kubernetes_api: String::new(),
            internet: String::new(),
            internet_reason: String::new(),
            internet_ports: "443".to_owned(),
            place: Vec::new(),
            rows: PeerRows::default(),
        }
    }
}

impl SourcesForm {
    /// What it opens, adding what is wrong to `errors`.
    pub fn check(&self, known: &Known, errors: &mut FormErrors) -> Option<Vec<Opening>> {
        let before = errors.all().len();
        let everyone = (self.same_namespace == "yes").then(|| Opening { peer: Peer::SameNamespace, ports: Vec::new() });
        let places = known.places(&self.place, errors);
        let rows = self.rows.check(known, errors, false);
        (errors.all().len() == before).then(|| everyone.into_iter().chain(places).chain(rows).collect())
    }
}

impl DestinationsForm {
    /// What it opens, adding what is wrong to `errors`.
    pub fn check(&self, known: &Known, errors: &mut FormErrors) -> Option<Vec<Opening>> {
        let before = errors.all().len();
        let api = (self.kubernetes_api == "yes").then(|| known.kubernetes_api(errors)).flatten();
        let places = known.places(&self.place, errors);
        let internet = (self.internet == "yes").then(|| self.check_internet(errors)).flatten();
        let rows = self.rows.check(known, errors, true);
        (errors.all().len() == before).then(|| api.into_iter().chain(places).chain(rows).chain(internet).collect())
    }

    fn check_internet(&self, errors: &mut FormErrors) -> Option<Opening> {
        let reason = self.internet_reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let reasoned = if reason.len() < 10 {
            Err("Say why no narrower address will do, for example: calls the APIs of several payment providers.")
        } else {
            Ok(reason)
        };
        let reason = errors.take("internet_reason", reasoned);
        let ports = needed_ports(errors, "internet_ports", &self.internet_ports);
        Some(Opening { peer: Peer::Internet { reason: reason? }, ports: ports? })
    }
}

fn needed_ports(errors: &mut FormErrors, field: &str, text: &str) -> Option<Vec<Port>> {
    let ports = errors.take(field, parse_ports(text))?;
    if ports.is_empty() {
        errors.add(field, "Enter the port it connects to there, for example 5432.");
        return None;
    }
    Some(ports)
}

impl PeerRows {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kind.len().max(self.value.len()).max(self.ports.len())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Kind, value and ports of a row.
    #[must_use]
    pub fn row(&self, row: usize) -> (&str, &str, &str) {
        (at(&self.kind, row), at(&self.value, row), at(&self.ports, row))
    }

    /// The same without rows that nothing was typed into.
    #[must_use]
    pub fn filled(&self) -> Self {
        let rows = (0..self.len()).map(|row| self.row(row));
        rows.filter(|(kind, value, ports)| *kind == "same-namespace" || !(value.is_empty() && ports.is_empty()))
            .fold(Self::default(), |rows, (kind, value, ports)| rows.with(kind, value, ports))
    }

    /// The same with one more row.
    #[must_use]
    pub fn with(mut self, kind: &str, value: &str, ports: &str) -> Self {
        let row = self.len();
        for (list, text) in [(&mut self.kind, kind), (&mut self.value, value), (&mut self.ports, ports)] {
            list.resize(row, String::new());
            list.push(text.to_owned());
        }
        self
    }

    /// The same without that row.
    #[must_use]
    pub fn without(mut self, row: usize) -> Self {
        for list in [&mut self.kind, &mut self.value, &mut self.ports] {
            if row < list.len() {
                list.remove(row);
            }
        }
        self
    }

    /// Rows without a value are passed over, unless ports were typed for them.
    fn check(&self, known: &Known, errors: &mut FormErrors, needs_ports: bool) -> Vec<Opening> {
        if self.len() > MOST_ROWS {
            errors.add(
                format!("value-{MOST_ROWS}"),
                format!(
                    "There can be at most {MOST_ROWS} rows: name a namespace, or labels that several workloads share."
                ),
            );
            return Vec::new();
        }
        (0..self.len()).filter_map(|row| self.check_row(known, errors, row, needs_ports)).collect()
    }

    fn check_row(&self, known: &Known, errors: &mut FormErrors, row: usize, needs_ports: bool) -> Option<Opening> {
        let (kind, value, ports) = self.row(row);
        if value.is_empty() && kind != "same-namespace" {
            if !ports.is_empty() {
                errors.add(
                    format!("value-{row}"),
                    "Say whose ports these are: a workload, a namespace, pods or addresses.",
                );
            }
            return None;
        }
        let peer = check_peer(known, errors, &format!("value-{row}"), kind, value);
        if needs_ports && matches!(&peer, Some(Peer::Addresses(blocks)) if are_most_addresses(blocks)) {
            errors.add(
                format!("value-{row}"),
                "These are most addresses of the internet: choose 'The whole internet' below, and say why.",
            );
            return None;
        }
        let field = format!("ports-{row}");
        let ports =
            if needs_ports { needed_ports(errors, &field, ports) } else { errors.take(field, parse_ports(ports)) };
        Some(Opening { peer: peer?, ports: ports? })
    }
}

fn check_peer(known: &Known, errors: &mut FormErrors, field: &str, kind: &str, value: &str) -> Option<Peer> {
    match kind {
        "workload" => errors.take(field, known.peer_of(value)),
        "same-namespace" => Some(Peer::SameNamespace),
        "namespace" => errors
            .take(field, dns_label(value, "Enter the name of a namespace, for example shop-staging."))
            .map(Peer::Namespace),
        "pods" => errors.take(field, labelled_pods(value)),
        "addresses" => {
            let blocks: Result<Vec<Cidr>, _> = value.split(',').map(str::parse).collect();
            errors.take(field, blocks).map(Peer::Addresses)
        }
        _ => {
            errors.add(field, "Choose what this is: a workload, a namespace, pods or addresses.");
            None
        }
    }
}

/// `app=web`, or `app=web in shop` for pods of another namespace.
fn labelled_pods(text: &str) -> Result<Peer, String> {
    let (labels, namespace) = match text.rsplit_once(" in ") {
        Some((labels, namespace)) => (
            labels,
            Some(dns_label(namespace, "Behind 'in' stands the name of a namespace, for example: app=web in shop.")?),
        ),
        None => (text, None),
    };
    let labels: PodLabels = labels.parse().map_err(|error: review::AnswersError| error.to_string())?;
    Ok(Peer::Pods { namespace, labels })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destinations(kind: &str, value: &str, ports: &str) -> (Option<Vec<Opening>>, Vec<String>) {
        let form =
            DestinationsForm { rows: PeerRows::default().with(kind, value, ports), ..DestinationsForm::default() };
        let mut errors = FormErrors::default();
        let openings = form.check(&Known::default(), &mut errors);
        (openings, errors.all().iter().map(|error| error.field.clone()).collect())
    }

    #[test]
    fn a_port_without_a_destination_is_not_dropped() {
        assert_eq!(destinations("workload", "", "5432").1, ["value-0"]);
        assert_eq!(destinations("workload", "", "").0, Some(Vec::new()));
    }

    #[test]
    fn the_whole_internet_is_no_row_however_it_is_written() {
        for blocks in ["0.0.0.0/0", "0.0.0.0/1, 128.0.0.0/1", "::/0", "2000::/3"] {
            assert_eq!(destinations("addresses", blocks, "443").1, ["value-0"], "{blocks}");
        }
        assert!(destinations("addresses", "203.0.113.0/24", "443").1.is_empty());
    }

    #[test]
    fn a_destination_needs_a_port_and_a_source_does_not() {
        assert_eq!(destinations("namespace", "pay", "").1, ["ports-0"]);
        let sources = SourcesForm { rows: PeerRows::default().with("namespace", "pay", ""), ..SourcesForm::default() };
        assert_eq!(sources.check(&Known::default(), &mut FormErrors::default()).unwrap().len(), 1);
    }

    #[test]
    fn namespaces_of_the_platform_may_be_reached_though_not_created() {
        let openings = destinations("namespace", "kube-system", "443").0.unwrap();
        assert_eq!(openings[0].peer, Peer::Namespace("kube-system".into()));
    }

    #[test]
    fn pods_of_another_namespace_are_named_with_it() {
        let peer = |text: &str| labelled_pods(text);
        assert_eq!(peer("app=web").unwrap(), Peer::Pods { namespace: None, labels: "app=web".parse().unwrap() });
        let elsewhere = Peer::Pods { namespace: Some("pay".into()), labels: "app=web,tier=a".parse().unwrap() };
        assert_eq!(peer("app=web, tier=a in pay").unwrap(), elsewhere);
        assert!(peer("app=web in Not A Name").is_err());
    }

    #[test]
    fn several_addresses_may_stand_in_one_row() {
        let openings = destinations("addresses", "203.0.113.0/24, 198.51.100.7", "443").0.unwrap();
        assert!(matches!(&openings[0].peer, Peer::Addresses(blocks) if blocks.len() == 2));
        assert_eq!(destinations("addresses", "203.0.113.0/24, db.example.com", "443").1, ["value-0"]);
    }

    #[test]
    fn the_internet_is_opened_only_for_a_reason() {
        let form = DestinationsForm { internet: "yes".into(), ..DestinationsForm::default() };
        let mut errors = FormErrors::default();
        assert_eq!(form.check(&Known::default(), &mut errors), None);
        assert!(errors.of("internet_reason").is_some());
        let form = DestinationsForm { internet_reason: "Calls  payment\nproviders".into(), ..form };
        let openings = form.check(&Known::default(), &mut FormErrors::default()).unwrap();
        assert_eq!(openings[0].peer, Peer::Internet { reason: "Calls payment providers".into() });
    }

    #[test]
    fn every_pod_of_this_namespace_needs_no_value() {
        let openings = destinations("same-namespace", "", "80").0.unwrap();
        assert_eq!(openings[0].peer, Peer::SameNamespace);
    }

    #[test]
    fn rows_are_added_and_taken_away_whole() {
        let rows = PeerRows::default().with("namespace", "a", "1").with("namespace", "b", "2");
        assert_eq!(rows.clone().without(0).row(0), ("namespace", "b", "2"));
        assert_eq!(rows.clone().without(9).len(), 2);
        assert_eq!(rows.clone().with("workload", "", "").filled(), rows);
    }
}
