//! One configuration of a session, and what its restarts showed.

use crate::record::session::{
    ConfigurationOutcome, CurveClass, Difference, Estimate, FigureKind, FigureOutcome, Finding,
    SessionRecord, ThrottleOutcome,
};
use crate::report::words;
use crate::units::format_duration;

use super::figure;

/// Maximum number of letters of a name where there is little room.
const SHORT: usize = 28;

/// A configuration and its outcome.
#[derive(Debug, Clone)]
pub(in crate::report) struct ConfigurationView {
    /// A short key that stands for it in plots and tables: `A`, `B`.
    pub(in crate::report) key: String,
    /// Its name, abbreviated.
    pub(in crate::report) name: String,
    /// Why it may help; may be empty.
    pub(in crate::report) hypothesis: String,
    /// How it is applied; may be empty.
    pub(in crate::report) change: String,
    /// Its CPUs and memory; may be empty.
    pub(in crate::report) size: String,
    /// Attempts that completed.
    pub(in crate::report) restarts: u32,
    /// Attempts that did not.
    pub(in crate::report) incomplete: u32,
    /// How its curves behave.
    pub(in crate::report) class: Option<CurveClass>,
    /// Its figures, in the order of [`FigureKind::ALL`].
    pub(in crate::report) figures: Vec<FigureView>,
    /// What the CPU quota did, in words.
    pub(in crate::report) throttle: String,
    /// Whether it held CPUs back.
    pub(in crate::report) is_throttled: bool,
    /// Further findings.
    pub(in crate::report) findings: Vec<ReasonedText>,
}

/// A figure of a configuration.
#[derive(Debug, Clone)]
pub(in crate::report) struct FigureView {
    /// Which figure.
    pub(in crate::report) kind: FigureKind,
    /// Its estimate, for plots.
    pub(in crate::report) estimate: Estimate,
    /// The estimate in words: `2.31 s`.
    pub(in crate::report) value: String,
    /// The interval in words: `2.2 – 2.4 s`; empty if there is none.
    pub(in crate::report) interval: String,
    /// How it differs from the first configuration.
    pub(in crate::report) difference: Option<DifferenceView>,
}

/// How a figure differs from the first configuration's.
#[derive(Debug, Clone)]
pub(in crate::report) struct DifferenceView {
    /// The difference, for plots.
    pub(in crate::report) difference: Difference,
    /// The difference in words: `−1.2 s`.
    pub(in crate::report) value: String,
    /// The interval in words: `−1.4 s to −1.0 s`; empty if there is none.
    pub(in crate::report) interval: String,
    /// What it says in two or three words: `faster`, `not clear`.
    pub(in crate::report) outcome: &'static str,
    /// The smallest difference that would have been seen: `95 ms`.
    pub(in crate::report) seen_above: String,
}

impl DifferenceView {
    fn new(kind: FigureKind, difference: Difference) -> Self {
        Self {
            value: figure::signed(kind, difference.estimate.value),
            interval: figure::signed_interval(kind, &difference.estimate),
            outcome: figure::outcome(kind, &difference),
            seen_above: figure::seen_above(kind, &difference),
            difference,
        }
    }

    /// The difference in one line: `−1.2 s (−1.4 s to −1.0 s), faster`.
    pub(in crate::report) fn line(&self) -> String {
        let Self { value, interval, outcome, .. } = self;
        if interval.is_empty() {
            format!("{value}, {outcome}")
        } else {
            format!("{value} ({interval}), {outcome}")
        }
    }

    /// Whether it is clear, and better (`true`) or worse.
    pub(in crate::report) fn is_better(&self) -> Option<bool> {
        self.difference.is_clear.then_some(self.difference.estimate.value < 0.0)
    }
}

impl FigureView {
    fn new(outcome: &FigureOutcome) -> Self {
        Self {
            kind: outcome.kind,
            estimate: outcome.estimate,
            value: figure::value(outcome.kind, outcome.estimate.value),
            interval: figure::interval(outcome.kind, &outcome.estimate),
            difference: outcome.difference.map(|by| DifferenceView::new(outcome.kind, by)),
        }
    }

    /// The estimate with its interval: `2.31 s (2.2 – 2.4 s)`.
    pub(in crate::report) fn with_interval(&self) -> String {
        if self.interval.is_empty() || self.interval == self.value {
            self.value.clone()
        } else {
            format!("{} ({})", self.value, self.interval)
        }
    }
}

