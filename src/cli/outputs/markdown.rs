//! The report as Markdown, `report.md`.

use super::{FinishedRun, OutputArtifact, OutputError, RunOutput};
use crate::report;

pub(super) struct MarkdownReport;

impl MarkdownReport {
    pub(super) const NAME: &str = "report.md";
}

impl RunOutput for MarkdownReport {
    fn write(&self, run: &FinishedRun) -> Result<Vec<OutputArtifact>, OutputError> {
        let page = report::markdown(run.model()?);
        Ok(vec![run.write_file(MarkdownReport::NAME, page.as_bytes())?])
    }
}
