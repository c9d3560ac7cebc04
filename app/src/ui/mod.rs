//! Generic components. They know no area.

mod controls;
mod display;
mod failure;
mod frame;
mod more_rows;
mod page;
pub mod styleguide;
mod yaml;

pub use controls::{Checkbox, ErrorSummary, Field, OnEnter, Select, Submit, TextArea};
pub use display::{Badge, Breadcrumb, Code, Empty, Fact, Notice, Table, Time, Tone};
pub use failure::{MayBeOld, failure_body, failure_page};
pub use frame::{Frame, Section, Visitor};
pub use more_rows::MoreRows;
pub use page::{Page, PageRequest, page, page_with};
pub use yaml::{Diff, Mark, Yaml};
