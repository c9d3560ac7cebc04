//! Workloads: the wizard's answers, their review, and applying exactly what was reviewed.

pub mod live;

#[cfg(feature = "ssr")]
pub mod api;
#[cfg(feature = "ssr")]
pub mod forms;
#[cfg(feature = "ssr")]
pub mod page;
#[cfg(feature = "ssr")]
pub mod store;
#[cfg(feature = "ssr")]
pub mod submission;
#[cfg(feature = "ssr")]
pub mod wizard;
