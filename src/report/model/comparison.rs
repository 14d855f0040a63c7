//! What reports show of a comparison: with a baseline, or between the two sides of a duet.

use std::time::Duration;

use crate::record::{
    ActualQuantile, BeforeAfter, ChangeVerdict, Comparison, Decision, QuantileChange,
    QuantileDifference, RequestComparison, ShareChange,
};
use crate::report::words;
use crate::units::{Ratio, format_duration};

/// What reports show of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct ComparisonView {
    /// The heading: what is compared.
    pub(in crate::report) title: String,
    /// Fail if the second side is slower, inconclusive if that cannot be said.
    pub(in crate::report) decision: Decision,
    /// Whether the exit code depends on it.
    pub(in crate::report) is_binding: bool,
    /// What was found, in one line.
    pub(in crate::report) headline: String,
    /// What a reader must know first, one sentence each.
    pub(in crate::report) notes: Vec<String>,
    /// The columns: the name of the figure, both values, their difference as a time and as a share,
    /// its interval, and what it shows.
    pub(in crate::report) heads: [String; COLUMNS],
    /// The requests in the order of the first side.
    pub(in crate::report) requests: Vec<ComparedRequestView>,
    /// How the changes were found.
    pub(in crate::report) method: String,
}

/// The figures of one compared request.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct ComparedRequestView {
    /// Scenario and request.
    pub(in crate::report) name: String,
    /// One row per figure.
    pub(in crate::report) rows: Vec<ComparedRow>,
}

/// One compared figure.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct ComparedRow {
    /// The cells, in the columns of the view.
    pub(in crate::report) cells: [String; COLUMNS],
    /// What the last cell says; `None` if the figure is only shown.
    pub(in crate::report) change: Option<ChangeVerdict>,
}

/// The number of columns of a compared request.
pub(in crate::report) const COLUMNS: usize = 7;

impl ComparisonView {
    pub(in crate::report) fn new(comparison: &Comparison) -> Self {
        Self {
            title: title(comparison),
            decision: comparison.decision(),
            is_binding: comparison.bounds_all_figures,
            headline: headline(comparison),
            notes: notes(comparison),
            heads: heads(comparison),
            requests: comparison.requests.iter().map(ComparedRequestView::new).collect(),
            method: method(comparison),
        }
    }

    /// The word for the decision: `SLOWER`, `NOT SHOWN SLOWER`, `UNDECIDED`.
    pub(in crate::report) fn word(&self) -> &'static str {
        word(self.decision)
    }
}

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Fail => "SLOWER",
        Decision::Pass => "NOT SHOWN SLOWER",
        Decision::Inconclusive => "UNDECIDED",
    }
}

/// What a comparison found, in one line: `undecided; too short to compare: …`.
pub fn comparison_line(comparison: &Comparison) -> String {
    word(comparison.decision()).to_lowercase() + &words::advice("; ", &headline(comparison))
}

impl ComparedRequestView {
    fn new(request: &RequestComparison) -> Self {
        let blank = String::new;
        let BeforeAfter { before, after } = request.exchanges.map(|count| words::count(*count));
        let n = ["n".to_owned(), before, after, blank(), blank(), blank(), blank()];
        let mut rows = vec![ComparedRow { cells: n, change: None }];
        rows.push(failed_row(&request.failed));
        let quantiles = request.latency.iter();
        rows.extend(quantiles.map(|figure| quantile_row(figure, request.exchanges)));
        let BeforeAfter { before, after } = request.max;
        let [difference, share] = difference_words(QuantileDifference::between(before, after));
        let [before, after] = [before, after].map(words::actual);
        let max = ["max".to_owned(), before, after, difference, share, blank(), blank()];
        rows.push(ComparedRow { cells: max, change: None });
        let name =
            format!("{} · {}", words::name(&request.scenario), words::name(&request.request));
        Self { name, rows }
    }
}

fn failed_row(failed: &ShareChange) -> ComparedRow {
    let count =
        |count: u64, share: Ratio| format!("{} ({})", words::count(count), words::share(share));
    let points = failed.share.after.as_f64() - failed.share.before.as_f64();
    let interval = failed
        .interval
        .map(|(low, high)| format!("{} to {} points", signed_points(low), signed_points(high)));
    let shows = match (failed.change, failed.interval) {
        (ChangeVerdict::NoneShown, Some((_, high))) => {
            format!("an increase above {:.2} points would have been detected", high * 100.0)
        }
        (change, _) => change_words(change, ["fails more often", "fails less often"]).to_owned(),
    };
    let cells = [
        "failed".to_owned(),
        count(failed.count.before, failed.share.before),
        count(failed.count.after, failed.share.after),
        if points == 0.0 { String::new() } else { format!("{} points", signed_points(points)) },
        String::new(),
        interval.unwrap_or_default(),
        shows,
    ];
    ComparedRow { cells, change: Some(failed.change) }
}

