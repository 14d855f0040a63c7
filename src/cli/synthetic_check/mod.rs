//! `tollgate synthetic-check`: the old check, which one word replaces, and what it hid.

mod address;
mod artifact;
mod budget;
mod gate;
mod notes;
mod page;
mod settings;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use self::artifact::Checked;
use self::budget::Budget;
use self::notes::Told;
use self::settings::Settings;
use super::console::Console;
use super::exit::{Exit, Problem};
use super::log;
use crate::engine::{clock, probe};
use crate::store;
use crate::units::{UnitError, parse_duration};

/// Where artifacts go unless one is asked for.
const FOLDER: &str = "artifacts/monitoring";

/// The longest that a request may be waited for.
const LONGEST: Duration = Duration::from_hours(1);

const EXAMPLES: &str = "\
Examples:
  SYNTHETIC_CHECK_URL='https://shop.example/app?mock=0' tollgate synthetic-check
  tollgate synthetic-check --url 'https://shop.example/app?mock=1' --budget auto
  tollgate synthetic-check --host=shop.example --mode=live --samples 5 --out live.json

A gate is `tollgate run`; this is one request, or a few cold ones.

Variables of the old check; a flag outranks them, and an empty one is not set:
  SYNTHETIC_CHECK_URL         what is checked
  STAGING_SMOKE_TEST_URL      the same where that is not set
  PRODUCTION_SMOKE_TEST_URL   the same where neither is
  SYNTHETIC_CHECK_BUDGET_MS   the budget in milliseconds
  SHOPIFY_FLAG_ENVIRONMENT    without a budget, 300 if this is `staging`, else 800
  SYNTHETIC_CHECK_TOKEN       sent as X-Hotdash-Synthetic [default: staging]
  SYNTHETIC_CHECK_USER_AGENT  [default: Shopify POS/HotDashSyntheticCheck]
  SYNTHETIC_CHECK_ARTIFACT    the artifact's file

Exit codes:
  0  every request was answered with 2xx, its headers there within the budget
  1  anything else: another status, too late, no answer, a wrong flag, an artifact not written";

/// Check one request as synthetic-check.mjs did, and tell what it hid
///
/// One GET that follows redirects, timed to the answer's headers, name and connection included. Variables, artifact, the
/// line on stdout and exit codes are the old check's, and so is its rule: 2xx within the budget. stderr tells of
/// redirects, of a page that is not the tile page, and of a budget that does not fit. docs/synthetic-check.md says more.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The URL to check, as by --url
    #[arg(value_name = "URL")]
    page: Option<String>,
    /// The URL to check
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The host to check instead of the URL's, with scheme and port if need be; with --mode no URL is needed
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Which page: sets `mock=` in the URL
    #[arg(long, value_name = "live|mock", value_enum, hide_possible_values = true)]
    mode: Option<Mode>,
    /// The budget in milliseconds, or `auto`: 300 where the URL has mock=1, else 800
    #[arg(long, value_name = "MS|auto", value_parser = Budget::read)]
    budget: Option<Budget>,
    /// How many requests, one after the other, each with an artifact of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    samples: u16,
    /// How long a request may take in all; the old check waited for ever
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = read_timeout)]
    timeout: Duration,
    /// Print the artifact on stdout instead of the line
    #[arg(long)]
    json: bool,
    /// The artifact's file; of several, the second's name ends in -2, and so on
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Which page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// `mock=0`
    Live,
    /// `mock=1`
    Mock,
}

impl Mode {
    fn is_mock(self) -> bool {
        self == Self::Mock
    }
}

/// Checks, and ends with 0 or 1 whatever happens: deploy scripts know no other codes.
pub(super) fn synthetic_check(args: &Args) -> Result<Exit, Problem> {
    // What panicked has been told by the time it is caught here.
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| check(args)));
    ended.unwrap_or(Ok(Exit::Fail)).map_err(Problem::into_failure)
}

fn check(args: &Args) -> Result<Exit, Problem> {
    let settings = Settings::read(args, &|name| std::env::var_os(name))?;
    log::hide(&settings.secrets);
    let mut taken = BTreeSet::new();
    let mut passed = 0;
    for _ in 0..args.samples {
        let checked = once(&settings)?;
        let path = place(settings.artifact.as_deref(), &checked, &taken);
        print(&checked, &path, args.json)?;
        passed += u16::from(checked.passes());
        taken.insert(path);
    }
    if args.samples > 1 {
        tell_all(&settings, args.samples, passed);
    }
    Ok(if passed == args.samples { Exit::Pass } else { Exit::Fail })
}

/// One request, and what there is to say of it.
fn once(settings: &Settings) -> Result<Checked, Problem> {
    let started = clock::wall_clock();
    let fetch = probe::fetch(&settings.question)?;
    let (took, status) = match &fetch.end {
        Ok(fetched) => (fetched.to_headers, Some(fetched.status.as_u16())),
        Err(unanswered) => (unanswered.after, None),
    };
    let target = settings.secrets.blot(&settings.target).into_owned();
    let checked = Checked { started, target, budget: settings.budget, took, status };
    let told = Told {
        asked: &settings.question.url,
        agent: &settings.agent,
        fetch: &fetch,
        checked: &checked,
    };
    for note in told.notes() {
        if note.is_warning {
            tracing::warn!("{}", note.text);
        } else {
            tracing::info!("{}", note.text);
        }
    }
    Ok(checked)
}

/// Where the artifact of a request goes: no two of one check to the same file. A device or a pipe takes them all.
fn place(asked: Option<&Path>, checked: &Checked, taken: &BTreeSet<PathBuf>) -> PathBuf {
    let by_time = || Path::new(FOLDER).join(artifact::name(checked.started));
    let first = asked.map_or_else(by_time, Path::to_owned);
    let stem = first.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let ending =
        first.extension().map(|end| format!(".{}", end.to_string_lossy())).unwrap_or_default();
    if std::fs::metadata(&first).is_ok_and(|there| !there.is_file()) {
        return first;
    }
    let further = (2..).map(|number| first.with_file_name(format!("{stem}-{number}{ending}")));
    let mut all = std::iter::once(first.clone()).chain(further);
    all.find(|path| !taken.contains(path)).unwrap_or(first)
}

/// Writes the artifact, then prints it or the line.
fn print(checked: &Checked, path: &Path, json: bool) -> Result<(), Problem> {
    let artifact = checked.json().map_err(Problem::internal)?;
    write(path, &artifact)?;
    let line = || checked.line(&path.display().to_string());
    Console::plain(&if json { artifact } else { log::clean(&line()) })
}

fn write(path: &Path, artifact: &str) -> Result<(), Problem> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let written =
        std::fs::create_dir_all(folder).and_then(|()| store::write(path, artifact.as_bytes()));
    written.map_err(|error| {
        let path = path.display();
        Problem::internal(format!(
            "the artifact {path} cannot be written: {error}; name another file by `--out`"
        ))
    })
}

fn tell_all(settings: &Settings, samples: u16, passed: u16) {
    let gate = gate::command(settings);
    tracing::warn!(
        samples,
        passed,
        "{passed} of {samples} requests hold the old rule. Each opened its own connection, and they are few: that tells \
         nothing of a quantile. A gate is `{gate}`"
    );
}

fn read_timeout(text: &str) -> Result<Duration, UnitError> {
    let fits = |timeout: &Duration| (Duration::from_millis(1)..=LONGEST).contains(timeout);
    Some(parse_duration(text)?)
        .filter(fits)
        .ok_or_else(|| UnitError::new("is out of bounds", "write a duration from `1ms` to `1h`"))
}
