//! How many connections there may be.

use super::reader::Reader;
use crate::connections::ConnectionLimits;
use ipnet::IpNet;
use std::net::IpAddr;
use std::time::Duration;

const AT_ONCE: usize = 512;

/// A browser sends the head of a request at once, and the largest form in a few seconds.
const HEAD: Duration = Duration::from_secs(10);
const BODY: Duration = Duration::from_secs(30);

/// Longer than any link stands still that still works.
const UNREAD: Duration = Duration::from_secs(30);

impl ConnectionLimits {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let most = reader.count("FAIRWAY_CONNECTIONS", "1024");
        let most_of_an_address = reader.count("FAIRWAY_CONNECTIONS_PER_ADDRESS", "256");
        let trusted_proxies = proxies(reader, "FAIRWAY_TRUSTED_PROXIES");
        Some(Self {
            most: most?,
            most_of_an_address: most_of_an_address?,
            trusted_proxies,
            at_once: AT_ONCE,
            head: HEAD,
            body: BODY,
            unread: UNREAD,
        })
    }
}

/// Addresses and blocks of them, separated by commas.
fn proxies(reader: &mut Reader<'_>, name: &str) -> Vec<IpNet> {
    let given = reader.optional(name).unwrap_or_default();
    let mut proxies = Vec::new();
    for text in given.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        match text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            Ok(block) => proxies.push(block),
            Err(_) => reader.mistake(format!(
                "{name} holds {text}, which is neither an address nor a block of them, such as 10.0.0.0/8"
            )),
        }
    }
    proxies
}
