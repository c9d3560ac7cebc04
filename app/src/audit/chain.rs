//! The chain: each row's hash covers the row before it, so that nothing can be changed, removed, moved or cut off unseen.

use super::Phase;
use crate::digest::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::str::FromStr;
use uuid::Uuid;

/// What one row says. Written as JSON, with its fields in this order: that text is what is hashed and kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Place in the chain, from 1.
    pub sequence: i64,
    /// Its id.
    pub id: Uuid,
    /// The intent that this is the outcome of.
    pub intent_id: Option<Uuid>,
    /// How far the write has come.
    pub phase: Phase,
    /// Who: the commitment of an identity.
    pub actor: Digest,
    /// An action, by its code.
    pub action: String,
    /// To what: `Kind/namespace/name`.
    pub object: String,
    /// More about it: an object.
    pub detail: Value,
    /// Ties it to the log.
    pub request_id: String,
    /// When, to the microsecond, in UTC; never before the row before.
    pub occurred_at: Timestamp,
}

/// Where a chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Place of the last row; 0 where there is none.
    pub sequence: i64,
    /// Its hash.
    pub hash: Digest,
}

impl Head {
    /// Before the first row.
    pub const GENESIS: Self = Self { sequence: 0, hash: Digest::ZERO };
}

/// As it is published: the place and the hash.
impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.sequence, self.hash)
    }
}

/// A text that is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a head is the number of a row, a space, and the row's hash")]
pub struct NoHead;

impl FromStr for Head {
    type Err = NoHead;

    fn from_str(text: &str) -> Result<Self, NoHead> {
        let (sequence, hash) = text.trim().split_once(' ').ok_or(NoHead)?;
        Ok(Self { sequence: sequence.parse().map_err(|_| NoHead)?, hash: hash.trim().parse().map_err(|_| NoHead)? })
    }
}

/// A row as it is stored: its exact text between two hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Place in the chain.
    pub sequence: i64,
    /// An [`Entry`] as text.
    pub entry: String,
    /// Of the row before.
    pub previous_hash: Digest,
    /// SHA-256 over the 32 bytes of the hash before, and the text.
    pub hash: Digest,
}

impl Link {
    /// The next row after `end`.
    #[must_use]
    pub fn after(end: &Head, entry: &Entry) -> Self {
        // Serializing a struct of plain values cannot fail.
        let text = serde_json::to_string(entry).unwrap_or_default();
        let hash = Digest::of_both(end.hash.as_bytes(), text.as_bytes());
        Self { sequence: entry.sequence, entry: text, previous_hash: end.hash, hash }
    }

    /// Whether its hash is that of its text and the hash before, and the text is of this place.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let begins_with_its_place = self
            .entry
            .strip_prefix("{\"sequence\":")
            .and_then(|rest| rest.split_once(','))
            .is_some_and(|(place, _)| place.parse() == Ok(self.sequence));
        begins_with_its_place && self.hash == Digest::of_both(self.previous_hash.as_bytes(), self.entry.as_bytes())
    }
}

/// Where a chain breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A row is missing, or out of order.
    #[error("row {expected} is missing or out of order (found {found})")]
    Gap {
        /// The row that should come.
        expected: i64,
        /// The row that came.
        found: i64,
    },
    /// A row does not match its own hash, or the hash before it.
    #[error("row {sequence} was changed, or the row before it was")]
    Changed {
        /// Which row.
        sequence: i64,
    },
    /// The chain is shorter than it was.
    #[error("the chain ends with row {found}, though row {expected} was written: its end was cut off")]
    CutOff {
        /// The last row that is known to have been written.
        expected: i64,
        /// The last row there is.
        found: i64,
    },
    /// A head that was kept elsewhere is another one.
    #[error("row {sequence} is another one than when its hash was published: history was written anew")]
    Rewritten {
        /// Which row.
        sequence: i64,
    },
}

/// Checks rows one after the other.
#[derive(Debug, Clone)]
pub struct ChainVerifier {
    /// The row that must come next; nothing in a selection, in which any later row may.
    next: Option<i64>,
    /// Where the chain ends so far; nothing before the first row of a part of it.
    end: Option<Head>,
    rows: u64,
    heads_met: u64,
    published: BTreeMap<i64, Digest>,
}

impl ChainVerifier {
    /// For a whole chain.
    #[must_use]
    pub fn of_all() -> Self {
        Self { next: Some(1), end: Some(Head::GENESIS), rows: 0, heads_met: 0, published: BTreeMap::new() }
    }

