//! Recording, finding and publishing.

mod head_publishing;
mod recording;
mod searching;

pub use head_publishing::publish_head;
pub use recording::{
    Intent, RecordActor, record_event, record_event_in, record_refusal, record_refused_sign_in, settle, without_name,
};
pub use searching::{
    FilterForm, PAGE_SIZE, TaggedWrite, commitment_to, commitment_within, commitments_of, details_of, load_writes,
    rows_of_acceptance,
};
