//! The wizard's forms: what was typed, and the checked answers it becomes.

use crate::form::FormErrors;
use crate::namespaces::is_dns_label;
use review::{Answers, Cidr, EgressPeer, ImageRef, IngressPeer, Kind, PodLabels, Port};
use serde::{Deserialize, Serialize};

/// The steps, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// What runs.
    Workload,
    /// Who may reach it and what it may reach.
    Network,
    /// Resources and security.
    Resources,
    /// The review.
    Review,
}

impl Step {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Workload, Self::Network, Self::Resources, Self::Review];

    /// As in the address.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Network => "network",
            Self::Resources => "resources",
            Self::Review => "review",
        }
    }

    /// From the address.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.slug() == slug)
    }

    /// As on the page.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Workload => "What runs",
            Self::Network => "Network",
            Self::Resources => "Resources and security",
            Self::Review => "Review",
        }
    }

    /// Place, from 1.
    #[must_use]
    pub fn number(self) -> usize {
        Self::ALL.iter().position(|step| *step == self).unwrap_or_default() + 1
    }

    /// The one after this.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::ALL.get(self.number()).copied()
    }
}

/// Everything typed so far, over all steps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DraftForm {
    /// First step.
    pub workload: WorkloadForm,
    /// Second step.
    pub network: NetworkForm,
    /// Third step.
    pub resources: ResourcesForm,
    /// Steps that were sent without an error.
    pub done: Vec<String>,
}

impl DraftForm {
    /// The steps a person may open: those done, and the first that is not.
    #[must_use]
    pub fn may_open(&self, step: Step) -> bool {
        Step::ALL.into_iter().take(step.number() - 1).all(|earlier| self.is_done(earlier))
    }

    /// Whether a step was sent without an error.
    #[must_use]
    pub fn is_done(&self, step: Step) -> bool {
        self.done.iter().any(|slug| slug == step.slug())
    }

    /// Notes whether a step was sent without an error.
    pub fn set_done(&mut self, step: Step, done: bool) {
        self.done.retain(|slug| slug != step.slug());
        if done {
            self.done.push(step.slug().to_owned());
        }
    }

    /// The answers, or what is wrong with them.
    ///
    /// # Errors
    /// All errors of all steps.
    pub fn answers(&self) -> Result<Answers, FormErrors> {
        let mut errors = FormErrors::default();
        let workload = self.workload.check(&mut errors);
        let network = self.network.check(&mut errors);
        let resources = self.resources.check(&mut errors);
        let (Some(workload), Some(network), Some(resources), true) = (workload, network, resources, errors.is_empty())
        else {
            return Err(errors);
        };
        Ok(Answers {
            namespace: workload.namespace,
            name: workload.name,
            kind: workload.kind,
            image: workload.image,
            image_text: self.workload.image.trim().to_owned(),
            command: workload.command,
            ports: workload.ports,
            ingress: network.ingress,
            egress: network.egress,
            dns: network.dns,
            cpu_millis: resources.cpu_millis,
            memory_mib: resources.memory_mib,
            run_as_user: resources.run_as_user,
            read_only_root: resources.read_only_root,
        })
    }
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkloadForm {
    /// Where.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `deployment`, `job` or `pod`.
    pub kind: String,
    /// How many copies.
    pub replicas: String,
    /// The image.
    pub image: String,
    /// The command.
    pub command: String,
    /// Ports, parted by commas.
    pub ports: String,
}

impl Default for WorkloadForm {
    fn default() -> Self {
        Self {
            namespace: String::new(),
            name: String::new(),
            kind: "deployment".to_owned(),
            replicas: "2".to_owned(),
            image: String::new(),
            command: String::new(),
            ports: String::new(),
        }
    }
}

/// [`WorkloadForm`], checked.
pub struct CheckedWorkload {
    /// Where.
    pub namespace: String,
    name: String,
    kind: Kind,
    image: ImageRef,
    command: Vec<String>,
    ports: Vec<Port>,
}

impl WorkloadForm {
    /// Checks it, adding what is wrong to `errors`.
    pub fn check(&self, errors: &mut FormErrors) -> Option<CheckedWorkload> {
        let namespace = errors.take("namespace", dns_label(&self.namespace, "Choose the namespace it runs in."));
        let name = errors.take(
            "name",
            dns_label(
                &self.name,
                "Enter a name of lower-case letters, digits and '-', at most 63 long, for example web.",
            ),
        );
        let kind = self.check_kind(errors);
        let image = errors.take("image", self.image.trim().parse());
        let command = errors.take("command", split_command(&self.command));
        let ports = errors.take("ports", parse_ports(&self.ports));
        Some(CheckedWorkload {
            namespace: namespace?,
            name: name?,
            kind: kind?,
            image: image?,
            command: command?,
            ports: ports?,
        })
    }

