//! The report as Markdown, `report.md`.

use super::report_selection::MARKDOWN;
use super::{FinishedRun, OutputArtifact, OutputError, RunOutput};
use crate::report;

pub(super) struct MarkdownReport;

impl RunOutput for MarkdownReport {
    fn write(&self, run: &FinishedRun) -> Result<Vec<OutputArtifact>, OutputError> {
        let page = report::markdown(run.model()?);
        Ok(vec![run.write_file(MARKDOWN.to_owned(), page.into_bytes())?])
    }
}
