//! `tollgate import synthetic-check`

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::exit::{CommandError, ExitStatus};
use super::summary::ImportSummary;
use super::writer::ImportWriter;
use super::{ImportFlags, files};
use crate::import::{CheckAnswer, CheckTool, ImportedArtifact};
use crate::record::NODE_FETCH_START;

const EXAMPLES: &str = "\
Examples:
  tollgate import synthetic-check artifacts/monitoring/synthetic-check-*.json
  tollgate import synthetic-check artifacts/monitoring --output json | jq '.runs[].folder'

A run's scenario is named after its target, and its budget is the artifact's own. A status other
than 2xx counts as an unexpected status. `fetch failed` counts as a failure of unknown cause and
enters no quantile. Artifacts of `tollgate synthetic-check` get a scenario of their own: the times
of the old check also contain the start of Node's `fetch`, about 50 to 90 ms.";

/// Maximum size of an artifact.
const MAX_BYTES: u64 = 1 << 20;

/// Import artifacts of synthetic-check: each becomes a run of one request
///
/// The duration in an artifact is the time to the response headers. It includes redirects and the
/// time to open the connection. An artifact records neither the redirects nor the page, and each
/// run says so.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// Artifacts, or folders of them. Files of a folder that are not artifacts are named and left
    /// out
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    flags: ImportFlags,
}

pub(super) fn import(args: &Args) -> Result<ExitStatus, CommandError> {
    let files = files::list(&args.files, "json")?;
    let of_other_endings = files.of_other_endings;
    let (artifacts, left_out) = files::check_matching(files, MAX_BYTES, ImportedArtifact::read)?;
    let writer = ImportWriter::open(&args.flags.runs_dir)?;
    let mut summary = ImportSummary::new(&args.flags);
    for (file, artifact) in &artifacts {
        let (record, second) = artifact.run();
        let imported = writer.write(&record, std::iter::once(second))?;
        summary.print_run(file, &record, &imported)?;
    }
    warn_of_start(&artifacts);
    summary.warn_left_out(left_out, of_other_endings);
    let answers = count_answers(artifacts.iter().map(|(_, artifact)| artifact.answer()));
    let answers: Vec<_> = answers.iter().map(|(what, count)| (*count, what.as_str())).collect();
    summary.print_total(("artifact", "artifacts"), &answers)?;
    Ok(ExitStatus::Pass)
}

/// Warns that durations of the old check are longer than those of other clients.
fn warn_of_start(artifacts: &[(PathBuf, ImportedArtifact)]) {
    let old = artifacts.iter().filter(|(_, artifact)| artifact.tool() == CheckTool::Node).count();
    if old > 0 {
        tracing::warn!(
            artifacts = old,
            "{old} of {} artifacts are the old check's: their times also hold {NODE_FETCH_START}. Artifacts of `tollgate synthetic-check` are a series of their own",
            artifacts.len()
        );
    }
}

/// Counts the artifacts by status, and those without a response.
fn count_answers(answers: impl Iterator<Item = CheckAnswer>) -> Vec<(String, u64)> {
    let (mut by_status, mut silent) = (BTreeMap::new(), 0);
    for answer in answers {
        match answer {
            CheckAnswer::Status(status) => *by_status.entry(status).or_default() += 1,
            CheckAnswer::None => silent += 1,
        }
    }
    let mut counts: Vec<_> = by_status
        .into_iter()
        .map(|(status, count)| (format!("answered {status}"), count))
        .collect();
    counts.extend((silent > 0).then(|| ("got no answer".to_owned(), silent)));
    counts
}
