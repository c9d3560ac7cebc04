//! Workloads: the wizard's answers, their review, a second person where one is needed, and applying exactly what was
//! reviewed.

pub mod bundle;
pub mod draft;
pub mod errors;
pub mod forms;
pub mod handlers;
pub mod known;
pub mod pages;
pub mod paths;
pub mod places;
pub mod rollout;
pub mod second_person;
pub mod service;
mod store;
pub mod submission;

/// Of the tests of the store, which need the database that the server's tests have.
#[doc(hidden)]
pub mod store_in_tests {
    pub use super::store::*;
}
