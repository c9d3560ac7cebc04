use crate::error::AreaError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    #[error(
        "Others are exporting the record at the moment, and each export holds a connection to the database. Nothing \
         was exported; try again in a minute."
    )]
    ExportsBusy,
}

impl AreaError for AuditError {
    fn code(&self) -> &'static str {
        "exports_busy"
    }

    fn title(&self) -> &'static str {
        "Others are exporting"
    }
}
