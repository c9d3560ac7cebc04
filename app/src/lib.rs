//! What people see: pages, forms and the rules of each area.

pub mod access;
pub mod actor;
pub mod audit;
pub mod clock;
pub mod compute_pool;
pub mod download;
pub mod error;
pub mod faq;
pub mod form;
pub mod leader_lock;
pub mod namespaces;
pub mod point_of_no_return;
pub mod policy;
pub mod ports;
pub mod preview;
pub mod routes;
pub mod row_limit;
pub mod sent_form;
pub mod sessions;
pub mod state;
mod text_diff;
pub mod ui;
pub mod view_as;
pub mod workloads;

pub use form::show_failures;
pub use routes::{App, form_routes, shell};