/// The row of a quantile. A side with too few exchanges for it has no figure.
fn quantile_row(figure: &QuantileChange, exchanges: BeforeAfter<u64>) -> ComparedRow {
    let least = figure.quantile.fewest_values();
    let shown = |exchanges: u64, actual: ActualQuantile| match exchanges {
        0 => words::actual(ActualQuantile::NoData),
        n if n < least => words::time(None),
        _ => words::actual(actual),
    };
    let actual = BeforeAfter {
        before: shown(exchanges.before, figure.actual.before),
        after: shown(exchanges.after, figure.actual.after),
    };
    let is_whole = exchanges.before.min(exchanges.after) >= least;
    let [difference, share] = difference_words(figure.whole_difference().filter(|_| is_whole));
    let interval = figure
        .interval
        .map(|(low, high)| format!("{} to {}", signed_micros(low), signed_micros(high)));
    let cells = [
        figure.quantile.to_string(),
        actual.before,
        actual.after,
        difference,
        share,
        interval.unwrap_or_default(),
        quantile_words(figure),
    ];
    ComparedRow { cells, change: Some(figure.change) }
}

/// What a quantile shows: slower, faster, or how large a slowdown would have been to show.
fn quantile_words(figure: &QuantileChange) -> String {
    match (figure.change, figure.interval) {
        (ChangeVerdict::NoneShown, Some((_, high))) => {
            format!("a slowdown above {} would have been detected", micros_words(high))
        }
        (ChangeVerdict::TooFew, _) => {
            format!("too few: {} a side are needed", words::count(figure.needed_exchanges()))
        }
        (change, _) => change_words(change, ["slower", "faster"]).to_owned(),
    }
}

