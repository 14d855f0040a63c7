//! The files that CI systems and monitoring read: JUnit XML and OpenMetrics text.

use std::path::{Path, PathBuf};

use super::super::exit::CommandError;
use super::{FinishedRun, HEADING, OutputArtifact, OutputError, RunOutput};
use crate::library_text::describe_io;
use crate::report;
use crate::store;

/// The files to write.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct Flags {
    /// Write the verdict to this file as JUnit XML: a suite per scenario, a case per budget
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    junit: Option<PathBuf>,
    /// Write the figures to this file as OpenMetrics text, for Prometheus, `node_exporter` and
    /// GitLab
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    metrics: Option<PathBuf>,
}

impl Flags {
    /// The JUnit file; `None` if there is none.
    pub(super) fn junit(&self) -> Result<Option<Box<dyn RunOutput>>, CommandError> {
        output("--junit", self.junit.as_deref(), |run| {
            Ok(report::junit(run.model()?, &run.record, &run.ci()))
        })
    }

    /// Refuses one file for both.
    pub(super) fn check(&self) -> Result<(), CommandError> {
        if self.metrics.is_some() && self.metrics == self.junit {
            return Err(CommandError::usage(
                "error: --junit and --metrics name the same file; name two",
            ));
        }
        Ok(())
    }

    /// The file of metrics; `None` if there is none.
    pub(super) fn metrics(&self) -> Result<Option<Box<dyn RunOutput>>, CommandError> {
        self.check()?;
        output("--metrics", self.metrics.as_deref(), |run| {
            Ok(report::open_metrics(&run.record, &run.ci()))
        })
    }
}

/// Renders a run as the content of a file.
type RunRenderer = fn(&FinishedRun) -> Result<String, OutputError>;

/// A file named by a flag. It is checked before anything is sent.
fn output(
    flag: &'static str,
    path: Option<&Path>,
    render: RunRenderer,
) -> Result<Option<Box<dyn RunOutput>>, CommandError> {
    let Some(path) = path else { return Ok(None) };
    store::can_write(path).map_err(|error| {
        let why = describe_io(&error);
        CommandError::usage(format!(
            "error: {flag}: cannot write {}: {why}; nothing was sent; name a writable file",
            path.display()
        ))
    })?;
    Ok(Some(Box::new(ResultFile { path: path.to_owned(), render })))
}

/// A file outside the run's folder, replaced by each run.
struct ResultFile {
    path: PathBuf,
    render: RunRenderer,
}

impl RunOutput for ResultFile {
    fn write(&self, run: &FinishedRun) -> Result<Vec<OutputArtifact>, OutputError> {
        let text = (self.render)(run)?;
        let path = self.path.display();
        store::write_file(&self.path, text.as_bytes()).map_err(|error| {
            let message = format!("cannot write {path}: {}", describe_io(&error));
            tracing::warn!(
                "WARNING: {message}\n  The run is complete in {}/.",
                run.folder.display()
            );
            OutputError { message, keeps_verdict: false }
        })?;
        tracing::info!("Wrote {path}");
        Ok(vec![OutputArtifact::Elsewhere(format!("Wrote {path}"))])
    }
}