    fn check_kind(&self, errors: &mut FormErrors) -> Option<Kind> {
        match self.kind.as_str() {
            "deployment" => match self.replicas.trim().parse() {
                Ok(replicas @ 1..=100) => Some(Kind::Deployment { replicas }),
                _ => {
                    errors.add("replicas", "Enter how many copies run, from 1 to 100.");
                    None
                }
            },
            "job" => Some(Kind::Job),
            "pod" => Some(Kind::Pod),
            _ => {
                errors.add("kind", "Choose what kind of workload it is.");
                None
            }
        }
    }
}

fn dns_label(text: &str, message: &'static str) -> Result<String, &'static str> {
    let text = text.trim();
    if is_dns_label(text) { Ok(text.to_owned()) } else { Err(message) }
}

fn parse_ports(text: &str) -> Result<Vec<Port>, review::AnswersError> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse).collect()
}

/// Splits a command as a shell would, as far as quotes go; nothing is expanded.
fn split_command(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("A quotation mark in the command is not closed.") } else { Ok(words) }
}

/// Who may reach it, and what it may reach. The lists run in parallel: one entry a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkForm {
    /// Kind of each ingress row.
    pub ingress_kind: Vec<String>,
    /// Its value.
    pub ingress_value: Vec<String>,
    /// `yes` where names may be looked up.
    pub dns: String,
    /// Kind of each egress row.
    pub egress_kind: Vec<String>,
    /// Its value.
    pub egress_value: Vec<String>,
    /// Its ports.
    pub egress_ports: Vec<String>,
}

impl Default for NetworkForm {
    fn default() -> Self {
        Self {
            ingress_kind: Vec::new(),
            ingress_value: Vec::new(),
            dns: "yes".to_owned(),
            egress_kind: Vec::new(),
            egress_value: Vec::new(),
            egress_ports: Vec::new(),
        }
    }
}

/// [`NetworkForm`], checked.
pub struct CheckedNetwork {
    ingress: Vec<IngressPeer>,
    egress: Vec<EgressPeer>,
    dns: bool,
}

fn at(list: &[String], index: usize) -> &str {
    list.get(index).map_or("", |text| text.trim())
}

impl NetworkForm {
    /// Checks it, adding what is wrong to `errors`. Rows without a kind and a value are passed over.
    pub fn check(&self, errors: &mut FormErrors) -> Option<CheckedNetwork> {
        let before = errors.all().len();
        let ingress = (0..self.ingress_kind.len())
            .filter_map(|index| {
                check_peer(
                    errors,
                    &format!("ingress_value-{index}"),
                    at(&self.ingress_kind, index),
                    at(&self.ingress_value, index),
                )
            })
            .collect();
        let egress = (0..self.egress_kind.len()).filter_map(|index| self.check_egress(errors, index)).collect();
        (errors.all().len() == before).then(|| CheckedNetwork { ingress, egress, dns: self.dns == "yes" })
    }

    fn check_egress(&self, errors: &mut FormErrors, index: usize) -> Option<EgressPeer> {
        let (kind, value) = (at(&self.egress_kind, index), at(&self.egress_value, index));
        let only_ports = kind.is_empty() && value.is_empty() && !at(&self.egress_ports, index).is_empty();
        if only_ports {
            errors.add(format!("egress_value-{index}"), "Say where these ports are: pods, a namespace or addresses.");
            return None;
        }
        let peer = check_peer(errors, &format!("egress_value-{index}"), kind, value)?;
        let field = format!("egress_ports-{index}");
        let ports = errors.take(&field, parse_ports(at(&self.egress_ports, index)))?;
        if ports.is_empty() {
            errors.add(field, "Enter the port it connects to there, for example 5432.");
            return None;
        }
        Some(EgressPeer { peer, ports })
    }

    /// The same form with one more empty row for the person to fill in.
    #[must_use]
    pub fn with_row(mut self, list: &str) -> Self {
        match list {
            "ingress" => {
                self.ingress_kind.push(String::new());
                self.ingress_value.push(String::new());
            }
            _ => {
                self.egress_kind.push(String::new());
                self.egress_value.push(String::new());
                self.egress_ports.push(String::new());
            }
        }
        self
    }
}

fn check_peer(errors: &mut FormErrors, field: &str, kind: &str, value: &str) -> Option<IngressPeer> {
    match kind {
        "" if value.is_empty() => None,
        "same-namespace" => Some(IngressPeer::SameNamespace),
        "namespace" => errors
            .take(field, dns_label(value, "Enter the name of a namespace, for example shop-staging."))
            .map(IngressPeer::Namespace),
        "pods" => errors.take(field, value.parse::<PodLabels>()).map(IngressPeer::Pods),
        "addresses" => errors.take(field, value.parse::<Cidr>()).map(IngressPeer::Addresses),
        _ => {
            errors.add(field, "Choose what this is: pods, a namespace or addresses.");
            None
        }
    }
}

/// Resources and security.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourcesForm {
    /// Thousandths of a core.
    pub cpu: String,
    /// MiB.
    pub memory: String,
    /// Numeric user.
    pub run_as_user: String,
    /// `yes` where the image's files stay read-only.
    pub read_only_root: String,
}

