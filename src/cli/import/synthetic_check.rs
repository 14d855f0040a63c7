//! `tollgate import synthetic-check`

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::exit::{Exit, Problem};
use super::keep::Keeper;
use super::told::Teller;
use super::{Settings, files};
use crate::import::{Answer, Artifact};

const EXAMPLES: &str = "\
Examples:
  tollgate import synthetic-check artifacts/monitoring/synthetic-check-*.json
  tollgate import synthetic-check artifacts/monitoring --output json | jq '.runs[].folder'

The scenario of a run is named after its target, the budget is the artifact's own. An answer
other than 2xx is an unexpected status; `fetch failed` is a failure of a
cause that is not told, and enters no quantile.";

/// The most bytes that are read of an artifact.
const MOST_BYTES: u64 = 1 << 20;

/// Import artifacts of synthetic-check, each a run of one request
///
/// The figure of an artifact is the time to an answer's headers, redirects and the opening of the connection included.
/// Where redirects led and what the page held is not known, and each run says so.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// Artifacts; of a folder, the *.json in it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn import(args: &Args) -> Result<Exit, Problem> {
    let files = files::named(&args.files, "json")?;
    let artifacts = files::checked(files, MOST_BYTES, Artifact::read)?;
    let keeper = Keeper::of(&args.settings.runs_dir)?;
    let mut teller = Teller::of(&args.settings);
    for (file, artifact) in &artifacts {
        let (record, second) = artifact.run();
        let kept = keeper.keep(&record, std::iter::once(second))?;
        teller.tell(file, &record, &kept)?;
    }
    let answers = answers(artifacts.iter().map(|(_, artifact)| artifact.answer()));
    let answers: Vec<_> = answers.iter().map(|(what, count)| (*count, what.as_str())).collect();
    teller.tell_all(("artifact", "artifacts"), &answers)?;
    Ok(Exit::Pass)
}

/// How many artifacts tell of each status, and how many of none.
fn answers(answers: impl Iterator<Item = Answer>) -> Vec<(String, u64)> {
    let (mut by_status, mut silent) = (BTreeMap::new(), 0);
    for answer in answers {
        match answer {
            Answer::Status(status) => *by_status.entry(status).or_default() += 1,
            Answer::None => silent += 1,
        }
    }
    let mut counts: Vec<_> = by_status
        .into_iter()
        .map(|(status, count)| (format!("answered {status}"), count))
        .collect();
    counts.extend((silent > 0).then(|| ("got no answer".to_owned(), silent)));
    counts
}
