//! Agreement with published answers.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use tollgate::record::session::CurveClass::{self, Flat, NoSteadyState, Slowdown, WarmUp};
use tollgate::tune::steady::{SequenceKind, SteadyState, find_steady_state};

/// The share of series that must agree on whether there is a steady state.
const AGREEING: f64 = 0.9;
/// The share of steady series that must begin near the published iteration, and how near.
const NEAR: f64 = 0.8;
const DISTANCE: usize = 300;

/// One line of the file.
#[derive(Debug, Deserialize)]
struct PublishedSeries {
    series: String,
    fork: u32,
    /// −1 for never.
    steady_from: i64,
    seconds: Vec<f64>,
}

impl PublishedSeries {
    fn start(&self) -> Option<usize> {
        usize::try_from(self.steady_from).ok()
    }
}

/// A published answer and ours.
struct ComparedSeries {
    name: String,
    published: Option<usize>,
    found: SteadyState,
    took: Duration,
}

impl ComparedSeries {
    fn of(series: &PublishedSeries) -> Self {
        #[expect(clippy::disallowed_methods, reason = "it measures this program")]
        let before = std::time::Instant::now();
        let found = find_steady_state(&series.seconds, SequenceKind::Iterations);
        let name = format!("{} fork {}", series.series, series.fork);
        Self { name, published: series.start(), found, took: before.elapsed() }
    }

    fn agrees(&self) -> bool {
        self.published.is_some() == self.found.steady_from.is_some()
    }

    fn is_near(&self) -> bool {
        let both = self.published.zip(self.found.steady_from);
        both.is_some_and(|(published, found)| published.abs_diff(found) <= DISTANCE)
    }
}

/// The comparison of all series.
pub(crate) struct Comparison(Vec<ComparedSeries>);

impl Comparison {
    /// Compares the series of a file; an error begins with its line.
    pub(crate) fn of(text: &str) -> Result<Self, String> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let compared = lines.map(|(index, line)| {
            let series =
                serde_json::from_str(line).map_err(|error| format!("{}: {error}", index + 1))?;
            Ok(ComparedSeries::of(&series))
        });
        let compared = compared.collect::<Result<Vec<_>, String>>()?;
        if compared.is_empty() { Err(" no series".to_owned()) } else { Ok(Self(compared)) }
    }

    /// Whether both bounds hold.
    pub(crate) fn is_good(&self) -> bool {
        let steady = self.count(|series| series.published.is_some());
        let agreeing = self.count(ComparedSeries::agrees) as f64;
        let near = self.count(ComparedSeries::is_near) as f64;
        agreeing >= AGREEING * self.0.len() as f64 && near >= NEAR * steady as f64
    }

    fn count(&self, holds: impl Fn(&ComparedSeries) -> bool) -> usize {
        self.0.iter().filter(|series| holds(series)).count()
    }

    fn count_class(&self, published: bool, class: Option<CurveClass>) -> usize {
        self.count(|one| one.published.is_some() == published && one.found.class == class)
    }
}

fn start(index: Option<usize>) -> String {
    index.map_or_else(|| "never".to_owned(), |index| index.to_string())
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steady = self.count(|series| series.published.is_some());
        writeln!(f, "| published | flat | warm-up | slowdown | no steady state | not known |")?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|")?;
        for (name, is_steady) in [("steady", true), ("never", false)] {
            write!(f, "| {name} ")?;
            for class in [Some(Flat), Some(WarmUp), Some(Slowdown), Some(NoSteadyState), None] {
                write!(f, "| {} ", self.count_class(is_steady, class))?;
            }
            writeln!(f, "|")?;
        }
        let (agreeing, near) =
            (self.count(ComparedSeries::agrees), self.count(ComparedSeries::is_near));
        let mut times: Vec<Duration> = self.0.iter().map(|series| series.took).collect();
        times.sort();
        writeln!(f, "\nsteady or never: {agreeing} of {} agree", self.0.len())?;
        writeln!(f, "start within {DISTANCE} iterations: {near} of {steady}")?;
        let longest = times.last().copied().unwrap_or_default();
        writeln!(
            f,
            "time per series: median {:.1?}, longest {longest:.1?}",
            times[times.len() / 2]
        )?;
        for series in self.0.iter().filter(|series| !series.agrees() || !series.is_near()) {
            if series.published.is_some() || !series.agrees() {
                let (published, found) = (start(series.published), start(series.found.steady_from));
                writeln!(f, "published {published}, found {found}: {}", series.name)?;
            }
        }
        Ok(())
    }
}
