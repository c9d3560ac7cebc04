//! What people see: pages, forms, islands and the rules of each area.
//!
//! With the feature `ssr` this is the portal's server side; with `hydrate` it is the islands alone,
//! compiled to WASM.

pub mod workloads;

#[cfg(feature = "ssr")]
pub mod access;
#[cfg(feature = "ssr")]
pub mod actor;
#[cfg(feature = "ssr")]
pub mod audit;
#[cfg(feature = "ssr")]
pub mod digest;
#[cfg(feature = "ssr")]
pub mod error;
#[cfg(feature = "ssr")]
pub mod faq;
#[cfg(feature = "ssr")]
pub mod form;
#[cfg(feature = "ssr")]
pub mod namespaces;
#[cfg(feature = "ssr")]
pub mod ports;
#[cfg(feature = "ssr")]
pub mod preview;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod state;
#[cfg(feature = "ssr")]
pub mod turn;
#[cfg(feature = "ssr")]
pub mod ui;
#[cfg(feature = "ssr")]
pub mod view_as;

#[cfg(feature = "ssr")]
pub use form::show_failures;
#[cfg(feature = "ssr")]
pub use routes::{App, form_routes, shell};
