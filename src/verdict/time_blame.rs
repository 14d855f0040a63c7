//! Where the time of the exceedances went: opening connections, the body, or the target, whose own
//! account may differ from what was measured here.
//!
//! Nothing here changes a decision. A `Server-Timing` header is what the target claims, not proof.

use std::time::Duration;

use crate::record::{Dimension, Histogram, ServerTimings, StageMeasurement};
use crate::units::{Quantile, format_duration};

/// The rank at which durations are compared: a quantile, or the maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ComparedRank {
    Quantile(Quantile),
    Max,
}

impl ComparedRank {
    /// The rank of a budget if the value there is at or above the ceiling; otherwise the maximum,
    /// which is the only one that certainly is.
    pub(super) fn of(
        quantile: Option<Quantile>,
        durations: Option<&Histogram>,
        ceiling: Duration,
    ) -> Self {
        let at = quantile.and_then(|quantile| durations?.quantile(quantile));
        match quantile {
            Some(quantile) if at.is_some_and(|at| at >= ceiling) => Self::Quantile(quantile),
            _ => Self::Max,
        }
    }

    fn read(self, histogram: &Histogram) -> Option<Duration> {
        match self {
            Self::Quantile(quantile) => histogram.quantile(quantile),
            Self::Max => histogram.max(),
        }
    }

    /// `at p95`, `at the maximum`.
    fn words(self) -> String {
        match self {
            Self::Quantile(quantile) => format!("at {quantile}"),
            Self::Max => "at the maximum".to_owned(),
        }
    }
}

/// What a part of the exceedances' time was spent on, as a clause, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeBlame {
    /// `the target itself reports 70 ms of 564 ms at p95 (app): …`.
    pub(super) words: String,
    /// Where to look.
    pub(super) remedy: &'static str,
}

/// Explains the exceedances of a ceiling on the latency, the service time or the first byte; the
/// other dimensions are parts already. Empty if nothing in the measurement explains them.
///
/// `over` is the number of slow exchanges among the exceedances; failures have no durations.
pub(super) fn explain(
    stage: &StageMeasurement,
    dimension: Dimension,
    ceiling: Duration,
    quantile: Option<Quantile>,
    over: u64,
) -> Vec<TimeBlame> {
    let rank = ComparedRank::of(quantile, stage.series.get(dimension), ceiling);
    let is_whole = matches!(dimension, Dimension::Latency | Dimension::Fresh | Dimension::Reused);
    let of_service = is_whole || dimension == Dimension::Service;
    let setup = is_whole.then(|| setup(stage, ceiling, over)).flatten();
    if setup.is_some() {
        return setup.into_iter().collect();
    }
    let body = of_service.then(|| body(stage, dimension, rank)).flatten();
    let own = (of_service || dimension == Dimension::FirstByte)
        .then(|| own_account(stage, dimension, rank, ceiling))
        .flatten();
    let wait = is_whole.then(|| wait(stage, dimension, rank)).flatten();
    wait.into_iter().chain(body.or(own)).collect()
}

/// The wait for a connection, if it took at least half of the time. It need not be the only cause:
/// the exceedances may be slow without it.
fn wait(stage: &StageMeasurement, dimension: Dimension, rank: ComparedRank) -> Option<TimeBlame> {
    let read = |dimension| rank.read(stage.series.get(dimension)?);
    let (wait, whole) = (read(Dimension::Wait)?, read(dimension)?);
    (wait * 2 >= whole).then(|| TimeBlame {
        words: format!(
            "waiting for a connection took {} of {} {}",
            format_duration(wait),
            format_duration(whole),
            rank.words()
        ),
        remedy: "allow as many connections as clients use, or lower the rate to what the target can serve",
    })
}

