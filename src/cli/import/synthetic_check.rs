//! `tollgate import synthetic-check`

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::exit::{CommandError, ExitStatus};
use super::summary::ImportSummary;
use super::writer::ImportWriter;
use super::{ImportFlags, files};
use crate::import::{CheckAnswer, CheckTool, ImportedArtifact};

const EXAMPLES: &str = "\
Examples:
  tollgate import synthetic-check artifacts/monitoring/synthetic-check-*.json
  tollgate import synthetic-check artifacts/monitoring --output json | jq '.runs[].folder'

The scenario of a run has the name of its target, and the budget is the artifact's own. A response
other than 2xx is an unexpected status; `fetch failed` is a failure of unknown cause and enters no
quantile. Artifacts of `tollgate synthetic-check` get another scenario than those of the old check,
whose times also hold the start of Node's `fetch`, some 50 to 90 ms.";

/// Maximum size of an artifact.
const MAX_BYTES: u64 = 1 << 20;

/// Import artifacts of synthetic-check, one run of one request per artifact
///
/// The duration in an artifact is the time to the response headers, including redirects and the
/// connection's setup. An artifact does not contain the redirects or the page, and each run says
/// so.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// Artifacts, or folders: their *.json files that are artifacts; others are named and left out
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
            "{old} of {} artifacts are the old check's: their times also hold the start of Node's `fetch`, some 50 to \
             90 ms. Artifacts of `tollgate synthetic-check` are a series of their own",
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
