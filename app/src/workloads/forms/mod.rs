//! The wizard's forms: what was typed, and the checked answers it becomes.

mod manifests;
mod network;
mod resources;
mod workload;

pub use manifests::ManifestsForm;
pub use network::{DestinationsForm, PeerRows, SourcesForm};
pub use resources::ResourcesForm;
pub use workload::{CheckedWorkload, Runs, WorkloadForm, join_command};
