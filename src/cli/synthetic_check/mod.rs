//! `tollgate synthetic-check`: the old check, with warnings about what it hid.

mod artifact;
mod gate;
mod notes;
mod settings;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use self::artifact::CheckArtifact;
use self::settings::{CheckSettings, TypedBudget, parse_budget};
use super::console::{Console, OutputFormat};
use super::exit::{CommandError, ExitStatus};
use super::{log, stray_variables};
use crate::engine::{clock, probe};
use crate::library_text::describe_io;
use crate::store;
use crate::units::{UnitError, parse_duration};

/// Default folder of artifacts.
const FOLDER: &str = "artifacts/monitoring";

/// Largest `--timeout`.
const MAX_TIMEOUT: Duration = Duration::from_hours(1);

const EXAMPLES: &str = "\
Examples:
  SYNTHETIC_CHECK_URL='https://shop.example/app?mock=0' tollgate synthetic-check
  tollgate synthetic-check --url 'https://shop.example/app?mock=1' --budget auto
  tollgate synthetic-check --host=shop.example --mode=live --samples 5 --out live.json

To gate a deploy, use `tollgate run`: this sends one request, or a few on cold connections.

Variables of the old check; a flag outranks them:
  SYNTHETIC_CHECK_URL         the URL to check, even if it is empty
  STAGING_SMOKE_TEST_URL      the URL if that variable does not exist
  PRODUCTION_SMOKE_TEST_URL   the URL if neither exists
  SYNTHETIC_CHECK_BUDGET_MS   the budget in milliseconds; 800 if it is not a number
  SHOPIFY_FLAG_ENVIRONMENT    without a budget, 300 if this is `staging`, else 800
  SYNTHETIC_CHECK_TOKEN       sent as X-Hotdash-Synthetic [default: staging]
  SYNTHETIC_CHECK_USER_AGENT  [default: Shopify POS/HotDashSyntheticCheck]
  SYNTHETIC_CHECK_ARTIFACT    the artifact's file

Exit codes:
  0  every answer had a 2xx status, and its headers arrived within the budget
  1  anything else: another status, too late, no answer, a wrong flag, an artifact not written";

/// Check one request as synthetic-check.mjs did, and report what it hid
///
/// Sends one GET, follows redirects and measures until the headers arrive, including look-up and
/// connection. Variables, artifact, output lines, exit codes and rule are those of the old check.
/// Warnings on stderr report redirects, a page without tiles, and a budget that does not fit the
/// URL. See docs/synthetic-check.md.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The URL to check, as by --url
    #[arg(value_name = "URL")]
    page: Option<String>,
    /// The URL to check
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The host to check instead of the URL's, with scheme and port if need be; with --mode no URL
    /// is needed
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Which page: sets `mock=` in the URL
    #[arg(long, value_name = "live|mock", value_enum, hide_possible_values = true)]
    mode: Option<Mode>,
    /// The budget in milliseconds, or `auto`: 300 if the URL has mock=1, else 800
    #[arg(long, value_name = "MS|auto", value_parser = parse_budget)]
    budget: Option<TypedBudget>,
    /// Number of requests, one after another, each with its own artifact
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    samples: u16,
    /// How long a request may take in total [default: no limit]
    #[arg(long, value_name = "DURATION", value_parser = read_timeout)]
    timeout: Option<Duration>,
    /// Print the artifact on stdout instead of the line
    #[arg(long)]
    json: bool,
    /// The artifact's file; with several samples, the second file's name ends in -2, and so on
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Which page to request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// `mock=0`
    Live,
    /// `mock=1`
    Mock,
}

impl Mode {
    fn query(self) -> &'static str {
        match self {
            Self::Live => "mock=0",
            Self::Mock => "mock=1",
        }
    }
}

/// Runs the check. Every failure exits with 1, the only code that deploy scripts know.
pub(super) fn synthetic_check(args: &Args) -> Result<ExitStatus, CommandError> {
    // The panic hook has reported a panic before it is caught here.
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| check(args)));
    ended.unwrap_or(Ok(ExitStatus::Fail)).map_err(CommandError::into_failure)
}