/// The set-up, if at least half of the slow exchanges opened a connection and spent half of the
/// ceiling or more on that.
fn setup(stage: &StageMeasurement, ceiling: Duration, over: u64) -> Option<TimeBlame> {
    let fresh = count_from(stage.series.get(Dimension::Fresh)?, ceiling).min(over);
    let took = stage.series.quantile(Dimension::Setup, Quantile::P50)?;
    if fresh == 0 || fresh * 2 < over || took * 2 < ceiling {
        return None;
    }
    let longest = Dimension::SETUP
        .into_iter()
        .filter_map(|phase| Some((stage.series.quantile(phase, Quantile::P50)?, phase)))
        .max()?;
    let opened =
        if fresh == over { "all of them".to_owned() } else { format!("{fresh} of the {over}") };
    Some(TimeBlame {
        words: format!(
            "{opened} opened a connection first, which took {} at p50 ({} {})",
            format_duration(took),
            longest.1,
            format_duration(longest.0)
        ),
        remedy: match longest.1 {
            Dimension::Dns => "check the resolver of this machine and the name's records",
            Dimension::Tls => {
                "check where TLS ends and how far that is from here; clients that keep connections open pay this once"
            }
            _ => {
                "check the network path and the target's listen queue; clients that keep connections open pay this once"
            }
        },
    })
}

/// The body, if it took at least half of the service time.
fn body(stage: &StageMeasurement, dimension: Dimension, rank: ComparedRank) -> Option<TimeBlame> {
    let read = |dimension| rank.read(stage.series.get(dimension)?);
    let (body, service) = (read(Dimension::Body)?, read(Dimension::Service)?);
    let whole = read(dimension)?;
    (body * 2 >= service && service * 2 >= whole).then(|| TimeBlame {
        words: format!(
            "the body took {} of the {} {}, after the first byte",
            format_duration(body),
            format_duration(service),
            rank.words()
        ),
        remedy: "look at the size of the body, its compression and the bandwidth, and whether the target streams it slowly",
    })
}

/// The target's own account of the service time, if the service time is at least half of what the
/// budget judges, or too long by itself.
fn own_account(
    stage: &StageMeasurement,
    dimension: Dimension,
    rank: ComparedRank,
    ceiling: Duration,
) -> Option<TimeBlame> {
    let of = if dimension == Dimension::FirstByte { dimension } else { Dimension::Service };
    let ours = stage.series.get(of)?;
    let (measured, whole) = (rank.read(ours)?, rank.read(stage.series.get(dimension)?)?);
    let (metric, own) = largest(&stage.server_timings, ours.count(), rank, measured)?;
    if measured * 2 < whole && measured < ceiling {
        return None;
    }
    let account = format!(
        "the target itself reports {} of {} {} ({metric})",
        format_duration(own),
        format_duration(measured),
        rank.words()
    );
    let share = own.as_secs_f64() / measured.as_secs_f64();
    let (rest, remedy) = match share {
        share if share < 0.5 => (
            ": the rest was spent outside the application (queue, proxy, freeze)",
            "look before the application: queues, proxies, CPU quota and pauses of the whole process",
        ),
        share if share < 0.7 => (
            "",
            "look both at what the application does and at what is before it (queue, proxy, freeze)",
        ),
        _ => (
            ": the time was spent in the application",
            "look at what the application does in that time: queries, calls to other services, rendering",
        ),
    };
    Some(TimeBlame { words: account + rest, remedy })
}

/// The metric with the longest duration, and that duration.
///
/// Metrics overlap (`total` contains `db`), so the longest is the best account of the whole.
/// Metrics that fewer than half of the answers carry, and those longer than what was measured, are
/// ignored.
fn largest(
    timings: &ServerTimings,
    answers: u64,
    rank: ComparedRank,
    measured: Duration,
) -> Option<(&str, Duration)> {
    timings
        .iter()
        .filter(|(metric, durations)| {
            *metric != ServerTimings::OTHERS && durations.count() * 2 >= answers
        })
        .filter_map(|(metric, durations)| Some((metric, rank.read(durations)?)))
        .filter(|(_, own)| *own <= measured.mul_f64(1.05))
        .max_by_key(|(_, own)| *own)
}

/// How many values of a histogram are at or above a limit, up to the width of a bucket.
fn count_from(histogram: &Histogram, limit: Duration) -> u64 {
    histogram.steps().filter(|(value, _)| *value >= limit).map(|(_, count)| count).sum()
}
