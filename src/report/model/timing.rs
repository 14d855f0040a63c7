//! Where the time of an exchange goes, cold and warm.

use std::time::Duration;

use crate::record::{Dimension, Histogram, RequestMeasurement, StageMeasurement};
use crate::units::{Quantile, Ratio};

use super::words;

/// Quantiles of one dimension over the ok exchanges that entered it; `None` if there are none, or
/// too few for a tail to differ from the maximum ([`Quantile::fewest_values`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::report) struct DurationQuantiles {
    /// Number of exchanges.
    pub(in crate::report) n: u64,
    /// The median.
    pub(in crate::report) p50: Option<Duration>,
    /// The 95th percentile.
    pub(in crate::report) p95: Option<Duration>,
    /// The 99th percentile.
    pub(in crate::report) p99: Option<Duration>,
    /// The maximum.
    pub(in crate::report) max: Option<Duration>,
}

impl DurationQuantiles {
    /// The quantiles of a histogram.
    pub(super) fn of(histogram: Option<&Histogram>) -> Self {
        let n = histogram.map_or(0, Histogram::count);
        let at = |quantile| histogram.and_then(|histogram| histogram.quantile(quantile));
        let tail = |quantile: Quantile| at(quantile).filter(|_| n >= quantile.fewest_values());
        Self {
            n,
            p50: at(Quantile::P50),
            p95: tail(Quantile::P95),
            p99: tail(Quantile::P99),
            max: histogram.and_then(Histogram::max),
        }
    }
}

/// Where the time of a request goes.
#[derive(Debug, Clone)]
pub(in crate::report) struct RequestTiming {
    /// Name of the measured stage next to the cold figures: `warm`, or `fresh` if most exchanges
    /// open a connection.
    pub(in crate::report) warm_name: &'static str,
    /// One row per part that any exchange entered, latency first; empty if the parts are unknown.
    pub(in crate::report) rows: Vec<TimingRow>,
    /// Cold compared with warm in one sentence; `None` if either is missing.
    pub(in crate::report) comparison: Option<String>,
}

/// One part of latency.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct TimingRow {
    /// Which part.
    pub(in crate::report) dimension: Dimension,
    /// Depth in the tree of parts: latency 0, service 1, body 2.
    pub(in crate::report) depth: usize,
    /// In the first exchange of each warm-up connection.
    pub(in crate::report) cold: DurationQuantiles,
    /// In the measured stage.
    pub(in crate::report) warm: DurationQuantiles,
}

/// The parts of latency as a tree, top down.
const TREE: [(Dimension, usize); 15] = [
    (Dimension::Latency, 0),
    (Dimension::Fresh, 1),
    (Dimension::Reused, 1),
    (Dimension::Lag, 1),
    (Dimension::Wait, 1),
    (Dimension::Setup, 1),
    (Dimension::Dns, 2),
    (Dimension::Connect, 2),
    (Dimension::Proxy, 2),
    (Dimension::Tls, 2),
    (Dimension::TlsFull, 3),
    (Dimension::TlsResumed, 3),
    (Dimension::Service, 1),
    (Dimension::FirstByte, 2),
    (Dimension::Body, 2),
];

impl RequestTiming {
    /// Where the time of a request went.
    pub(super) fn new(request: &RequestMeasurement) -> Self {
        let quantiles = |stage: &StageMeasurement, dimension| {
            DurationQuantiles::of(stage.series.get(dimension))
        };
        let rows: Vec<TimingRow> = TREE
            .into_iter()
            .map(|(dimension, depth)| TimingRow {
                dimension,
                depth,
                cold: quantiles(&request.cold, dimension),
                warm: quantiles(&request.measured, dimension),
            })
            .filter(|row| row.cold.n + row.warm.n > 0 && adds_information(row.dimension, request))
            .collect();
        // A record imported from another tool may have nothing but the total.
        let has_parts = rows.iter().any(|row| row.depth > 0);
        let rows = if has_parts { rows } else { Vec::new() };
        let mostly_fresh =
            Ratio::of(request.measured.tally.fresh, request.measured.tally.exchanges).as_f64()
                > 0.5;
        let warm_name = if mostly_fresh { "fresh" } else { "warm" };
        // All exchanges on fresh connections are the first on theirs, so nothing else is compared.
        let comparison = if mostly_fresh { None } else { comparison(&rows) };
        Self { warm_name, rows, comparison }
    }

