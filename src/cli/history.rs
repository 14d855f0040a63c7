//! `tollgate history`

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::console::{Console, OutputFormat};
use super::exit::{CommandError, ExitStatus};
use super::log::PEOPLE_ONLY;
use super::source::{RunSource, warn_left_out};
use super::{source, tags};
use crate::engine::clock;
use crate::history::{self, ENVIRONMENT_TAG, History, HistoryFilter, RequestRuns};
use crate::record::{Decision, RequestSuggestion};
use crate::report;
use crate::units::{UnitError, parse_age};
use crate::verdict::{self, EarlierRequest};

const EXAMPLES: &str = "\
Examples:
  tollgate history
  tollgate history --scenario tile-loader-mock --environment staging --since 7d
  tollgate history --verdict fail --limit 5
  tollgate history --since 2026-11-01 --output csv > november.csv
  tollgate history --from database --environment production
  tollgate history --scenario shop --since 30d --suggest

Quantiles over several runs are those of their added histograms, never averages. They count only
the ok exchanges; failures are counted in a column of their own. A run counts once, however often
it is stored, and the shards of a merged run count only as part of that run.

Exit codes:
  0  runs were listed, or there are none
  2  usage: a flag or the database's URL is wrong, or the folder cannot be read
  4  internal: the database does not respond, the list could not be printed, or a defect";

/// How many runs of a request the text lists by default.
const DEFAULT_LIMIT: usize = 20;

/// List runs and the trend of their latency
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Only this scenario
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Only this request
    #[arg(long, value_name = "NAME")]
    request: Option<String>,
    /// Only runs tagged with this environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Only runs with this tag; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tags::parse)]
    tags: Vec<(String, String)>,
    /// Only scenarios with this verdict
    #[arg(long, value_enum)]
    verdict: Option<VerdictFilter>,
    /// Only runs that started at this time or later: an age such as 7d, or a day or time in UTC
    #[arg(long, value_name = "TIME", value_parser = str::parse::<TimeBound>)]
    since: Option<TimeBound>,
    /// Only runs that started before this time, in the same formats
    #[arg(long, value_name = "TIME", value_parser = str::parse::<TimeBound>)]
    until: Option<TimeBound>,
    /// List only the newest N runs of each request; totals still count every run [default: 20 as
    /// text, else all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Suggest budgets that at least 95 % of these runs would have held, as lines to paste, instead
    /// of listing the runs
    #[arg(long, conflicts_with = "limit")]
    suggest: bool,
    #[command(flatten)]
    from: source::Flags,
    /// What to print on stdout
    #[arg(long, value_enum, default_value = "text")]
    output: HistoryFormat,
}

/// How a history is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HistoryFormat {
    /// Tables and sparklines for people
    Text,
    /// The whole history as JSON, durations in microseconds
    Json,
    /// One line per run and request, for spreadsheets
    Csv,
}

/// A decision, as the flag takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum VerdictFilter {
    /// Every budget held
    Pass,
    /// A budget or an expectation did not hold
    Fail,
    /// The data was not sufficient
    Inconclusive,
}

/// A time, as the flags take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeBound {
    /// An age, counted back from now.
    Ago(Duration),
    /// A day of the calendar.
    Day(Date),
    At(OffsetDateTime),
}

pub(super) fn history(args: &Args) -> Result<ExitStatus, CommandError> {
    if args.suggest {
        return suggest(args);
    }
    let source = args.from.source()?;
    let filter = args.filter();
    let history = History::from_runs(source.summaries(&filter)?, &filter);
    warn_left_out(&history.left_out);
    let limit = args.limit.unwrap_or(if args.output == HistoryFormat::Text {
        DEFAULT_LIMIT
    } else {
        usize::MAX
    });
    match args.output {
        HistoryFormat::Text if history.trends.is_empty() => {
            Console { output: OutputFormat::Text }
                .print_result(&nothing_listed(&source, &filter))?;
        }
        HistoryFormat::Text => {
            let console = Console { output: OutputFormat::Text };
            tracing::info!(target: PEOPLE_ONLY, "Runs {}", source.describe());
            let text = report::history_text(&history, limit, console.width(), console.has_colour());
            console.print_result(&text)?;
        }
        HistoryFormat::Json => {
            Console::print_json(
                &report::history_json(&history, limit).map_err(CommandError::internal)?,
            )?;
        }
        HistoryFormat::Csv => Console::exactly(&report::history_csv(&history, limit))?,
    }
    Ok(ExitStatus::Pass)
}

