//! `tollgate tune import`

use std::path::{Path, PathBuf};

use super::{SessionsDir, reports};
use crate::cli::console::{Console, OutputFormat};
use crate::cli::exit::{CommandError, ExitStatus};
use crate::cli::import::files;
use crate::import::{
    ConfigurationRange, ImportError, ImportedArtifact, RecordedSample, SessionImport, read_table,
};
use crate::record::session::SessionRecord;
use crate::report::SessionModel;
use crate::store::SessionFolder;
use crate::tune::conclude;

const EXAMPLES: &str = "\
Examples:
  tollgate tune import later-latency-records.csv
  tollgate tune import records.csv artifacts/monitoring --name 'October on staging'
  tollgate tune import artifacts/monitoring --configuration '512 MB=..2025-10-11T02:12Z' \\
    --configuration '2 GB=2025-10-11T02:12Z..'

A table is CSV with the columns timestamp,target,durationMs,budgetMs,status,note. A time may be
approximate: `2025-10-11T07:17Z (approx)`, `by 2025-10-12T04:36Z`. Notes may state the size of the
machine: `shared-cpu-2x:1024MB`, `fly scale memory 2048`.

Exit codes:
  0  the session is imported, or was imported before
  2  usage: a flag or a file is wrong; nothing was imported
  4  internal: the session folder could not be written";

/// Maximum size of a file.
const MAX_BYTES: u64 = 4 << 20;

/// Import old records of single requests as one session, and say what can be concluded from them
///
/// Reads tables of times and artifacts of synthetic-check. Requests with less than 5 minutes
/// between them become one attempt. Importing the same files again changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Tables (*.csv), artifacts of synthetic-check (*.json), or folders of artifacts
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The configuration that the app had from one time to another; either may be left out. It
    /// replaces what the notes say
    #[arg(long = "configuration", value_name = "NAME=FROM..TO")]
    configurations: Vec<ConfigurationRange>,
    /// The name of the session [default: that of the first file]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    folder: SessionsDir,
    /// What to print on stdout: the session as text, or its record as JSON
    #[arg(long, value_enum, value_name = "text|json", default_value = "text")]
    #[arg(hide_possible_values = true)]
    output: OutputFormat,
}

pub(super) fn import(args: &Args) -> Result<ExitStatus, CommandError> {
    refuse_overlaps(&args.configurations)?;
    let import = SessionImport {
        name: name(args)?,
        files: args.files.iter().map(|path| shown_name(path)).collect(),
        samples: read_samples(&args.files)?,
        ranges: args.configurations.clone(),
    };
    let session = import.session();
    let mut record =
        session.ok_or_else(|| CommandError::usage("error: the files hold no request"))?;
    record.provenance.command = vec!["tollgate".to_owned(), "tune".to_owned(), "import".to_owned()];
    conclude::conclude(&mut record);
    let folder = SessionFolder::create(&args.folder.sessions_dir, &record)?;
    let written = reports::write_session_reports(folder.path(), &record)?;
    print(args.output, folder.path(), &record, written.len())
}

fn print(
    output: OutputFormat,
    folder: &Path,
    record: &SessionRecord,
    written: usize,
) -> Result<ExitStatus, CommandError> {
    match output {
        OutputFormat::Json => {
            let json = serde_json::to_string_pretty(record).map_err(CommandError::internal)?;
            Console::print_json(&json)?;
        }
        OutputFormat::Text => {
            super::show::print_text(&SessionModel::new(record))?;
            let place = format!("\nWrote {}/ with {written} reports and plots", folder.display());
            Console { output: OutputFormat::Text }.print_result(&place)?;
        }
    }
    Ok(ExitStatus::Pass)
}

/// Two spans of one time would give a request two configurations.
fn refuse_overlaps(ranges: &[ConfigurationRange]) -> Result<(), CommandError> {
    let all = ranges.iter().enumerate();
    let overlap = all.clone().find_map(|(at, one)| {
        let other = ranges[..at].iter().find(|other| one.overlaps(other))?;
        Some((other, one))
    });
    match overlap {
        None => Ok(()),
        Some((one, other)) => Err(CommandError::usage(format!(
            "error: the spans of the configurations `{}` and `{}` overlap; let one end where the \
             other begins",
            one.name, other.name
        ))),
    }
}

/// The requests of all files.
fn read_samples(paths: &[PathBuf]) -> Result<Vec<RecordedSample>, CommandError> {
    let list = files::list(paths, "json")?;
    let (contents, left_out) = files::check_matching(list, MAX_BYTES, read_file)?;
    for file in left_out {
        tracing::warn!("WARNING: left out: {}", file.why);
    }
    Ok(contents.into_iter().flat_map(|(_, samples)| samples).collect())
}

/// The requests of a file: an artifact is a JSON object, and anything else is read as a table.
fn read_file(bytes: &[u8]) -> Result<Vec<RecordedSample>, Vec<ImportError>> {
    let is_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if is_json {
        return ImportedArtifact::read(bytes).map(|artifact| vec![artifact.sample()]);
    }
    read_table(bytes)
}

/// The session's name: the given one, or the stem of the first file.
fn name(args: &Args) -> Result<String, CommandError> {
    let name = match &args.name {
        Some(name) => name.trim().to_owned(),
        None => args
            .files
            .first()
            .and_then(|path| path.file_stem())
            .map_or_else(|| "imported".to_owned(), |stem| stem.to_string_lossy().into_owned()),
    };
    let is_valid = (1..=80).contains(&name.chars().count()) && !name.contains(char::is_control);
    if is_valid {
        return Ok(name);
    }
    Err(CommandError::usage(
        "error: the session has no valid name; write `--name` with 1 to 80 characters",
    ))
}

/// The name of a file without its folder, which belongs to this machine alone.
fn shown_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().replace(char::is_control, " ")
}
