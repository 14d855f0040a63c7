//! `tollgate history`

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::console::{Console, Output};
use super::exit::{Exit, Problem};
use super::log::SCREEN;
use super::source::{Source, tell_left_out};
use super::{source, tags};
use crate::engine::clock;
use crate::history::{ENVIRONMENT, Filter, History};
use crate::record::Decision;
use crate::report;
use crate::units::{UnitError, parse_duration};

const EXAMPLES: &str = "\
Examples:
  tollgate history
  tollgate history --scenario tile-loader-mock --environment staging --since 7d
  tollgate history --verdict fail --limit 5
  tollgate history --since 2026-11-01 --output csv > november.csv
  tollgate history --from database --environment production

Quantiles over many runs are those of their added histograms, never averages. They are of the ok
exchanges; how many failed stands beside them. A run counts once, however often it is there, and
the parts of a merged run count in that alone.

Exit codes:
  0  runs were listed, or there is none to list
  2  usage: a flag or the database's URL is wrong, or the folder cannot be read
  4  internal: the database does not answer, the list could not be printed, or a defect";

/// How many runs of a request are shown as text, unless a limit is given.
const SHOWN: usize = 20;

/// List runs, and how latency has moved over them
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
    /// Only where the scenario was decided so
    #[arg(long, value_enum)]
    verdict: Option<Verdict>,
    /// Only runs that started at this time or later: an age such as 7d, a day or a time in UTC
    #[arg(long, value_name = "TIME", value_parser = str::parse::<When>)]
    since: Option<When>,
    /// Only runs that started before this time, written in the same ways
    #[arg(long, value_name = "TIME", value_parser = str::parse::<When>)]
    until: Option<When>,
    /// Show only the newest so many runs of each request [default: 20 as text, else all]; the figures over all runs leave
    /// none out
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    from: source::Flags,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value = "text")]
    output: Form,
}

/// How a history is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Tables and sparklines for people
    Text,
    /// All of it as JSON, durations in microseconds
    Json,
    /// One line a run and request, for spreadsheets
    Csv,
}

/// A decision as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verdict {
    /// Every budget held
    Pass,
    /// A budget or an expectation did not hold
    Fail,
    /// The data could not tell
    Inconclusive,
}

/// A time as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// So long before now.
    Ago(Duration),
    At(OffsetDateTime),
}

pub(super) fn history(args: &Args) -> Result<Exit, Problem> {
    let source = args.from.source()?;
    let filter = args.filter();
    let history = History::of(source.summaries(&filter)?, &filter);
    tell_left_out(&history.left_out);
    let most = args.limit.unwrap_or(if args.output == Form::Text { SHOWN } else { usize::MAX });
    match args.output {
        Form::Text if history.trends.is_empty() => {
            Console { output: Output::Text }.result(&none(&source, &filter))?;
        }
        Form::Text => {
            let console = Console { output: Output::Text };
            tracing::info!(target: SCREEN, "Runs {}", source.place());
            let text = report::history(&history, most, console.width(), console.colours_results());
            console.result(&text)?;
        }
        Form::Json => Console::plain(&report::json(&history, most).map_err(Problem::internal)?)?,
        Form::Csv => Console::exactly(&report::csv(&history, most))?,
    }
    Ok(Exit::Pass)
}

impl Args {
    fn filter(&self) -> Filter {
        let now = clock::wall_clock();
        let at = |when: Option<When>| when.map(|when| when.before(now));
        let mut tags: BTreeMap<String, String> = self.tags.iter().cloned().collect();
        tags.extend(self.environment.clone().map(|name| (ENVIRONMENT.to_owned(), name)));
        Filter {
            scenario: self.scenario.clone(),
            request: self.request.clone(),
            tags,
            verdict: self.verdict.map(Verdict::decision),
            since: at(self.since),
            until: at(self.until),
        }
    }
}

/// What is said where there is nothing to list.
fn none(source: &Source, filter: &Filter) -> String {
    let place = source.place();
    if *filter == Filter::default() {
        format!(
            "There is no run {place}. `tollgate run scenario.toml` makes one, `tollgate demo` shows one."
        )
    } else {
        format!(
            "There is no such run {place}. `tollgate history` without filters lists all there are."
        )
    }
}

impl Verdict {
    fn decision(self) -> Decision {
        match self {
            Self::Pass => Decision::Pass,
            Self::Fail => Decision::Fail,
            Self::Inconclusive => Decision::Inconclusive,
        }
    }
}

impl When {
    /// The moment; no run is from before 1970, so that a greater age means that.
    fn before(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::Ago(age) => time::Duration::try_from(age)
                .ok()
                .and_then(|age| now.checked_sub(age))
                .unwrap_or(OffsetDateTime::UNIX_EPOCH),
            Self::At(moment) => moment,
        }
    }
}

impl FromStr for When {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self::At(moment));
        }
        if let Ok(day) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
            return Ok(Self::At(day.midnight().assume_utc()));
        }
        parse_duration(text).map(Self::Ago).map_err(|_| {
            UnitError::new(
                format!("`{text}` is no time"),
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
    fn a_time_is_an_age_a_day_or_a_moment_and_all_else_is_refused_with_the_remedy() {
        let now = datetime!(2026-11-24 12:00 UTC);
        let read = |text: &str| text.parse::<When>().unwrap().before(now);
        assert_eq!(read("7d"), datetime!(2026-11-17 12:00 UTC));
        assert_eq!(read("2026-11-01"), datetime!(2026-11-01 0:00 UTC));
        assert_eq!(read("2026-11-01T15:00:00+02:00"), datetime!(2026-11-01 13:00 UTC));
        for wrong in ["", "7", "yesterday", "2026-13-01", "2026-11-01 15:00"] {
            assert!(wrong.parse::<When>().unwrap_err().remedy.contains("`7d`"), "{wrong}");
        }
        assert_eq!("9000000y".parse::<When>().unwrap().before(now), OffsetDateTime::UNIX_EPOCH);
    }
}