fn check(args: &Args) -> Result<ExitStatus, CommandError> {
    stray_variables::check_mistyped()?;
    let settings = CheckSettings::resolve(args, &|name| std::env::var_os(name))?;
    log::add_secrets(&settings.secrets);
    if let Some(note) = notes::url_note(&settings) {
        tracing::warn!("{note}");
    }
    let mut written = BTreeSet::new();
    let mut passed = 0;
    for _ in 0..args.samples {
        let started = clock::wall_clock();
        let fetch = probe::fetch(&settings.request)?;
        for note in notes::check_notes(&settings, &fetch) {
            tracing::warn!("{note}");
        }
        let status = fetch.response.ok().map(|page| page.status.as_u16());
        let target = settings.secrets.redact(&settings.target).into_owned();
        let artifact = CheckArtifact::new(started, target, settings.budget, fetch.elapsed, status);
        let by_time = || Path::new(FOLDER).join(artifact::artifact_name(started));
        let first = settings.artifact.clone().unwrap_or_else(by_time);
        let path = free_path(&first, &written);
        report(&artifact, &path, args.json)?;
        passed += u16::from(artifact.passes);
        written.insert(path);
    }
    if args.samples > 1 {
        tracing::warn!(
            samples = args.samples,
            passed,
            "{passed} of {} requests passed the old rule. A few cold requests do not determine a \
             quantile. A gate is `{}`",
            args.samples,
            gate::gate_command(&settings)
        );
    }
    Ok(if passed == args.samples { ExitStatus::Pass } else { ExitStatus::Fail })
}

/// The first of `a.json`, `a-2.json`, … that this check has not written; a device or pipe takes
/// every artifact.
fn free_path(first: &Path, written: &BTreeSet<PathBuf>) -> PathBuf {
    if std::fs::metadata(first).is_ok_and(|there| !there.is_file()) {
        return first.to_owned();
    }
    let stem = first.file_stem().unwrap_or_default().to_string_lossy();
    let ending =
        first.extension().map(|end| format!(".{}", end.to_string_lossy())).unwrap_or_default();
    let further = (2..).map(|number| first.with_file_name(format!("{stem}-{number}{ending}")));
    let mut paths = std::iter::once(first.to_owned()).chain(further);
    paths.find(|path| !written.contains(path)).unwrap_or_default()
}

/// Writes the artifact, then prints the old check's lines, or the artifact with `--json`.
fn report(checked: &CheckArtifact, path: &Path, json: bool) -> Result<(), CommandError> {
    let artifact = checked.json().map_err(CommandError::internal)?;
    let display = path.display();
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder)
        .and_then(|()| store::write_file(path, artifact.as_bytes()))
        .map_err(|error| {
            let remedy = "name another file with `--out`";
            CommandError::internal(format!(
                "the artifact {display} cannot be written: {}; {remedy}",
                describe_io(&error)
            ))
        })?;
    let complain = |line: &str| {
        Console { output: OutputFormat::Json }
            .print_result(&log::redact(&format!("[synthetic-check] {line}")))
    };
    if json {
        Console::print_plain(&artifact)?;
    } else if checked.status.is_some() {
        Console::print_plain(&log::redact(&checked.line(&display.to_string())))?;
    }
    match checked.status {
        None => complain(&format!("Failed: fetch failed\n[synthetic-check] Artifact: {display}")),
        Some(_) if !checked.passes => complain("Check failed (status or budget overrun)."),
        Some(_) => Ok(()),
    }
}

fn read_timeout(text: &str) -> Result<Duration, UnitError> {
    let fits = |timeout: &Duration| (Duration::from_millis(1)..=MAX_TIMEOUT).contains(timeout);
    Some(parse_duration(text)?)
        .filter(fits)
        .ok_or_else(|| UnitError::new("is out of bounds", "write a duration from `1ms` to `1h`"))
}