    /// Whether it distinguishes kinds of connections or handshakes.
    pub(in crate::report) fn has_variants(&self) -> bool {
        use Dimension::{Fresh, Reused, TlsFull, TlsResumed};
        self.rows.iter().any(|row| [Fresh, Reused, TlsFull, TlsResumed].contains(&row.dimension))
    }

    /// Latency itself.
    pub(in crate::report) fn latency(&self) -> Option<&TimingRow> {
        self.rows.first().filter(|row| row.dimension == Dimension::Latency)
    }
}

/// Whether a row adds to the one above it: kinds of connections only if the measured stage saw
/// both, kinds of handshakes only if a session was resumed.
fn adds_information(dimension: Dimension, request: &RequestMeasurement) -> bool {
    let met = |stage: &StageMeasurement, dimension| stage.series.get(dimension).is_some();
    match dimension {
        Dimension::Fresh | Dimension::Reused => {
            [Dimension::Fresh, Dimension::Reused].iter().all(|&kind| met(&request.measured, kind))
        }
        Dimension::TlsFull | Dimension::TlsResumed => {
            [&request.cold, &request.measured].iter().any(|stage| met(stage, Dimension::TlsResumed))
        }
        _ => true,
    }
}

/// The smallest ratio of cold to warm latency that is reported. A smaller one is noise.
const NOTEWORTHY: f64 = 1.2;

fn comparison(rows: &[TimingRow]) -> Option<String> {
    let latency = rows.first().filter(|row| row.dimension == Dimension::Latency)?;
    let (cold, warm) = (latency.cold.p50?, latency.warm.p50?);
    let shown = |duration| words::time(Some(duration));
    let figures = format!("median latency {} cold, {} warm", shown(cold), shown(warm));
    let is_slower = cold.as_secs_f64() >= NOTEWORTHY * warm.as_secs_f64();
    if cold > warm && !is_slower {
        return None;
    }
    Some(match words::times(cold, warm) {
        Some(times) if is_slower => {
            format!(
                "{figures}: the first exchange of a connection takes {} longer ({times})",
                shown(cold.saturating_sub(warm))
            )
        }
        _ => format!("{figures}: the first exchange of a connection is not slower"),
    })
}

/// The name of a dimension in tables and plots: `first byte`.
pub(in crate::report) fn label(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Latency => "latency",
        Dimension::Fresh => "if fresh",
        Dimension::Reused => "if reused",
        Dimension::Lag => "lag",
        Dimension::Wait => "wait",
        Dimension::Setup => "setup",
        Dimension::Service => "service",
        Dimension::Dns => "dns",
        Dimension::Connect => "connect",
        Dimension::Proxy => "proxy",
        Dimension::Tls => "tls",
        Dimension::TlsFull => "if full",
        Dimension::TlsResumed => "if resumed",
        Dimension::FirstByte => "first byte",
        Dimension::Body => "body",
    }
}

/// A short explanation of a dimension.
pub(in crate::report) fn meaning(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Latency => "from due to done",
        Dimension::Fresh => "latency over a new connection",
        Dimension::Reused => "latency over a reused connection",
        Dimension::Lag => "the prober's own lateness",
        Dimension::Wait => "for a free connection",
        Dimension::Setup => "opening a connection",
        Dimension::Service => "from sent to done",
        Dimension::Dns => "looking up the name",
        Dimension::Connect => "TCP handshake",
        Dimension::Proxy => "the proxy's tunnel to the target",
        Dimension::Tls => "TLS handshake",
        Dimension::TlsFull => "full TLS handshake",
        Dimension::TlsResumed => "TLS handshake that resumed a session",
        Dimension::FirstByte => "until the response begins",
        Dimension::Body => "until the response ends",
    }
}
