//! What a person wants to run, checked field by field.

use crate::address_block::Block;
use crate::image::ImageRef;
use crate::names::{is_label_key, is_label_value};
use crate::selector::Labels;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// What kind of workload to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Runs all the time, in several copies.
    Deployment {
        /// How many copies.
        replicas: u32,
    },
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
pub struct Port {
    /// 1 to 65535.
    pub number: u16,
    /// The protocol.
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
        "Enter one address like 203.0.113.10, or a range like 203.0.113.0/24. Names of hosts are not possible: policies know addresses only."
    )]
    Cidr,
    /// A range that does not begin where its length says.
    #[error(
        "This range begins in its middle. Write one address without the part behind the slash, or the range with its first address, like 203.0.113.0/24."
    )]
    CidrHostBits,
    /// Not labels.
    #[error("Labels look like app=web, several parted by commas.")]
    Labels,
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
#[serde(transparent)]
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

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Labels that pick pods; at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PodLabels(pub(super) Labels);

impl FromStr for PodLabels {
    type Err = AnswersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let labels = text
            .split(',')
            .map(|pair| {
                let (key, value) = pair.trim().split_once('=')?;
                (is_label_key(key) && is_label_value(value)).then(|| (key.to_owned(), value.to_owned()))
            })
            .collect::<Option<Labels>>();
        labels.filter(|labels| !labels.is_empty()).map(Self).ok_or(AnswersError::Labels)
    }
}

impl fmt::Display for PodLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&pairs.join(","))
    }
}

/// Who may open connections to the workload's ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IngressPeer {
    /// Every pod of the same namespace.
    SameNamespace,
    /// Every pod of another namespace.
    Namespace(String),
    /// Pods with these labels in the same namespace.
    Pods(PodLabels),
    /// Addresses.
    Addresses(Cidr),
}

/// What the workload may open connections to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressPeer {
    /// The other end; the same choices as for ingress.
    pub peer: IngressPeer,
    /// The ports there; never empty.
    pub ports: Vec<Port>,
}

/// What a person wants to run, checked field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// Where it runs.
    pub namespace: String,
    /// Its name, a DNS label.
    pub name: String,
    /// What kind of workload.
    pub kind: Kind,
    /// The image.
    pub image: ImageRef,
    /// The image as written.
    pub image_text: String,
    /// Command and arguments; empty means the image's own.
    pub command: Vec<String>,
    /// Ports it listens on.
    pub ports: Vec<Port>,
    /// Who may reach those ports.
    pub ingress: Vec<IngressPeer>,
    /// What it may reach.
    pub egress: Vec<EgressPeer>,
    /// Whether it may look up names.
    pub dns: bool,
    /// CPU request in thousandths of a core.
    pub cpu_millis: u32,
    /// Memory request and limit in MiB.
    pub memory_mib: u32,
    /// Numeric user, never 0.
    pub run_as_user: u32,
    /// Whether the image's own files stay read-only; `/tmp` is writable all the same.
    pub read_only_root: bool,
}
