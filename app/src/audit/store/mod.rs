//! SQL of the record.

mod appending;
mod identities;
mod reading;
mod verification;

pub use appending::{Appended, NewEvent, RowActor, append, append_in};
pub use identities::{StoredIdentity, commit_to, erase_person, hold_person, list_commitments, list_identities};
pub use reading::{
    Published, StoredLink, is_recorded, last_published, list_rows_of_acceptance, list_writes, stream_rows,
};
pub use verification::{FalseRow, find_false_row, stream_links, written_end};
