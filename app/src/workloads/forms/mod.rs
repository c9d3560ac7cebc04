//! The wizard's forms: what was typed, and the checked answers it becomes.

mod from_answers;
mod manifests;
mod network;
mod resources;
mod workload;

pub use from_answers::draft_of;
pub use manifests::ManifestsForm;
pub use network::{DestinationsForm, MOST_ROWS, PeerRows, SourcesForm};
pub use resources::ResourcesForm;
pub use workload::{CheckedWorkload, Runs, WorkloadForm, join_command};
