//! Blocks of addresses in CIDR notation (RFC 4632, RFC 4291).

use ipnet::IpNet;
use rangemap::RangeInclusiveSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    V4,
    V6,
}

/// Both of them.
pub(crate) const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

impl Family {
    pub(crate) fn last(self) -> u128 {
        match self {
            Self::V4 => u32::MAX.into(),
            Self::V6 => u128::MAX,
        }
    }

    /// The addresses that the internet has: of IPv6, global unicast (RFC 4291, 2.4; 2000::/3).
    pub(crate) fn public(self) -> RangeInclusive<u128> {
        match self {
            Self::V4 => 0..=self.last(),
            Self::V6 => (1 << 125)..=((1 << 126) - 1),
        }
    }

    /// An address as people write it.
    pub(crate) fn write(self, address: u128) -> String {
        match self {
            Self::V4 => Ipv4Addr::from(u32::try_from(address).unwrap_or(u32::MAX)).to_string(),
            Self::V6 => Ipv6Addr::from(address).to_string(),
        }
    }
}

/// First and last address of a block, both in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) family: Family,
    pub(crate) first: u128,
    pub(crate) last: u128,
}

impl Block {
    /// Reads `10.0.0.0/8`; bits behind the prefix are passed over, as Kubernetes does.
    pub(crate) fn parse(cidr: &str) -> Option<Self> {
        cidr.parse().ok().map(Self::of)
    }

    /// The block of that prefix length around an address; nothing where the prefix is too long.
    pub(crate) fn around(address: IpAddr, length: u8) -> Option<Self> {
        IpNet::new(address, length).ok().map(Self::of)
    }

    fn of(net: IpNet) -> Self {
        let ((family, first), (_, last)) = (number(net.network()), number(net.broadcast()));
        Self { family, first, last }
    }

    /// Whether it is every address of its family.
    pub(crate) fn is_everything(&self) -> bool {
        self.first == 0 && self.last == self.family.last()
    }

    /// The addresses of it that are left without some parts.
    pub(crate) fn without(&self, parts: impl IntoIterator<Item = Self>) -> AddressRanges {
        let mut left = AddressRanges::from_iter([self.addresses()]);
        for part in parts.into_iter().filter(|part| part.family == self.family) {
            left.remove(part.addresses());
        }
        left
    }

    fn addresses(&self) -> RangeInclusive<u128> {
        self.first..=self.last
    }

    /// Whether an address is in it.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let (family, address) = number(address);
        family == self.family && self.addresses().contains(&address)
    }

    /// Whether it begins with this address.
    pub(crate) fn begins_with(&self, address: IpAddr) -> bool {
        (self.family, self.first) == number(address)
    }

    /// Whether `part` lies in it and is smaller.
    pub(crate) fn holds_less(&self, part: &Self) -> bool {
        self.family == part.family && self.first <= part.first && part.last <= self.last && self != part
    }
}

/// Addresses of one family.
pub(crate) type AddressRanges = RangeInclusiveSet<u128>;

/// How many addresses there are, less one, so that all of IPv6 can be counted; nothing where there is none.
pub(crate) fn count_less_one(ranges: &AddressRanges) -> Option<u128> {
    // Ranges that are kept apart have a gap between them, so only one alone can hold every address.
    ranges.iter().map(|range| range.end() - range.start()).reduce(|held, more| held + more + 1)
}

fn number(address: IpAddr) -> (Family, u128) {
    match address {
        IpAddr::V4(address) => (Family::V4, u32::from(address).into()),
        IpAddr::V6(address) => (Family::V6, address.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_a_first_and_a_last_address() {
        let block = Block::parse("10.1.2.3/8").unwrap();
        assert_eq!(
            (block.family.write(block.first), block.family.write(block.last)),
            ("10.0.0.0".into(), "10.255.255.255".into())
        );
        let everything = Block::parse("::/0").unwrap();
        assert_eq!((everything.first, everything.last), (0, u128::MAX));
        for text in ["10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0/8", "a/8", "10.0.0.0/x"] {
            assert_eq!(Block::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ranges_are_counted_once_and_without_what_is_left_out() {
        let block = |text: &str| Block::parse(text).unwrap();
        let ten = block("10.0.0.0/8");
        assert_eq!(ten.without([block("10.0.0.0/9"), block("11.0.0.0/8"), block("::/0")]).iter().count(), 1);
        assert!(ten.without([block("0.0.0.0/0")]).is_empty());
        let all = block("0.0.0.0/0");
        let mut ranges = all.without([ten]);
        assert_eq!(count_less_one(&ranges), Some((1 << 32) - (1 << 24) - 1));
        ranges.extend([0..=5, 3..=9]);
        assert_eq!(count_less_one(&ranges), Some((1 << 32) - (1 << 24) - 1));
        ranges.insert(ten.addresses());
        assert_eq!(count_less_one(&ranges), Some(all.last));
        assert_eq!(count_less_one(&AddressRanges::from_iter([0..=u128::MAX, 7..=9])), Some(u128::MAX));
        assert_eq!(count_less_one(&AddressRanges::new()), None);
    }

    #[test]
    fn families_do_not_mix() {
        let all = Block::parse("0.0.0.0/0").unwrap();
        assert!(all.contains("169.254.169.254".parse().unwrap()));
        assert!(!all.contains("::1".parse().unwrap()));
        assert!(!all.holds_less(&Block::parse("::/128").unwrap()));
    }
}
