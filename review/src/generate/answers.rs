//! What a person wants to run, checked field by field.

use super::{Variable, Volume};
use crate::address_block::Block;
use crate::image::ImageRef;
use crate::names::{is_label_key, is_label_value};
use crate::selector::Labels;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The name that a workload goes by.
const NAME_LABEL: &str = "app.kubernetes.io/name";

/// What kind of workload to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Runs all the time, in several copies.
    Deployment { replicas: u32 },
    /// Runs until it is done.
    Job,
    /// A single pod that nothing restarts elsewhere.
    Pod,
}

/// Transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A port number with its protocol, written `8080` or `UDP 53`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Port {
    /// 1 to 65535.
    pub number: u16,
    pub protocol: Protocol,
}

/// Why an answer cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswersError {
    /// Not a port.
    #[error("A port is a number from 1 to 65535, with UDP before it if it is not TCP, for example: 8080 or UDP 53.")]
    Port,
    /// Not addresses.
    #[error(
        "Enter one address like 203.0.113.10, or a range like 203.0.113.0/24. Names of hosts are not possible: \
         policies know addresses only."
    )]
    Cidr,
    /// A range that does not begin where its length says.
    #[error(
        "This range begins in its middle. Write one address without the part behind the slash, or the range with its \
         first address, like 203.0.113.0/24."
    )]
    CidrHostBits,
    /// Not labels.
    #[error("Labels look like app=web, several parted by commas.")]
    Labels,
}

impl Port {
    /// From a port of a container; nothing for protocols other than TCP and UDP.
    pub(crate) fn of_container(port: &Value) -> Option<Self> {
        let protocol = match port["protocol"].as_str() {
            None | Some("TCP") => Protocol::Tcp,
            Some("UDP") => Protocol::Udp,
            Some(_) => return None,
        };
        let number = u16::try_from(port["containerPort"].as_u64()?).ok().filter(|number| *number > 0)?;
        Some(Self { number, protocol })
    }
}

impl FromStr for Port {
    type Err = AnswersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.trim().to_ascii_uppercase();
        let (protocol, number) = match upper.split_once([' ', '/']) {
            None => (Protocol::Tcp, upper.as_str()),
            Some(("TCP", number)) | Some((number, "TCP")) => (Protocol::Tcp, number),
            Some(("UDP", number)) | Some((number, "UDP")) => (Protocol::Udp, number),
            Some(_) => return Err(AnswersError::Port),
        };
        match number.trim().parse() {
            Ok(number) if number > 0 => Ok(Self { number, protocol }),
            _ => Err(AnswersError::Port),
        }
    }
}

impl Protocol {
    /// As manifests write it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

impl TryFrom<String> for Port {
    type Error = AnswersError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Port> for String {
    fn from(port: Port) -> Self {
        port.to_string()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            Protocol::Tcp => write!(f, "{}", self.number),
            Protocol::Udp => write!(f, "UDP {}", self.number),
        }
    }
}

/// Addresses in CIDR notation. Kubernetes also takes a range that begins in its middle; people who write one
/// mean either one address or a range, and get the range, so it is refused here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr(pub(super) String);

impl FromStr for Cidr {
    type Err = AnswersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, length) = match text.trim().split_once('/') {
            Some((address, length)) => (address, Some(length.parse().map_err(|_| AnswersError::Cidr)?)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| AnswersError::Cidr)?;
        let length = length.unwrap_or(if address.is_ipv4() { 32 } else { 128 });
        let block = Block::around(address, length).ok_or(AnswersError::Cidr)?;
        if !block.begins_with(address) {
            return Err(AnswersError::CidrHostBits);
        }
        Ok(Self(format!("{address}/{length}")))
    }
}

impl TryFrom<String> for Cidr {
    type Error = AnswersError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(block: Cidr) -> Self {
        block.0
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Labels that pick pods; at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Labels", into = "Labels")]
pub struct PodLabels(pub(super) Labels);

impl TryFrom<Labels> for PodLabels {
    type Error = AnswersError;

    fn try_from(labels: Labels) -> Result<Self, Self::Error> {
        let are_labels = labels.iter().all(|(key, value)| is_label_key(key) && is_label_value(value));
        if are_labels && !labels.is_empty() { Ok(Self(labels)) } else { Err(AnswersError::Labels) }
    }
}

impl From<PodLabels> for Labels {
    fn from(labels: PodLabels) -> Self {
        labels.0
    }
}

impl PodLabels {
    /// The label by which generated policies select generated pods
    /// (kubernetes.io/docs/concepts/overview/working-with-objects/common-labels).
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(Labels::from([(NAME_LABEL.to_owned(), name.to_owned())]))
    }

    /// Labels that an object has; nothing where there are none.
    pub(crate) fn new(labels: Labels) -> Option<Self> {
        (!labels.is_empty()).then_some(Self(labels))
    }
}

impl FromStr for PodLabels {
    type Err = AnswersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let labels = text
            .split(',')
            .map(|pair| {
                let (key, value) = pair.trim().split_once('=')?;
                Some((key.trim().to_owned(), value.trim().to_owned()))
            })
            .collect::<Option<Labels>>();
        labels.ok_or(AnswersError::Labels)?.try_into()
    }
}

impl fmt::Display for PodLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&pairs.join(","))
    }
}

/// The other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// Every pod of the same namespace.
    SameNamespace,
    /// Every pod of another namespace.
    Namespace(String),
    /// Pods with these labels.
    Pods {
        /// Where; nothing for the same namespace.
        namespace: Option<String>,
        /// All of them.
        labels: PodLabels,
    },
    /// Addresses; never empty.
    Addresses(Vec<Cidr>),
    /// Every public address, for a reason that is written into the policy.
    Internet {
        /// Why nothing narrower will do.
        reason: String,
    },
}

/// A way into the workload, or out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    pub peer: Peer,
    /// The ports of whoever is reached. On the way in, none means every port that the workload listens on; on the
    /// way out there is at least one.
    pub ports: Vec<Port>,
}

/// What a person wants to run, checked field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    pub namespace: String,
    /// The workload's name, a DNS label; its policy has the same.
    pub name: String,
    /// What its pods are selected by.
    pub labels: PodLabels,
    /// Ports it listens on.
    pub ports: Vec<Port>,
    pub ingress: Vec<Opening>,
    pub egress: Vec<Opening>,
    /// Whether it may look up names.
    pub dns: bool,
    /// The pods to write; nothing where they run already and only their policy is written.
    pub pods: Option<PodAnswers>,
}

/// What the pods of a new workload are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodAnswers {
    pub kind: Kind,
    pub image: ImageRef,
    pub image_text: String,
    /// Command and arguments; empty means the image's own.
    pub command: Vec<String>,
    pub environment: Vec<Variable>,
    pub volumes: Vec<Volume>,
    /// Whether a Service gives it a name and an address of its own. Without a port there is none.
    pub service: bool,
    /// CPU request in thousandths of a core.
    pub cpu_millis: u32,
    /// Memory request and limit in MiB.
    pub memory_mib: u32,
    /// Numeric user, never 0.
    pub run_as_user: u32,
    /// Whether the image's own files stay read-only; `/tmp` is writable all the same.
    pub read_only_root: bool,
}
