//! `fairway audit export`: the same files as in the portal.

use super::connect;
use anyhow::bail;
use app::audit::api::FilterForm;
use app::audit::export::Format;
use app::audit::store::stream_rows;
use clap::{Args, ValueEnum};
use futures::TryStreamExt;
use std::io::{BufWriter, ErrorKind, Write};

/// Which rows, and how they are written.
#[derive(Args)]
pub struct ExportArguments {
    /// JSON Lines can be verified; CSV is for spreadsheets.
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    format: ExportFormat,
    /// The first day, in UTC, as 2026-11-23.
    #[arg(long, default_value = "")]
    from: String,
    /// The last day.
    #[arg(long, default_value = "")]
    to: String,
}

/// [`Format`], as the command line spells it.
#[derive(Clone, Copy, ValueEnum)]
enum ExportFormat {
    Jsonl,
    Csv,
}

impl ExportArguments {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let form = FilterForm { from: self.from, to: self.to, ..FilterForm::default() };
        let (filter, wrong) = form.filter(&[]);
        if let Some((field, message)) = wrong.first() {
            bail!("--{field}: {message}");
        }
        let format = match self.format {
            ExportFormat::Jsonl => Format::Jsonl,
            ExportFormat::Csv => Format::Csv,
        };
        let database = connect("DATABASE_URL").await?;
        let mut transaction = database.begin().await?;
        let mut rows = stream_rows(&mut transaction, &filter).await?;
        let mut output = BufWriter::new(std::io::stdout());
        let mut written = output.write_all(&format.head());
        while let (Ok(()), Some(row)) = (&written, rows.try_next().await?) {
            written = output.write_all(&format.row(row));
        }
        match written.and_then(|()| output.flush()) {
            // Whoever read it has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        }
    }
}
