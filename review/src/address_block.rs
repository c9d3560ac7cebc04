//! Blocks of addresses in CIDR notation (RFC 4632, RFC 4291).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    V4,
    V6,
}

/// Both of them.
pub(crate) const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

impl Family {
    /// The highest address.
    pub(crate) fn last(self) -> u128 {
        match self {
            Self::V4 => u32::MAX.into(),
            Self::V6 => u128::MAX,
        }
    }

    /// An address as people write it.
    pub(crate) fn write(self, address: u128) -> String {
        match self {
            Self::V4 => Ipv4Addr::from(u32::try_from(address).unwrap_or(u32::MAX)).to_string(),
            Self::V6 => Ipv6Addr::from(address).to_string(),
        }
    }

    fn bits(self) -> u32 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
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
        let (address, length) = cidr.split_once('/')?;
        Self::around(address.parse().ok()?, length.parse().ok()?)
    }

    /// The block of that prefix length around an address; nothing where the prefix is too long.
    pub(crate) fn around(address: IpAddr, length: u32) -> Option<Self> {
        let (family, address) = number(address);
        let free = family.bits().checked_sub(length)?;
        let hosts = 1_u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
        Some(Self { family, first: address & !hosts, last: address | hosts })
    }

    /// Whether it is every address of its family.
    pub(crate) fn is_everything(&self) -> bool {
        self.first == 0 && self.last == self.family.last()
    }

    /// What is left of it without some parts, as first and last addresses.
    pub(crate) fn without(&self, parts: impl IntoIterator<Item = Self>) -> Vec<(u128, u128)> {
        let mut parts: Vec<Self> = parts.into_iter().filter(|part| part.family == self.family).collect();
        parts.sort_by_key(|part| part.first);
        let mut left = Vec::new();
        let mut next = Some(self.first);
        for part in parts {
            let Some(first) = next.filter(|first| *first <= self.last) else { break };
            if part.first > first {
                left.push((first, part.first.saturating_sub(1).min(self.last)));
            }
            next = part.last.checked_add(1).map(|after| after.max(first));
        }
        left.extend(next.filter(|first| *first <= self.last).map(|first| (first, self.last)));
        left
    }

    /// Whether an address is in it.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let (family, address) = number(address);
        family == self.family && (self.first..=self.last).contains(&address)
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

/// How many addresses ranges hold together, less one, so that all of IPv6 can be counted; nothing where they hold none.
pub(crate) fn last_of_union(mut ranges: Vec<(u128, u128)>) -> Option<u128> {
    ranges.sort_unstable();
    let mut held: Option<u128> = None;
    let mut covered: Option<u128> = None;
    for (first, last) in ranges {
        let first = covered.map_or(Some(first), |covered| covered.checked_add(1).map(|next| next.max(first)));
        let Some(first) = first.filter(|first| *first <= last) else { continue };
        held = Some(held.map_or(last - first, |held| held.saturating_add(last - first).saturating_add(1)));
        covered = Some(last);
    }
    held
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
        assert_eq!(ten.without([block("10.0.0.0/9"), block("11.0.0.0/8"), block("::/0")]).len(), 1);
        assert!(ten.without([block("0.0.0.0/0")]).is_empty());
        let all = block("0.0.0.0/0");
        let mut ranges = all.without([ten]);
        assert_eq!(last_of_union(ranges.clone()), Some((1 << 32) - (1 << 24) - 1));
        ranges.extend([(0, 5), (3, 9)]);
        assert_eq!(last_of_union(ranges.clone()), Some((1 << 32) - (1 << 24) - 1));
        ranges.push((ten.first, ten.last));
        assert_eq!(last_of_union(ranges), Some(all.last));
        assert_eq!(last_of_union(vec![(0, u128::MAX), (7, 9)]), Some(u128::MAX));
        assert_eq!(last_of_union(Vec::new()), None);
    }

    #[test]
    fn families_do_not_mix() {
        let all = Block::parse("0.0.0.0/0").unwrap();
        assert!(all.contains("169.254.169.254".parse().unwrap()));
        assert!(!all.contains("::1".parse().unwrap()));
        assert!(!all.holds_less(&Block::parse("::/128").unwrap()));
    }
}
