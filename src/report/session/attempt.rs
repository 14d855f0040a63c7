//! One attempt of a session, as plots and tables show it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::record::session::{
    Attempt, ConfigurationOutcome, CurveEnd, CurveFigures, ExchangeSample, FigureKind, SampleHeat,
    SessionRecord, StartKind,
};
use crate::record::{Decision, Dimension, Histogram};
use crate::report::words;
use crate::units::Quantile;

use super::configuration;
use super::figure;

/// One attempt.
#[derive(Debug, Clone)]
pub(in crate::report) struct AttemptView {
    /// Its number, from 1.
    pub(in crate::report) number: u32,
    /// Its round, from 1.
    pub(in crate::report) round: u32,
    /// The index of its configuration.
    pub(in crate::report) configuration: usize,
    /// The key of its configuration.
    pub(in crate::report) key: String,
    /// When it started, counted from the start of the session.
    pub(in crate::report) since_start: Duration,
    /// How long it took.
    pub(in crate::report) took: Duration,
    /// The machine that answered, abbreviated; `None` if it is not known.
    pub(in crate::report) machine: Option<String>,
    /// How its machine started.
    pub(in crate::report) start: StartKind,
    /// What the machine's events show, if latency does not confirm it.
    pub(in crate::report) start_by_events: Option<StartKind>,
    /// Its figures, as the conclusion states them.
    pub(in crate::report) values: BTreeMap<FigureKind, f64>,
    /// The intervals of its steady quantiles within the attempt, in seconds.
    pub(in crate::report) intervals: BTreeMap<FigureKind, (f64, f64)>,
    /// Its exchanges in the order of time, the first requests first.
    pub(in crate::report) points: Vec<CurvePoint>,
    /// The index in [`Self::points`] at which the steady state begins.
    pub(in crate::report) steady_from: Option<usize>,
    /// How its curve ended, in words.
    pub(in crate::report) curve_end: &'static str,
    /// The decision on its steady stage; `None` without one.
    pub(in crate::report) decision: Option<Decision>,
    /// How long the quota held CPUs back (see [`Attempt::throttled_time`]).
    pub(in crate::report) throttled: Option<Duration>,
    /// Whether that is at least [`Attempt::THROTTLE_FLOOR`].
    pub(in crate::report) is_throttled: bool,
    /// When it held them back, counted from the first request; earlier spans are left out. Empty
    /// unless it was throttled.
    pub(in crate::report) throttled_spans: Vec<(Duration, Duration)>,
    /// What went wrong; `None` if it was completed.
    pub(in crate::report) problem: Option<String>,
}

/// An exchange of a warm-up curve.
#[derive(Debug, Clone)]
pub(in crate::report) struct CurvePoint {
    /// When it was due, counted from the first request.
    pub(in crate::report) at: Duration,
    /// Its latency.
    pub(in crate::report) latency: Duration,
    /// Whether it met every expectation.
    pub(in crate::report) is_ok: bool,
    /// The state of what answered it.
    pub(in crate::report) heat: SampleHeat,
    /// How long each part took.
    pub(in crate::report) parts: PartTimes,
}

/// How long each part of an exchange took.
pub(in crate::report) type PartTimes = BTreeMap<Dimension, Duration>;

/// A part of an attempt's exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum StageSplit {
    /// The very first request.
    First,
    /// Those before the steady state, without the first.
    Before,
    /// Those in the steady state.
    Steady,
}

impl AttemptView {
    /// The views of all attempts, in the order of time.
    pub(super) fn all(record: &SessionRecord) -> Vec<Self> {
        record.attempts.iter().map(|attempt| Self::new(record, attempt)).collect()
    }

    fn new(record: &SessionRecord, attempt: &Attempt) -> Self {
        let conclusion = record.conclusion.as_ref();
        let outcome = conclusion.and_then(|it| it.configurations.get(attempt.configuration));
        let curve = outcome.and_then(|outcome| figures_of(outcome, attempt.number));
        let since_start = attempt.started - record.provenance.started;
        let first = attempt.first.len();
        Self {
            number: attempt.number,
            round: attempt.round,
            configuration: attempt.configuration,
            key: configuration::key(attempt.configuration),
            since_start: since_start.try_into().unwrap_or_default(),
            took: attempt.took,
            machine: attempt.machine.as_deref().map(words::name),
            start: attempt.start,
            start_by_events: attempt.start_by_events,
            values: curve.map(finite_values).unwrap_or_default(),
            intervals: intervals(attempt),
            points: points(attempt),
            steady_from: curve
                .and_then(|curve| curve.steady_from)
                .filter(|from| *from < attempt.curve.len())
                .map(|from| first + from),
            curve_end: curve_end(attempt.curve_end),
            decision: attempt.steady.as_ref().map(|steady| steady.decision),
            throttled: attempt.throttled_time(),
            is_throttled: attempt.is_throttled(),
            throttled_spans: throttled_spans(attempt),
            problem: attempt.problem.as_ref().map(|why| words::display(why, words::REASON)),
        }
    }

    /// The verdict on its steady stage, in words.
    pub(in crate::report) fn verdict(&self) -> String {
        self.decision.map_or_else(|| "–".to_owned(), |decision| decision.to_string())
    }