fn change_words(change: ChangeVerdict, [more, less]: [&'static str; 2]) -> &'static str {
    match change {
        ChangeVerdict::More => more,
        ChangeVerdict::Less => less,
        ChangeVerdict::NoneShown => "no difference shown",
        ChangeVerdict::TooFew => "too few requests",
        ChangeVerdict::TooShort => "not compared",
        ChangeVerdict::NoData => "no data",
    }
}

fn heads(comparison: &Comparison) -> [String; COLUMNS] {
    let [before, after] = if comparison.duet.is_some() { ["A", "B"] } else { ["before", "after"] };
    let interval = format!("{} interval", level(comparison));
    ["latency", before, after, "difference", "", &interval, "more than chance?"].map(str::to_owned)
}

fn title(comparison: &Comparison) -> String {
    match &comparison.duet {
        Some(urls) => {
            let BeforeAfter { before, after } = urls.map(|url| words::display(url, words::LINE));
            format!("Duet: A {before}, B {after}")
        }
        None => format!("Compared with {}", comparison.runs.before.run),
    }
}

/// What a reader must know before the figures.
fn notes(comparison: &Comparison) -> Vec<String> {
    let drift = comparison.duet.is_none().then(|| {
        "the runs were made one after the other, so whatever changed in between counts as a \
         difference: load of the machines, network, time of day. `tollgate duet` excludes it"
            .to_owned()
    });
    let obstacles = comparison.requests.iter().filter_map(|request| {
        let obstacle = request.obstacle.as_ref()?;
        Some(format!("{} · {}: {obstacle}", request.scenario, request.request))
    });
    let unlike = comparison.unlike.iter().cloned();
    let all = drift.into_iter().chain(obstacles).chain(unlike);
    all.map(|note| words::display(&note, 2 * words::LINE)).collect()
}

/// What was found, in one line.
fn headline(comparison: &Comparison) -> String {
    let of_change = |wanted: ChangeVerdict| {
        let changes = comparison.requests.iter().filter_map(move |request| {
            let found = changed_figures(request, wanted);
            (!found.is_empty())
                .then(|| format!("{}: {}", words::name(&request.request), found.join(", ")))
        });
        changes.collect::<Vec<_>>().join("; ")
    };
    let slower = of_change(ChangeVerdict::More);
    if !slower.is_empty() {
        return slower;
    }
    if comparison.decision() == Decision::Inconclusive {
        return obstacle(comparison);
    }
    let mut parts = [ChangeVerdict::Less, ChangeVerdict::NoneShown].map(of_change).to_vec();
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

/// What leaves a comparison undecided.
fn obstacle(comparison: &Comparison) -> String {
    if let Some(obstacle) = comparison.requests.iter().find_map(|one| one.obstacle.clone()) {
        return obstacle;
    }
    if let Some((first, others)) = comparison.only.before.split_first() {
        let others = match others.len() {
            0 => " is".to_owned(),
            more => format!(" and {more} more are"),
        };
        return format!("`{}`{others} missing from the later run", words::name(first));
    }
    let incomparable = comparison.requests.iter().find(|one| !one.compares_latency());
    match incomparable {
        Some(one) => format!("the latencies of `{}` cannot be compared", words::name(&one.request)),
        None => "no request can be compared".to_owned(),
    }
}

/// The figures of a request with this change, each in some words.
fn changed_figures(request: &RequestComparison, wanted: ChangeVerdict) -> Vec<String> {
    let quantiles = request.latency.iter().filter(|figure| figure.change == wanted);
    let of_quantile = |figure: &QuantileChange| match (wanted, figure.interval) {
        (ChangeVerdict::NoneShown, Some((_, high))) => Some(format!(
            "a slowdown of {} above {} would have been detected",
            figure.quantile,
            micros_words(high)
        )),
        (ChangeVerdict::NoneShown, None) => None,
        (_, interval) => {
            let word = if wanted == ChangeVerdict::More { "slower" } else { "faster" };
            let difference = figure.difference.map(|micros| {
                let range = interval.map(|(low, high)| {
                    format!(" ({} to {})", signed_micros(low), signed_micros(high))
                });
                format!(" by {}{}", micros_words(micros), range.unwrap_or_default())
            });
            Some(format!("{} is {word}{}", figure.quantile, difference.unwrap_or_default()))
        }
    };
    let failed = (request.failed.change == wanted).then_some(match wanted {
        ChangeVerdict::More => Some("it fails more often"),
        ChangeVerdict::Less => Some("it fails less often"),
        _ => None,
    });
    let failed = failed.flatten().map(str::to_owned);
    failed.into_iter().chain(quantiles.filter_map(of_quantile)).collect()
}

/// How much an interval holds: it leaves out the error rate of a claim on each side.
fn level(comparison: &Comparison) -> String {
    let error = 1.0 - comparison.confidence.as_f64();
    words::share(Ratio::new(1.0 - 2.0 * error).unwrap_or(comparison.confidence))
}

/// How the changes were found and when their error rate holds.
fn method(comparison: &Comparison) -> String {
    let level = level(comparison);
    let which = if comparison.bounds_all_figures {
        "all reports of a change together are"
    } else {
        "each report of a change is"
    };
    let apart = if comparison.duet.is_some() {
        ""
    } else {
        " and nothing but the target changed between the runs"
    };
    format!(
        "Quantiles cover all exchanges and rank failures above every latency. The {level} intervals \
         come from blocks of time (jackknife), at least three times as long as latencies are correlated. \
         A change is reported if its interval leaves out zero: {which} wrong at most 1 time in 20 in \
         each direction, if blocks are independent{apart}."
    )
}

/// A difference in time and in percent, with signs; blank if there is none.
pub(in crate::report) fn difference_words(difference: Option<QuantileDifference>) -> [String; 2] {
    let Some(QuantileDifference { micros, share }) =
        difference.filter(|difference| difference.micros != 0)
    else {
        return Default::default();
    };
    let sign = if micros < 0 { '−' } else { '+' };
    let share = share.map(|share| format!("{sign}{:.0} %", share.abs() * 100.0));
    [signed_micros(micros), share.unwrap_or_default()]
}

/// A share in percent with its sign.
fn signed_points(share: f64) -> String {
    format!("{:+.2}", share * 100.0).replace('-', "−")
}

/// A time with its sign.
fn signed_micros(micros: i64) -> String {
    let sign = match micros.signum() {
        -1 => "−",
        0 => "",
        _ => "+",
    };
    format!("{sign}{}", micros_words(micros))
}

fn micros_words(micros: i64) -> String {
    format_duration(Duration::from_micros(micros.unsigned_abs()))
}
