//! The self-contained page `report.html`.

use super::{FinishedRun, OutputArtifact, OutputError, RunOutput};
use crate::report;

pub(super) struct HtmlReport;

impl HtmlReport {
    pub(super) const NAME: &str = "report.html";
}

impl RunOutput for HtmlReport {
    fn write(&self, run: &FinishedRun) -> Result<Vec<OutputArtifact>, OutputError> {
        let page = report::html(run.model()?);
        Ok(vec![run.write_file(HtmlReport::NAME, page.as_bytes())?])
    }
}
