//! Where a request comes from.

use axum::extract::Request;
use axum::http::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The address at the other end of the connection, which may be a proxy's.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub IpAddr);

/// The address that counts for limits: the client's, as far as trusted proxies vouch for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// Each proxy adds to the end of `X-Forwarded-For` whom it got the request from, so what counts is the last one that
    /// is no trusted proxy. Whatever stands before it, anybody may have sent.
    #[must_use]
    pub fn of(request: &Request, trusted_proxies: &[IpNet]) -> Option<Self> {
        let PeerAddress(peer) = *request.extensions().get()?;
        Some(Self(shared_address(forwarded_for(peer, request.headers(), trusted_proxies))))
    }
}

fn forwarded_for(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted_proxies.iter().any(|proxies| proxies.contains(address));
    let lists: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|list| list.to_str().ok()).collect();
    let mut address = peer;
    for hop in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
        if !is_trusted(&address) {
            break;
        }
        let Some(before) = address_of(hop.trim()) else { break };
        address = before.to_canonical();
    }
    address
}

/// Some proxies write the port as well.
fn address_of(hop: &str) -> Option<IpAddr> {
    hop.parse().or_else(|_| hop.parse::<SocketAddr>().map(|hop| hop.ip())).ok()
}

/// The address that shares its limits with this one: whoever has one IPv6 address has a whole /64 of them.
#[must_use]
pub fn shared_address(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn address(peer: &str, lists: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append("x-forwarded-for", HeaderValue::from_str(list).unwrap());
        }
        forwarded_for(peer.parse().unwrap(), &headers, &["10.0.0.0/8".parse().unwrap()]).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(address("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["198.51.100.1", "10.0.0.2"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["198.51.100.1:4711, [::ffff:10.0.0.2]:80"]), "198.51.100.1");
    }

    #[test]
    fn what_the_client_itself_sent_does_not_count() {
        assert_eq!(address("10.0.0.1", &["192.0.2.7, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["10.0.0.9, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["198.51.100.1, nonsense"]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_network_of_ipv6_shares_its_limits_and_ipv4_is_known_in_both_forms() {
        let of = |text: &str| shared_address(text.parse::<IpAddr>().unwrap().to_canonical());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.1.2.3"), of("10.1.2.3"));
        assert_ne!(of("10.1.2.3"), of("10.1.2.4"));
    }
}