impl ConfigurationView {
    /// The views of all configurations. Before the first conclusion they have no figures.
    pub(super) fn all(record: &SessionRecord) -> Vec<Self> {
        let outcomes =
            record.conclusion.as_ref().map(|it| it.configurations.as_slice()).unwrap_or_default();
        let planned = record.plan.configurations.iter().enumerate();
        planned.map(|(at, _)| Self::new(record, at, outcomes.get(at))).collect()
    }

    fn new(record: &SessionRecord, at: usize, outcome: Option<&ConfigurationOutcome>) -> Self {
        let planned = &record.plan.configurations[at];
        let attempts = || record.attempts_of(at);
        let incomplete = attempts().filter(|attempt| attempt.problem.is_some()).count();
        let completed = attempts().count() - incomplete;
        let (throttle, is_throttled) = outcome.map_or_else(
            || ("not concluded yet".to_owned(), false),
            |outcome| throttle_words(&outcome.throttle),
        );
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            key: key(at),
            name: words::name(&planned.name),
            hypothesis: words::display(&planned.hypothesis, words::LINE),
            change: words::display(&planned.change, words::LINE),
            size: words::display(&planned.size, words::NAME),
            restarts: outcome.map_or(count(completed), |outcome| outcome.restarts),
            incomplete: outcome.map_or(count(incomplete), |outcome| outcome.incomplete),
            class: outcome.and_then(|outcome| outcome.class),
            figures: outcome.map(figures).unwrap_or_default(),
            throttle,
            is_throttled,
            findings: outcome
                .map(|outcome| outcome.findings.iter().map(ReasonedText::of_finding).collect())
                .unwrap_or_default(),
        }
    }

    /// A figure; `None` if no restart has it.
    pub(in crate::report) fn figure(&self, kind: FigureKind) -> Option<&FigureView> {
        self.figures.iter().find(|figure| figure.kind == kind)
    }

    /// The key and the name: `B 2 GB`.
    pub(in crate::report) fn place(&self) -> String {
        format!("{} {}", self.key, self.name)
    }

    /// The key and the beginning and end of the name, for places with little room.
    pub(in crate::report) fn short_place(&self) -> String {
        format!("{} {}", self.key, words::abbreviated(&self.name, SHORT))
    }

    /// How its curves behave, in words.
    pub(in crate::report) fn class_name(&self) -> &'static str {
        self.class.map_or("–", CurveClass::name)
    }

    /// Its restarts in words: `5`, `4 (1 incomplete)`.
    pub(in crate::report) fn restarts_words(&self) -> String {
        match self.incomplete {
            0 => self.restarts.to_string(),
            incomplete => format!("{} ({incomplete} incomplete)", self.restarts),
        }
    }
}

/// The figures in the order of tables, each kind once.
fn figures(outcome: &ConfigurationOutcome) -> Vec<FigureView> {
    FigureKind::ALL
        .into_iter()
        .filter_map(|kind| outcome.figure(kind))
        .map(FigureView::new)
        .collect()
}

/// The key of a configuration: `A` to `Z`, then `A2` and so on.
pub(super) fn key(at: usize) -> String {
    let letter = u8::try_from(at % 26).map_or('?', |at| char::from(b'A' + at));
    match at / 26 {
        0 => letter.to_string(),
        turn => format!("{letter}{}", turn + 1),
    }
}

fn throttle_words(outcome: &ThrottleOutcome) -> (String, bool) {
    match outcome {
        ThrottleOutcome::Throttled { attempts, of, longest } => (
            format!(
                "throttled in {attempts} of {}, for up to {}",
                words::plural(u64::from(*of), "attempt"),
                format_duration(*longest)
            ),
            true,
        ),
        ThrottleOutcome::Free { of } => {
            (format!("not throttled in {}", words::plural(u64::from(*of), "attempt")), false)
        }
        ThrottleOutcome::NotKnown { why } => {
            (format!("not known: {}", words::display(why, words::LINE)), false)
        }
    }
}

/// A statement and the figures that it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct ReasonedText {
    /// The statement.
    pub(in crate::report) what: String,
    /// The figures; may be empty.
    pub(in crate::report) because: String,
}

impl ReasonedText {
    pub(super) fn new(what: &str, because: &str) -> Self {
        let [what, because] = [what, because].map(|text| words::display(text, words::REASON));
        Self { what, because }
    }

    fn of_finding(finding: &Finding) -> Self {
        Self::new(&finding.what, &finding.because)
    }

    /// Both in one line: `Apply it — in 3 rounds it took …`.
    pub(in crate::report) fn line(&self) -> String {
        if self.because.is_empty() {
            return self.what.clone();
        }
        format!("{} — {}", self.what.trim_end_matches('.'), self.because)
    }
}