/// Prints budgets that the matching runs would have held.
fn suggest(args: &Args) -> Result<ExitStatus, CommandError> {
    if args.output == HistoryFormat::Csv {
        return Err(CommandError::usage(
            "error: --suggest prints no CSV; use `--output json`, or leave --output out",
        ));
    }
    let source = args.from.source()?;
    let filter = args.filter();
    let (requests, left_out) = history::matching_requests(source.summaries(&filter)?, &filter);
    warn_left_out(&left_out);
    let suggestions: Vec<_> = requests.iter().filter_map(suggestion).collect();
    let console = Console { output: OutputFormat::Text };
    if args.output == HistoryFormat::Json {
        let json = report::suggestions_json(&suggestions).map_err(CommandError::internal)?;
        Console::print_json(&json)?;
    } else if suggestions.is_empty() {
        console.print_result(&nothing_listed(&source, &filter))?;
    } else {
        let (width, colour) = (console.width(), console.has_colour());
        console.print_result(&report::suggestion_text(&suggestions, width, colour))?;
    }
    Ok(ExitStatus::Pass)
}

/// What the runs of one request suggest.
fn suggestion(runs: &RequestRuns) -> Option<RequestSuggestion> {
    let runs = runs.iter().map(|(run, summary)| EarlierRequest {
        id: run.id,
        started: run.started,
        is_imported: run.imported_from().is_some(),
        summary,
    });
    verdict::suggest_budgets(&runs.collect::<Vec<_>>())
}

impl Args {
    fn filter(&self) -> HistoryFilter {
        let now = clock::wall_clock();
        let at = |when: Option<TimeBound>| when.map(|when| when.before(now));
        let mut tags: BTreeMap<String, String> = self.tags.iter().cloned().collect();
        tags.extend(self.environment.clone().map(|name| (ENVIRONMENT_TAG.to_owned(), name)));
        HistoryFilter {
            scenario: self.scenario.clone(),
            request: self.request.clone(),
            tags,
            verdict: self.verdict.map(VerdictFilter::decision),
            since: at(self.since),
            until: at(self.until),
        }
    }
}

/// The message if there is nothing to list.
fn nothing_listed(source: &RunSource, filter: &HistoryFilter) -> String {
    let location = source.describe();
    if *filter == HistoryFilter::default() {
        format!(
            "There is no run {location}. `tollgate run scenario.toml` makes one; so does `tollgate demo`."
        )
    } else {
        format!(
            "There is no matching run {location}. `tollgate history` without filters lists all runs."
        )
    }
}

impl VerdictFilter {
    fn decision(self) -> Decision {
        match self {
            Self::Pass => Decision::Pass,
            Self::Fail => Decision::Fail,
            Self::Inconclusive => Decision::Inconclusive,
        }
    }
}

impl TimeBound {
    /// The time as an instant. A day begins in UTC. An age beyond 1970 becomes 1970: no run is
    /// older.
    pub(super) fn before(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::Ago(age) => time::Duration::try_from(age)
                .ok()
                .and_then(|age| now.checked_sub(age))
                .unwrap_or(OffsetDateTime::UNIX_EPOCH),
            Self::Day(day) => day.midnight().assume_utc(),
            Self::At(moment) => moment,
        }
    }
}

impl FromStr for TimeBound {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self::At(moment));
        }
        if let Ok(day) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
            return Ok(Self::Day(day));
        }
        parse_age(text).map(Self::Ago).map_err(|_| {
            UnitError::new(
                format!("`{text}` is not a time"),
                "write an age such as `7d` or `12h`, a day such as `2026-11-01`, or `2026-11-01T15:00:00Z`",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_time_is_an_age_a_day_or_an_instant_and_all_else_is_refused() {
        let now = datetime!(2026-11-24 12:00 UTC);
        let read = |text: &str| text.parse::<TimeBound>().unwrap().before(now);
        assert_eq!(read("7d"), datetime!(2026-11-17 12:00 UTC));
        assert_eq!(read("2026-11-01"), datetime!(2026-11-01 0:00 UTC));
        assert_eq!(read("2026-11-01T15:00:00+02:00"), datetime!(2026-11-01 13:00 UTC));
        for wrong in ["", "7", "yesterday", "2026-13-01", "2026-11-01 15:00"] {
            assert!(wrong.parse::<TimeBound>().unwrap_err().remedy.contains("`7d`"), "{wrong}");
        }
        assert_eq!(
            "9000000y".parse::<TimeBound>().unwrap().before(now),
            OffsetDateTime::UNIX_EPOCH
        );
    }
}