    /// For a part of one that begins with a row; what came before that is taken as it says.
    #[must_use]
    pub fn from_row(first: i64) -> Self {
        match first {
            ..=1 => Self::of_all(),
            _ => Self { next: Some(first), end: None, ..Self::of_all() },
        }
    }

    /// For some rows of one.
    #[must_use]
    pub fn of_a_selection() -> Self {
        Self { next: None, end: None, ..Self::of_all() }
    }

    /// Compares with heads that were kept elsewhere.
    ///
    /// # Errors
    /// [`ChainError::Rewritten`] where two of them differ about one row.
    pub fn against(mut self, published: impl IntoIterator<Item = Head>) -> Result<Self, ChainError> {
        for Head { sequence, hash } in published {
            if self.published.insert(sequence, hash).is_some_and(|other| other != hash) {
                return Err(ChainError::Rewritten { sequence });
            }
        }
        Ok(self)
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// Where the chain breaks.
    pub fn accept(&mut self, link: &Link) -> Result<(), ChainError> {
        let sequence = link.sequence;
        let expected = self.next.unwrap_or_else(|| self.end().sequence + 1);
        let is_next = match self.next {
            Some(next) => sequence == next,
            None => sequence >= expected,
        };
        if !is_next {
            return Err(ChainError::Gap { expected, found: sequence });
        }
        let follows = self.next.is_none() || self.end.is_none_or(|end| link.previous_hash == end.hash);
        if !follows || !link.is_whole() {
            return Err(ChainError::Changed { sequence });
        }
        match self.published.get(&sequence) {
            Some(published) if *published != link.hash => return Err(ChainError::Rewritten { sequence }),
            Some(_) => self.heads_met += 1,
            None => {}
        }
        self.next = self.next.map(|next| next + 1);
        self.end = Some(Head { sequence, hash: link.hash });
        self.rows += 1;
        Ok(())
    }

    /// Where the chain ends so far.
    #[must_use]
    pub fn end(&self) -> Head {
        self.end.unwrap_or(Head::GENESIS)
    }

    /// How many published heads were met, and fitted.
    #[must_use]
    pub fn heads_met(&self) -> u64 {
        self.heads_met
    }

    /// How many rows were taken.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Checks, after the last row, that it is the last one there was: as the table says itself, where it is there to be
    /// asked, and as the published heads say; or, of a part, that it is the row `last`. Of a selection nobody knows.
    ///
    /// # Errors
    /// [`ChainError::CutOff`], or [`ChainError::Rewritten`].
    pub fn finish(&self, written: Option<Head>, last: Option<i64>) -> Result<(), ChainError> {
        let Some(next) = self.next else { return Ok(()) };
        let found = next - 1;
        let published = self.published.keys().next_back().copied().unwrap_or(0);
        let ever = published.max(written.map_or(0, |head| head.sequence));
        let expected = last.unwrap_or(ever);
        if expected > found {
            return Err(ChainError::CutOff { expected, found });
        }
        match written.zip(self.end).filter(|(written, end)| written.sequence == end.sequence && written != end) {
            Some((Head { sequence, .. }, _)) => Err(ChainError::Rewritten { sequence }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn entry(sequence: i64) -> Entry {
        Entry {
            sequence,
            id: Uuid::from_u128(sequence.unsigned_abs().into()),
            intent_id: None,
            phase: Phase::Succeeded,
            actor: Digest::of("robin"),
            action: "session.sign_in".into(),
            object: "Session//".into(),
            detail: json!({ "b": "2", "a": "1" }),
            request_id: String::new(),
            occurred_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn chain(length: i64) -> Vec<Link> {
        let mut end = Head::GENESIS;
        let mut next = |sequence| {
            let link = Link::after(&end, &entry(sequence));
            end = Head { sequence, hash: link.hash };
            link
        };
        (1..=length).map(&mut next).collect()
    }

    fn verify(mut verifier: ChainVerifier, rows: &[Link]) -> Result<ChainVerifier, ChainError> {
        rows.iter().try_for_each(|row| verifier.accept(row))?;
        Ok(verifier)
    }

    fn head(row: &Link) -> Head {
        Head { sequence: row.sequence, hash: row.hash }
    }

    #[test]
    fn an_untouched_chain_holds_and_so_does_every_part_of_it() {
        let rows = chain(5);
        let all = verify(ChainVerifier::of_all(), &rows).unwrap();
        assert_eq!((all.rows(), all.finish(Some(head(&rows[4])), None)), (5, Ok(())));
        let part = verify(ChainVerifier::from_row(3), &rows[2..4]).unwrap();
        assert_eq!((part.rows(), part.finish(Some(head(&rows[4])), Some(4))), (2, Ok(())));
    }

    #[test]
    fn a_part_without_its_first_or_last_rows_is_found_and_so_is_one_without_any() {
        let rows = chain(5);
        let part = |rows: &[Link]| {
            verify(ChainVerifier::from_row(2), rows).and_then(|part| part.finish(Some(head(&chain(5)[4])), Some(4)))
        };
        assert_eq!(part(&rows[1..4]), Ok(()));
        assert_eq!(part(&rows[2..4]), Err(ChainError::Gap { expected: 2, found: 3 }));
        assert_eq!(part(&rows[1..3]), Err(ChainError::CutOff { expected: 4, found: 3 }));
        assert_eq!(part(&[]), Err(ChainError::CutOff { expected: 4, found: 1 }));
    }

    #[test]
    fn two_heads_of_one_row_that_differ_show_that_history_was_written_anew() {
        let real = head(&chain(2)[1]);
        let other = Head { hash: Digest::ZERO, ..real };
        for published in [[real, other], [other, real]] {
            let told = ChainVerifier::of_all().against(published).err();
            assert_eq!(told, Some(ChainError::Rewritten { sequence: 2 }));
        }
        assert!(ChainVerifier::of_all().against([real, real]).is_ok());
    }

    #[test]
    fn a_changed_row_is_found_even_when_its_own_hash_was_made_anew() {
        let mut rows = chain(5);
        rows[2].entry = rows[2].entry.replace("Session", "Nothing");
        assert_eq!(verify(ChainVerifier::of_all(), &rows).err(), Some(ChainError::Changed { sequence: 3 }));
        rows[2].hash = Digest::of_both(rows[2].previous_hash.as_bytes(), rows[2].entry.as_bytes());
        assert_eq!(verify(ChainVerifier::of_all(), &rows).err(), Some(ChainError::Changed { sequence: 4 }));
    }

    #[test]
    fn a_removed_or_moved_row_is_found() {
        let mut rows = chain(5);
        rows.remove(1);
        let gap = ChainError::Gap { expected: 2, found: 3 };
        assert_eq!(verify(ChainVerifier::of_all(), &rows).err(), Some(gap));
        let mut rows = chain(5);
        rows.swap(1, 2);
        assert_eq!(verify(ChainVerifier::of_all(), &rows).err(), Some(gap));
    }

    #[test]
    fn a_chain_without_its_last_rows_is_found_by_the_table_and_by_any_published_head() {
        let rows = chain(5);
        let cut = verify(ChainVerifier::of_all(), &rows[..3]).unwrap();
        assert_eq!(cut.finish(Some(head(&rows[4])), None), Err(ChainError::CutOff { expected: 5, found: 3 }));
        let cut = verify(ChainVerifier::of_all().against([head(&rows[3])]).unwrap(), &rows[..3]).unwrap();
        assert_eq!(cut.finish(None, None), Err(ChainError::CutOff { expected: 4, found: 3 }));
    }

    #[test]
    fn a_history_that_was_written_anew_as_a_whole_is_found_by_a_published_head() {
        let published = head(&chain(3)[1]);
        let mut other = Head::GENESIS;
        let mut anew = Vec::new();
        for sequence in 1..=3 {
            let link = Link::after(&other, &Entry { object: "Session//other".into(), ..entry(sequence) });
            other = head(&link);
            anew.push(link);
        }
        let found = verify(ChainVerifier::of_all().against([published]).unwrap(), &anew);
        assert_eq!(found.err(), Some(ChainError::Rewritten { sequence: 2 }));
    }

    #[test]
    fn a_selection_may_have_gaps_and_nothing_else() {
        let rows = chain(5);
        let mut selection = ChainVerifier::of_a_selection();
        assert_eq!([&rows[0], &rows[3]].into_iter().try_for_each(|row| selection.accept(row)), Ok(()));
        assert_eq!(selection.accept(&rows[1]), Err(ChainError::Gap { expected: 5, found: 2 }));
    }

    #[test]
    fn a_published_head_reads_back() {
        let published = head(&chain(2)[1]);
        assert_eq!(published.to_string().parse(), Ok(published));
        for wrong in ["", "1", "x 00", "1 00"] {
            assert_eq!(wrong.parse::<Head>(), Err(NoHead));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_done_to_one_row_is_found(at in 0_usize..20, byte in 0_usize..250, flip in 1_u8..128) {
            let mut rows = chain(20);
            let mut text = rows[at].entry.clone().into_bytes();
            let place = byte % text.len();
            text[place] ^= flip;
            if let Ok(text) = String::from_utf8(text) {
                rows[at].entry = text;
                prop_assert!(verify(ChainVerifier::of_all(), &rows).is_err());
            }
        }
    }
}
