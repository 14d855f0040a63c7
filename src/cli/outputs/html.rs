//! The self-contained page `report.html`.

use super::report_selection::HTML;
use super::{FinishedRun, OutputArtifact, OutputError, RunOutput};
use crate::report;

pub(super) struct HtmlReport;

impl RunOutput for HtmlReport {
    fn write(&self, run: &FinishedRun) -> Result<Vec<OutputArtifact>, OutputError> {
        let page = report::html(run.model()?);
        Ok(vec![run.write_file(HTML.to_owned(), page.into_bytes())?])
    }
}
