//! Every plot of a run, as SVG and as PNG.

use super::{FinishedRun, OutputArtifact, OutputError, RunOutput};
use crate::report;

pub(super) struct PlotFiles;

impl RunOutput for PlotFiles {
    fn write(&self, run: &FinishedRun) -> Result<Vec<OutputArtifact>, OutputError> {
        let mut artifacts = Vec::new();
        for plot in report::plots(run.model()?)? {
            artifacts.push(run.write_file(&format!("{}.svg", plot.name), plot.svg.as_bytes())?);
            artifacts.push(run.write_file(&format!("{}.png", plot.name), &plot.png)?);
        }
        Ok(artifacts)
    }
}
