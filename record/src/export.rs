use crate::{Identity, Row};
use serde::{Deserialize, Serialize};

/// A line of an export in JSON Lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedRow {
    #[serde(flatten)]
    pub row: Row,
    /// Who its actor is, with the salt of the commitment; null where the details were erased, or are not for whoever
    /// exported.
    pub actor: Option<Identity>,
}
