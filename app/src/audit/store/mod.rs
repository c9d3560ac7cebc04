//! SQL of the record.

mod appending;
mod identities;
mod reading;
mod verification;

pub use appending::{Appended, NewRow, RowActor, append, append_in};
pub use identities::{
    IdentityColumns, StoredIdentity, commit_to, erase_person, hold_person, keep_person, list_commitments,
    list_identities,
};
pub use reading::{LastPublished, is_recorded, last_published, list_rows_of_acceptance, list_writes, stream_rows};
pub use verification::{FalseRow, find_false_identity, find_false_row, stream_chain, written_end};