impl Default for ResourcesForm {
    fn default() -> Self {
        Self {
            cpu: "100".to_owned(),
            memory: "128".to_owned(),
            run_as_user: "10001".to_owned(),
            read_only_root: "yes".to_owned(),
        }
    }
}

/// [`ResourcesForm`], checked.
pub struct CheckedResources {
    cpu_millis: u32,
    memory_mib: u32,
    run_as_user: u32,
    read_only_root: bool,
}

impl ResourcesForm {
    /// Checks it, adding what is wrong to `errors`.
    pub fn check(&self, errors: &mut FormErrors) -> Option<CheckedResources> {
        // The units that manifests write are understood, where they are the ones meant.
        let mut number = |field: &str, text: &str, unit: &str, range: std::ops::RangeInclusive<u32>, message: &str| {
            let text = text.trim();
            let parsed = text.strip_suffix(unit).unwrap_or(text).parse().ok().filter(|number| range.contains(number));
            errors.take(field, parsed.ok_or(message))
        };
        let cpu = number(
            "cpu",
            &self.cpu,
            "m",
            1..=64_000,
            "Enter thousandths of a core, from 1 to 64000; 100 is a tenth of a core.",
        );
        let memory = number("memory", &self.memory, "Mi", 4..=524_288, "Enter mebibytes, from 4 to 524288.");
        let user = number(
            "run_as_user",
            &self.run_as_user,
            "",
            1..=2_147_483_647,
            "Enter a number above 0: 0 is root, and names cannot be checked. Above 10000 is best.",
        );
        Some(CheckedResources {
            cpu_millis: cpu?,
            memory_mib: memory?,
            run_as_user: user?,
            read_only_root: self.read_only_root == "yes",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> DraftForm {
        let workload = WorkloadForm {
            namespace: "shop".into(),
            name: "web".into(),
            image: "harbor.example.com/shop/web:1".into(),
            ports: "8080, UDP 53".into(),
            ..WorkloadForm::default()
        };
        DraftForm { workload, ..DraftForm::default() }
    }

    fn errors(form: &DraftForm) -> Vec<String> {
        form.answers().unwrap_err().all().iter().map(|error| error.field.clone()).collect()
    }

    #[test]
    fn the_defaults_need_only_a_name_a_namespace_and_an_image() {
        let answers = valid().answers().unwrap();
        assert_eq!(answers.ports.len(), 2);
        assert!(answers.dns && answers.read_only_root);
        assert_eq!(errors(&DraftForm::default()), ["namespace", "name", "image"]);
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let mut form = valid();
        form.workload.replicas = "many".into();
        form.workload.ports = "http".into();
        form.resources.run_as_user = "0".into();
        form.network.egress_kind = vec!["addresses".into()];
        form.network.egress_value = vec!["10.0.0".into()];
        assert_eq!(errors(&form), ["replicas", "ports", "egress_value-0", "run_as_user"]);
    }

    #[test]
    fn units_as_in_manifests_are_understood() {
        let mut form = valid();
        form.resources.cpu = "250m".into();
        form.resources.memory = "64Mi".into();
        let answers = form.answers().unwrap();
        assert_eq!((answers.cpu_millis, answers.memory_mib), (250, 64));
        form.resources.memory = "1Gi".into();
        assert_eq!(errors(&form), ["memory"]);
    }

    #[test]
    fn a_port_without_a_destination_is_not_dropped() {
        let mut form = valid();
        form.network = form.network.with_row("egress");
        form.network.egress_ports = vec!["5432".into()];
        assert_eq!(errors(&form), ["egress_value-0"]);
    }

    #[test]
    fn an_egress_row_needs_a_port_and_an_empty_row_is_passed_over() {
        let mut form = valid();
        form.network = form.network.with_row("ingress").with_row("egress");
        assert!(form.answers().is_ok());
        form.network.egress_kind = vec!["same-namespace".into()];
        assert_eq!(errors(&form), ["egress_ports-0"]);
    }

    #[test]
    fn namespaces_of_the_platform_may_be_reached_though_not_created() {
        let mut form = valid();
        form.network.ingress_kind = vec!["namespace".into()];
        form.network.ingress_value = vec!["kube-system".into()];
        assert_eq!(form.answers().unwrap().ingress, [IngressPeer::Namespace("kube-system".into())]);
    }

    #[test]
    fn commands_are_split_as_a_shell_would() {
        assert_eq!(split_command(r#"sh -c "echo 'a b'" ''"#).unwrap(), ["sh", "-c", "echo 'a b'", ""]);
        assert!(split_command("echo 'open").is_err());
    }

    #[test]
    fn a_step_opens_when_those_before_it_are_done() {
        let mut form = DraftForm::default();
        assert!(form.may_open(Step::Workload) && !form.may_open(Step::Network));
        form.set_done(Step::Workload, true);
        assert!(form.may_open(Step::Network) && !form.may_open(Step::Review));
    }
}
