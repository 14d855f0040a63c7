//! Every plot of a run, as SVG and as PNG. An error does not undo the plots before it.

use super::{FinishedRun, OutputArtifact, OutputError, RunOutput};
use crate::report::{self, Plot};

pub(super) struct PlotFiles;

impl RunOutput for PlotFiles {
    fn write(&self, run: &FinishedRun) -> Result<Vec<OutputArtifact>, OutputError> {
        let mut artifacts = Vec::new();
        for plot in report::plots(run.model()?) {
            let Plot { name, svg, png, .. } = plot?;
            artifacts.push(run.write_file(format!("{name}.svg"), svg.into_bytes())?);
            artifacts.push(run.write_file(format!("{name}.png"), png)?);
        }
        Ok(artifacts)
    }
}
