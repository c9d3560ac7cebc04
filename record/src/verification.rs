use crate::{Action, Digest, Event, ExportedRow, Head, Phase, Row};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A row is missing, or out of order.
    #[error("row {expected} is missing or out of order (found {found})")]
    Gap {
        /// The row that should come.
        expected: i64,
        found: i64,
    },
    /// A row does not match its own hash, or the hash before it.
    #[error("row {sequence} was changed, or the row before it was")]
    Changed { sequence: i64 },
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
    Rewritten { sequence: i64 },
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
    #[must_use]
    pub fn whole() -> Self {
        Self { next: Some(1), end: Some(Head::GENESIS), rows: 0, heads_met: 0, published: BTreeMap::new() }
    }

    /// For a part of one that begins with a row; what came before that is taken as it says.
    #[must_use]
    pub fn from_row(first: i64) -> Self {
        match first {
            ..=1 => Self::whole(),
            _ => Self { next: Some(first), end: None, ..Self::whole() },
        }
    }

    /// For some rows of a chain, in their order.
    #[must_use]
    pub fn selection() -> Self {
        Self { next: None, end: None, ..Self::whole() }
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
    pub fn accept(&mut self, row: &Row) -> Result<(), ChainError> {
        let sequence = row.sequence;
        let expected = self.next.unwrap_or_else(|| self.end().sequence + 1);
        let is_next = match self.next {
            Some(next) => sequence == next,
            None => sequence >= expected,
        };
        if !is_next {
            return Err(ChainError::Gap { expected, found: sequence });
        }
        let follows = self.next.is_none() || self.end.is_none_or(|end| row.previous_hash == end.hash);
        if !follows || !row.is_whole() {
            return Err(ChainError::Changed { sequence });
        }
        match self.published.get(&sequence) {
            Some(published) if *published != row.hash => return Err(ChainError::Rewritten { sequence }),
            Some(_) => self.heads_met += 1,
            None => {}
        }
        self.next = self.next.map(|next| next + 1);
        self.end = Some(Head { sequence, hash: row.hash });
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

/// Whose details the record shows to have been erased, by their commitments.
#[derive(Debug, Clone, Default)]
pub struct ErasedPeople(BTreeSet<Digest>);

impl ErasedPeople {
    /// Takes any row, and looks at those that say so.
    pub fn accept(&mut self, row: &Row) {
        if !row.entry.contains(Action::RecordErase.as_str()) {
            return;
        }
        let Ok(entry) = row.read() else { return };
        if let (Phase::Succeeded, Ok(Event::RecordErase { erased, .. })) = (entry.phase, entry.event()) {
            self.0.extend(erased);
        }
    }

    /// The first of some commitments that nobody can open, although no row says that they were erased: somebody hides
    /// who acted.
    #[must_use]
    pub fn first_unrecorded(&self, unopened: impl IntoIterator<Item = Digest>) -> Option<Digest> {
        unopened.into_iter().find(|commitment| !self.0.contains(commitment))
    }
}

/// Checks an export row by row, with nothing else at hand.
#[derive(Debug, Clone)]
pub struct ExportVerifier {
    chain: ChainVerifier,
    erased: ErasedPeople,
    unopened: BTreeSet<Digest>,
    rows_unopened: u64,
}

/// Why an export is not what was recorded.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("row {sequence} cannot be read: {error}")]
    Unreadable { sequence: i64, error: serde_json::Error },
    #[error("row {sequence}: the details of the actor are not those that were recorded")]
    AnotherActor { sequence: i64 },
    #[error("the details behind the actor {0} are missing, and the record does not show that they were erased")]
    UnrecordedErasure(Digest),
}

impl ExportVerifier {
    #[must_use]
    pub fn new(chain: ChainVerifier) -> Self {
        Self { chain, erased: ErasedPeople::default(), unopened: BTreeSet::new(), rows_unopened: 0 }
    }

    /// # Errors
    /// Where the chain breaks, or the details of the actor are not those that the row commits to.
    pub fn accept(&mut self, exported: &ExportedRow) -> Result<(), ExportError> {
        let ExportedRow { row, actor } = exported;
        let sequence = row.sequence;
        self.chain.accept(row)?;
        self.erased.accept(row);
        let entry = row.read().map_err(|error| ExportError::Unreadable { sequence, error })?;
        match actor {
            Some(identity) if identity.commitment() != entry.actor => {
                return Err(ExportError::AnotherActor { sequence });
            }
            Some(_) => {}
            None => {
                self.rows_unopened += 1;
                self.unopened.insert(entry.actor);
            }
        }
        Ok(())
    }

    /// Checks what only the whole shows: that it ends where it should (`last` is the row that a part must end with),
    /// and, of a whole export, that whoever is erased is recorded to be.
    ///
    /// # Errors
    /// Where it does not.
    pub fn finish(&self, last: Option<i64>, is_whole: bool) -> Result<(), ExportError> {
        self.chain.finish(None, last)?;
        let unrecorded = self.erased.first_unrecorded(self.unopened.iter().copied()).filter(|_| is_whole);
        unrecorded.map_or(Ok(()), |commitment| Err(ExportError::UnrecordedErasure(commitment)))
    }

    #[must_use]
    pub fn chain(&self) -> &ChainVerifier {
        &self.chain
    }

    /// How many rows are of people whose details are not there.
    #[must_use]
    pub fn rows_unopened(&self) -> u64 {
        self.rows_unopened
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entry, HeadError, Identity};
    use crate::{NamespaceOrigin, ObjectKind, ObjectRef};
    use jiff::Timestamp;
    use proptest::prelude::*;
    use serde_json::json;
    use uuid::Uuid;

    fn entry(sequence: i64) -> Entry {
        Entry {
            sequence,
            format: Entry::FORMAT,
            id: Uuid::from_u128(sequence.unsigned_abs().into()),
            intent_id: None,
            phase: Phase::Succeeded,
            actor: Digest::of("robin"),
            action: "namespace.create".into(),
            object: ObjectRef::of(ObjectKind::Namespace).named("shop"),
            detail: json!({ "b": "2", "a": "1" }),
            failure: None,
            request_id: String::new(),
            occurred_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn chain(length: i64) -> Vec<Row> {
        let mut end = Head::GENESIS;
        let mut next = |sequence| {
            let row = Row::after(&end, &entry(sequence));
            end = Head { sequence, hash: row.hash };
            row
        };
        (1..=length).map(&mut next).collect()
    }

    fn verify(mut verifier: ChainVerifier, rows: &[Row]) -> Result<ChainVerifier, ChainError> {
        rows.iter().try_for_each(|row| verifier.accept(row))?;
        Ok(verifier)
    }

    fn head(row: &Row) -> Head {
        Head { sequence: row.sequence, hash: row.hash }
    }

    #[test]
    fn an_untouched_chain_holds_and_so_does_every_part_of_it() {
        let rows = chain(5);
        let all = verify(ChainVerifier::whole(), &rows).unwrap();
        assert_eq!((all.rows(), all.finish(Some(head(&rows[4])), None)), (5, Ok(())));
        let part = verify(ChainVerifier::from_row(3), &rows[2..4]).unwrap();
        assert_eq!((part.rows(), part.finish(Some(head(&rows[4])), Some(4))), (2, Ok(())));
    }

    #[test]
    fn a_part_without_its_first_or_last_rows_is_found_and_so_is_one_without_any() {
        let rows = chain(5);
        let part = |rows: &[Row]| {
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
            let told = ChainVerifier::whole().against(published).err();
            assert_eq!(told, Some(ChainError::Rewritten { sequence: 2 }));
        }
        assert!(ChainVerifier::whole().against([real, real]).is_ok());
    }

    #[test]
    fn a_changed_row_is_found_even_when_its_own_hash_was_made_anew() {
        let mut rows = chain(5);
        rows[2].entry = rows[2].entry.replace("shop", "pay");
        assert_eq!(verify(ChainVerifier::whole(), &rows).err(), Some(ChainError::Changed { sequence: 3 }));
        rows[2].hash = Digest::of_both(rows[2].previous_hash.as_bytes(), rows[2].entry.as_bytes());
        assert_eq!(verify(ChainVerifier::whole(), &rows).err(), Some(ChainError::Changed { sequence: 4 }));
    }

    #[test]
    fn a_removed_or_moved_row_is_found() {
        let mut rows = chain(5);
        rows.remove(1);
        let gap = ChainError::Gap { expected: 2, found: 3 };
        assert_eq!(verify(ChainVerifier::whole(), &rows).err(), Some(gap));
        let mut rows = chain(5);
        rows.swap(1, 2);
        assert_eq!(verify(ChainVerifier::whole(), &rows).err(), Some(gap));
    }

    #[test]
    fn a_chain_without_its_last_rows_is_found_by_the_table_and_by_any_published_head() {
        let rows = chain(5);
        let cut = verify(ChainVerifier::whole(), &rows[..3]).unwrap();
        assert_eq!(cut.finish(Some(head(&rows[4])), None), Err(ChainError::CutOff { expected: 5, found: 3 }));
        let cut = verify(ChainVerifier::whole().against([head(&rows[3])]).unwrap(), &rows[..3]).unwrap();
        assert_eq!(cut.finish(None, None), Err(ChainError::CutOff { expected: 4, found: 3 }));
    }

    #[test]
    fn a_history_that_was_written_anew_as_a_whole_is_found_by_a_published_head() {
        let published = head(&chain(3)[1]);
        let mut other = Head::GENESIS;
        let mut anew = Vec::new();
        for sequence in 1..=3 {
            let row = Row::after(&other, &Entry { request_id: "other".into(), ..entry(sequence) });
            other = head(&row);
            anew.push(row);
        }
        let found = verify(ChainVerifier::whole().against([published]).unwrap(), &anew);
        assert_eq!(found.err(), Some(ChainError::Rewritten { sequence: 2 }));
    }

    #[test]
    fn a_selection_may_have_gaps_and_nothing_else() {
        let rows = chain(5);
        let mut selection = ChainVerifier::selection();
        assert_eq!([&rows[0], &rows[3]].into_iter().try_for_each(|row| selection.accept(row)), Ok(()));
        assert_eq!(selection.accept(&rows[1]), Err(ChainError::Gap { expected: 5, found: 2 }));
    }

    #[test]
    fn a_published_head_reads_back() {
        let published = head(&chain(2)[1]);
        assert_eq!(published.to_string().parse(), Ok(published));
        for wrong in ["", "1", "x 00", "1 00"] {
            assert_eq!(wrong.parse::<Head>(), Err(HeadError));
        }
    }

    fn robin() -> Identity {
        let text = |text: &str| text.to_owned();
        let (issuer, subject) = (text("https://idp"), text("1"));
        Identity { issuer, subject, name: text("Robin"), email: String::new(), salt: [7; 32] }
    }

    fn exported(events: &[Event]) -> Vec<ExportedRow> {
        let mut end = Head::GENESIS;
        let rows = (1..).zip(events).map(|(sequence, event)| {
            let entry = Entry { actor: robin().commitment(), ..entry(sequence) }.with_event(event);
            let row = Row::after(&end, &entry);
            end = head(&row);
            ExportedRow { row, actor: Some(robin()) }
        });
        rows.collect()
    }

    fn verify_export(rows: &[ExportedRow]) -> Result<(), ExportError> {
        let mut verifier = ExportVerifier::new(ChainVerifier::whole());
        rows.iter().try_for_each(|row| verifier.accept(row))?;
        verifier.finish(None, true)
    }

    #[test]
    fn an_export_shows_who_acted_and_who_was_erased() {
        let erase =
            |erased: Vec<Digest>| Event::RecordErase { erased, reason: String::new(), database_user: String::new() };
        let create = Event::NamespaceCreate { name: "shop".into(), origin: NamespaceOrigin::Parent("a".into()) };
        let mut rows = exported(&[create, erase(vec![robin().commitment()])]);
        assert!(verify_export(&rows).is_ok());
        rows[0].actor = None;
        assert!(verify_export(&rows).is_ok(), "the second row says that they were erased");
        rows[0].actor = Some(Identity { name: "Other".into(), ..robin() });
        assert!(matches!(verify_export(&rows), Err(ExportError::AnotherActor { sequence: 1 })));
        let mut hidden = exported(&[erase(Vec::new())]);
        hidden[0].actor = None;
        assert!(matches!(verify_export(&hidden), Err(ExportError::UnrecordedErasure(_))));
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
                prop_assert!(verify(ChainVerifier::whole(), &rows).is_err());
            }
        }
    }
}
