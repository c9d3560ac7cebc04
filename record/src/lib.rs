//! The record: what a row of it says, how rows are chained, how people stand in it, and how all of that is verified.
//!
//! A row is one JSON text, an [`Entry`]. Its hash is SHA-256 over the 32 bytes of the hash before it and that text, so
//! an export is verified with SHA-256 alone. People stand in a row as commitments ([`Identity`]), so that their details
//! can be erased and the chain still holds. Nothing here needs the web or a database.

mod chain;
mod digest;
mod event;
mod export;
mod identity;
mod object;
mod values;
mod verification;
mod write;

pub use chain::{Entry, Failure, Head, HeadError, Phase, Row};
pub use digest::{Digest, DigestError};
pub use event::{Action, Event, EventError, ExportOf, HeadPlace, NamespaceOrigin, OptInRef, OptInStep, SubmissionRef};
pub use export::ExportedRow;
pub use identity::Identity;
pub use object::{ObjectKind, ObjectRef, ObjectScope};
pub use values::{
    EndReason, Occasion, Recipient, Renewal, ReviewVerdict, Scope, ScopeKind, SessionEndReason, Stage, StatusKind,
    StepKind, UnknownValue,
};
pub use verification::{ChainError, ChainVerifier, ErasedPeople, ExportError, ExportVerifier};
pub use write::{SucceededWrite, succeeded_writes};
