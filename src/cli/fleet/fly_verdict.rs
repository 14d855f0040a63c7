//! The verdict of a fleet's run: from the store, merged on this machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::console::{Console, OutputFormat};
use crate::cli::exit::{CommandError, ExitStatus};
use crate::cli::merge::MergeOptions;
use crate::cli::outputs::{self, OutputDestinations, ReportSelection};
use crate::cli::rendezvous::{self, CollectOptions};
use crate::cli::signals::RunSignals;
use crate::postgres::DatabaseAddress;

/// How long a machine may take to show up in the database after all have ended. If none does, they
/// use another database.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

/// How the merged run is made and shown.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct MergeFlags {
    /// The folder to create the merged run's folder in
    #[arg(long, value_name = "DIR", default_value = "reports/runs", env = "TOLLGATE_RUNS_DIR")]
    runs_dir: PathBuf,
    /// What to print on stdout
    #[arg(long, value_enum, default_value = "text", env = "TOLLGATE_OUTPUT")]
    output: OutputFormat,
    /// The reports to write into the merged run's folder
    #[arg(long, value_enum, default_value = "all", env = "TOLLGATE_REPORT")]
    report: ReportSelection,
    #[command(flatten)]
    outputs: outputs::Flags,
}

impl MergeFlags {
    /// Where the merged run goes, and the database in which the shards meet.
    pub(super) fn destinations(
        &self,
    ) -> Result<(OutputDestinations, DatabaseAddress), CommandError> {
        let destinations = self.outputs.destinations()?;
        let database = rendezvous::required_address(&destinations)?;
        Ok((destinations, database))
    }

    /// Merges the shards of a rendezvous whose machines have ended, prints the verdict, and returns
    /// its exit code.
    pub(super) fn merge_rendezvous(
        &self,
        name: &str,
        destinations: &OutputDestinations,
        signals: &RunSignals,
    ) -> Result<ExitStatus, CommandError> {
        let options = MergeOptions {
            runs_dir: &self.runs_dir,
            console: Console { output: self.output },
            report: self.report,
            git_commit: None,
            tags: BTreeMap::new(),
            destinations,
        };
        let collect = CollectOptions { wait: Some(SHOWN_WITHIN), stop: false };
        options.merge_rendezvous(name, collect, signals)
    }
}