    /// How its curve ended, or that it was not completed.
    pub(in crate::report) fn curve_words(&self) -> &'static str {
        if self.problem.is_some() { "not completed" } else { self.curve_end }
    }

    /// How long the quota held its CPUs back, in words.
    pub(in crate::report) fn throttled_words(&self) -> String {
        match self.throttled {
            None => "not known".to_owned(),
            Some(_) if !self.is_throttled => "no".to_owned(),
            Some(time) => words::time(Some(time)),
        }
    }

    /// One of its figures in words; a dash without it.
    pub(in crate::report) fn value_words(&self, kind: FigureKind) -> String {
        self.values.get(&kind).map_or_else(|| "–".to_owned(), |value| figure::value(kind, *value))
    }

    /// Its key and number: `B, attempt 3`.
    pub(in crate::report) fn place(&self) -> String {
        format!("{}, attempt {}", self.key, self.number)
    }

    /// How many of its requests met which state: `40 cold, 81 warm`; a dash without requests.
    pub(in crate::report) fn heat_words(&self) -> String {
        let count = |heat| self.points.iter().filter(|point| point.heat == heat).count();
        let counts = SampleHeat::ALL.map(|heat| (heat, count(heat)));
        let known = counts.iter().filter(|(_, count)| *count > 0);
        let texts: Vec<String> =
            known.map(|(heat, count)| format!("{count} {}", heat.name())).collect();
        if texts.is_empty() { "–".to_owned() } else { texts.join(", ") }
    }

    /// When it started, counted from the start of the session: `+2.17 min`.
    pub(in crate::report) fn began_words(&self) -> String {
        format!("+{}", words::time(Some(self.since_start)))
    }

    /// How its machine started, in words: `booted`, `unknown (events: resumed)`.
    pub(in crate::report) fn start_words(&self) -> String {
        let start = start_name(self.start);
        self.start_by_events.map_or_else(
            || start.to_owned(),
            |events| format!("{start} (events: {})", start_name(events)),
        )
    }

    /// The ok exchanges of one part of the attempt. Without a steady state all after the first are
    /// before it.
    pub(in crate::report) fn split(&self, stage: StageSplit) -> impl Iterator<Item = &CurvePoint> {
        let steady = self.steady_from.unwrap_or(self.points.len()).max(1);
        let range = match stage {
            StageSplit::First => 0..1,
            StageSplit::Before => 1..steady,
            StageSplit::Steady => steady..self.points.len(),
        };
        self.points.get(range).unwrap_or_default().iter().filter(|point| point.is_ok)
    }
}

fn start_name(start: StartKind) -> &'static str {
    match start {
        StartKind::Booted => "booted",
        StartKind::Resumed => "resumed",
        StartKind::Ran => "ran all the time",
        StartKind::Unknown => "unknown",
    }
}

fn figures_of(outcome: &ConfigurationOutcome, attempt: u32) -> Option<&CurveFigures> {
    outcome.curves.iter().find(|curve| curve.attempt == attempt)
}

fn finite_values(curve: &CurveFigures) -> BTreeMap<FigureKind, f64> {
    curve.values.iter().copied().filter(|(_, value)| value.is_finite()).collect()
}

/// All exchanges with the time since the first request. The curve starts when the first requests
/// have ended.
fn points(attempt: &Attempt) -> Vec<CurvePoint> {
    let ends = attempt.first.iter().map(|sample| sample.due.saturating_add(sample.latency));
    let curve_start = ends.max().unwrap_or_default();
    let first = attempt.first.iter().map(|sample| point(sample, Duration::ZERO));
    first.chain(attempt.curve.iter().map(|sample| point(sample, curve_start))).collect()
}

fn point(sample: &ExchangeSample, start: Duration) -> CurvePoint {
    CurvePoint {
        at: start.saturating_add(sample.due),
        latency: sample.latency,
        is_ok: sample.failure.is_none(),
        heat: sample.heat.unwrap_or(SampleHeat::Unknown),
        parts: sample.parts.keys().map(|part| (*part, sample.part(*part))).collect(),
    }
}

/// The 90 % intervals of the steady quantiles within an attempt, from order statistics, as if its
/// requests were independent (David and Nagaraja, "Order Statistics", 2003, section 7.1).
fn intervals(attempt: &Attempt) -> BTreeMap<FigureKind, (f64, f64)> {
    let Some(steady) = &attempt.steady else { return BTreeMap::new() };
    let kinds = [(FigureKind::SteadyP50, Quantile::P50), (FigureKind::SteadyP95, Quantile::P95)];
    kinds
        .into_iter()
        .filter_map(|(kind, quantile)| Some((kind, interval(&steady.latency, quantile)?)))
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks are clamped to the number of exchanges"
)]
fn interval(latency: &Histogram, quantile: Quantile) -> Option<(f64, f64)> {
    const Z: f64 = 1.645;
    let (n, share) = (latency.count() as f64, quantile.as_f64());
    let half = Z * (n * share * (1.0 - share)).sqrt();
    let at = |rank: f64| latency.at_rank(rank.clamp(1.0, n.max(1.0)) as u64);
    let (low, high) = (at((n * share - half).floor())?, at((n * share + half).ceil())?);
    Some((low.as_secs_f64(), high.as_secs_f64()))
}

fn curve_end(end: CurveEnd) -> &'static str {
    match end {
        CurveEnd::Steady => "steady",
        CurveEnd::Limit => "not steady within the limit",
        CurveEnd::CutOff => "cut off",
        CurveEnd::Skipped => "no curve",
    }
}

fn throttled_spans(attempt: &Attempt) -> Vec<(Duration, Duration)> {
    let cpu = attempt.most_throttled_cpu().filter(|_| attempt.is_throttled());
    let (Some(cpu), Some(first)) = (cpu, attempt.first_due) else { return Vec::new() };
    let since = |at: time::OffsetDateTime| Duration::try_from(at - first).unwrap_or_default();
    let mut spans: Vec<_> = cpu
        .throttled_spans
        .iter()
        .map(|span| (since(span.from), since(span.to)))
        .filter(|(from, to)| from < to)
        .collect();
    spans.sort_unstable();
    spans
}
