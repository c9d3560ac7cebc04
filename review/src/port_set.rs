//! Sets of ports per protocol, as sorted ranges.

use std::fmt;

/// The protocols that NetworkPolicy knows (networking.k8s.io/v1, `NetworkPolicyPort.protocol`), in the
/// order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// SCTP.
    Sctp,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    pub(crate) const ALL: [Self; 3] = [Self::Sctp, Self::Tcp, Self::Udp];

    /// By its name in a manifest; TCP where none is given.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "SCTP" => Some(Self::Sctp),
            "TCP" | "" => Some(Self::Tcp),
            "UDP" => Some(Self::Udp),
            _ => None,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sctp => "SCTP",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// First and last port of a range, both in it.
type Range = (u16, u16);

const EVERY_PORT: Range = (1, u16::MAX);

/// Ports of all protocols. Written `TCP 80,443,UDP 53-54`, or `All Connections` where none is missing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct PortSet {
    /// Sorted, apart from each other, one list per protocol.
    ranges: [Vec<Range>; 3],
}

impl PortSet {
    /// Every port of every protocol.
    #[must_use]
    pub fn all() -> Self {
        Self { ranges: [vec![EVERY_PORT], vec![EVERY_PORT], vec![EVERY_PORT]] }
    }

    /// Every port of one protocol.
    #[must_use]
    pub fn every(transport: Transport) -> Self {
        Self::range(transport, EVERY_PORT.0, EVERY_PORT.1)
    }

    /// From one port to another; nothing where the last is before the first.
    #[must_use]
    pub fn range(transport: Transport, first: u16, last: u16) -> Self {
        let mut set = Self::default();
        if first <= last {
            set.ranges[transport as usize].push((first, last));
        }
        set
    }

    /// Whether there is no port in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.iter().all(Vec::is_empty)
    }

    /// Whether no port is missing.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.ranges.iter().all(|ranges| ranges[..] == [EVERY_PORT])
    }

    /// Whether a port is in it.
    #[must_use]
    pub fn contains(&self, transport: Transport, port: u16) -> bool {
        self.ranges[transport as usize].iter().any(|(first, last)| (*first..=*last).contains(&port))
    }

    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.combine(other, union)
    }

    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(other, intersection)
    }

    /// What is in this one and not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(other, |own, other| intersection(own, &complement(other)))
    }

    fn combine(&self, other: &Self, join: impl Fn(&[Range], &[Range]) -> Vec<Range>) -> Self {
        Self { ranges: Transport::ALL.map(|t| join(&self.ranges[t as usize], &other.ranges[t as usize])) }
    }
}

fn union(one: &[Range], other: &[Range]) -> Vec<Range> {
    let mut sorted = [one, other].concat();
    sorted.sort_unstable();
    let mut joined: Vec<Range> = Vec::with_capacity(sorted.len());
    for (first, last) in sorted {
        match joined.last_mut() {
            // Neighbours become one range as well.
            Some(previous) if u32::from(first) <= u32::from(previous.1) + 1 => previous.1 = previous.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    joined
}

fn intersection(one: &[Range], other: &[Range]) -> Vec<Range> {
    let mut common = Vec::new();
    let (mut i, mut j) = (0, 0);
    while let (Some(a), Some(b)) = (one.get(i), other.get(j)) {
        let (first, last) = (a.0.max(b.0), a.1.min(b.1));
        if first <= last {
            common.push((first, last));
        }
        if a.1 < b.1 { i += 1 } else { j += 1 }
    }
    common
}

fn complement(ranges: &[Range]) -> Vec<Range> {
    let mut missing = Vec::with_capacity(ranges.len() + 1);
    let mut next = u32::from(EVERY_PORT.0);
    let port = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    for (first, last) in ranges {
        if next < u32::from(*first) {
            missing.push((port(next), first - 1));
        }
        next = u32::from(*last) + 1;
    }
    if next <= u32::from(EVERY_PORT.1) {
        missing.push((port(next), EVERY_PORT.1));
    }
    missing
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return f.write_str("All Connections");
        }
        if self.is_empty() {
            return f.write_str("No Connections");
        }
        let mut begun = false;
        for transport in Transport::ALL {
            let ranges = &self.ranges[transport as usize];
            if ranges.is_empty() {
                continue;
            }
            let separator = if begun { "," } else { "" };
            write!(f, "{separator}{transport} ")?;
            begun = true;
            for (index, (first, last)) in ranges.iter().enumerate() {
                let separator = if index > 0 { "," } else { "" };
                if first == last { write!(f, "{separator}{first}")? } else { write!(f, "{separator}{first}-{last}")? }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set() -> impl Strategy<Value = PortSet> {
        let range = (0..3usize, 1..40u16, 0..20u16)
            .prop_map(|(transport, first, length)| PortSet::range(Transport::ALL[transport], first, first + length));
        prop::collection::vec(range, 0..6)
            .prop_map(|ranges| ranges.iter().fold(PortSet::default(), |all, range| all.union(range)))
    }

    proptest! {
        #[test]
        fn sets_behave_as_sets(one in set(), other in set(), transport in 0..3usize, port in 1..70u16) {
            let transport = Transport::ALL[transport];
            let (a, b) = (one.contains(transport, port), other.contains(transport, port));
            prop_assert_eq!(one.union(&other).contains(transport, port), a || b);
            prop_assert_eq!(one.intersection(&other).contains(transport, port), a && b);
            prop_assert_eq!(one.difference(&other).contains(transport, port), a && !b);
        }

        #[test]
        fn a_set_has_one_form_only(one in set(), other in set()) {
            prop_assert_eq!(one.union(&other), other.union(&one));
            prop_assert_eq!(one.difference(&other).union(&one.intersection(&other)), one);
        }
    }

    #[test]
    fn a_set_is_written_by_protocol_in_ranges() {
        let tcp = PortSet::range(Transport::Tcp, 80, 80).union(&PortSet::range(Transport::Tcp, 443, 443));
        assert_eq!(tcp.union(&PortSet::range(Transport::Udp, 53, 54)).to_string(), "TCP 80,443,UDP 53-54");
        assert_eq!(PortSet::all().to_string(), "All Connections");
        assert_eq!(PortSet::all().difference(&PortSet::every(Transport::Tcp)).to_string(), "SCTP 1-65535,UDP 1-65535");
        assert_eq!(PortSet::default().to_string(), "No Connections");
    }

    #[test]
    fn neighbours_become_one_range() {
        let set = PortSet::range(Transport::Tcp, 1, 2).union(&PortSet::range(Transport::Tcp, 3, u16::MAX));
        assert_eq!(set, PortSet::every(Transport::Tcp));
    }
}
