//! Functions of addresses (OPA 1.17, v1/topdown/cidr.go).

use super::term::Term;
use super::{Answer, Unsure};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Blocks of more addresses no policy takes apart.
const MOST_BITS: u32 = 16;

enum Address {
    Block(IpNet),
    Single(IpAddr),
}

impl Address {
    fn of(term: &Term) -> Result<Option<Self>, Unsure> {
        let Term::String(text) = term else { return Ok(None) };
        if is_unusual(text) {
            return Err(Unsure("an address that is written in an unusual way"));
        }
        if let Ok(block) = text.parse::<IpNet>() {
            return Ok(Some(Self::Block(block.trunc())));
        }
        match text.parse() {
            Ok(address) => Ok(Some(Self::Single(address))),
            Err(_) => Ok(None),
        }
    }
}

/// Zeros before a number, which Go and the crate read otherwise, and IPv4 within IPv6, which Go takes for IPv4.
fn is_unusual(text: &str) -> bool {
    let has_zero =
        |part: &str| part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit());
    let address = text.split('/').next().and_then(|address| address.parse::<Ipv6Addr>().ok());
    address.is_some_and(|address| address.to_ipv4_mapped().is_some())
        || (text.contains('.') && text.split(['.', '/']).any(has_zero))
        || text.split_once('/').is_some_and(|(_, length)| has_zero(length) || length.starts_with('+'))
}

pub(super) fn cidr_contains(arguments: &[Term]) -> Answer {
    let (Some(Address::Block(block)), Some(other)) = (Address::of(&arguments[0])?, Address::of(&arguments[1])?) else {
        return Ok(None);
    };
    Ok(Some(Term::Bool(match other {
        Address::Block(other) => block.contains(&other),
        Address::Single(address) => block.contains(&address),
    })))
}

pub(super) fn cidr_intersects(arguments: &[Term]) -> Answer {
    match (Address::of(&arguments[0])?, Address::of(&arguments[1])?) {
        (Some(Address::Block(one)), Some(Address::Block(two))) => {
            Ok(Some(Term::Bool(one.contains(&two) || two.contains(&one))))
        }
        _ => Ok(None),
    }
}

/// All addresses of a block, its first and its last with them.
pub(super) fn cidr_expand(arguments: &[Term]) -> Answer {
    let Some(Address::Block(block)) = Address::of(&arguments[0])? else { return Ok(None) };
    let bits = u32::from(block.max_prefix_len() - block.prefix_len());
    if bits > MOST_BITS {
        return Err(Unsure("a block of many addresses"));
    }
    let first = match block.network() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let addresses = (first..=first + ((1 << bits) - 1)).map(|bits| match block {
        // No larger than the block, whose addresses have 32 bits.
        IpNet::V4(_) => Ipv4Addr::from_bits(bits as u32).to_string(),
        IpNet::V6(_) => Ipv6Addr::from_bits(bits).to_string(),
    });
    Ok(Some(Term::Set(addresses.map(Term::String).collect())))
}

/// The fewest blocks that hold the same addresses.
pub(super) fn cidr_merge(arguments: &[Term]) -> Answer {
    let terms: Vec<&Term> = match &arguments[0] {
        Term::Array(items) => items.iter().collect(),
        Term::Set(items) => items.iter().collect(),
        _ => return Ok(None),
    };
    let mut blocks = Vec::new();
    for term in terms {
        match Address::of(term)? {
            Some(Address::Block(block)) => blocks.push(block),
            Some(Address::Single(_)) => return Err(Unsure("merging single addresses")),
            None => return Ok(None),
        }
    }
    let merged = IpNet::aggregate(&blocks);
    Ok(Some(Term::Set(merged.into_iter().map(|block| Term::String(block.to_string())).collect())))
}
