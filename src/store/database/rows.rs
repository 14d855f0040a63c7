//! Rows as columns: with one array per column, one statement inserts many rows.

use std::borrow::Cow;

use crate::hlog::SERVER_TIMING;
use crate::record::{DimensionHistograms, EncodedHistogram, ServerTimings, Stage};

/// Rows of `total_histograms` or of `interval_histograms`.
#[derive(Debug, Default)]
pub(super) struct HistogramRows {
    /// The position of the request or of the interval.
    pub(super) of: Vec<i32>,
    pub(super) stage: Vec<&'static str>,
    pub(super) dimension: Vec<String>,
    pub(super) count: Vec<i64>,
    pub(super) clipped: Vec<i64>,
    pub(super) min_us: Vec<Option<i64>>,
    pub(super) p50_us: Vec<Option<i64>>,
    pub(super) p95_us: Vec<Option<i64>>,
    pub(super) p99_us: Vec<Option<i64>>,
    pub(super) max_us: Vec<Option<i64>>,
    pub(super) hdr: Vec<Vec<u8>>,
}

impl HistogramRows {
    /// Adds a row for each dimension and each `Server-Timing` metric.
    pub(super) fn add(
        &mut self,
        of: i32,
        stage: Stage,
        series: &DimensionHistograms,
        server_timings: &ServerTimings,
    ) {
        for (dimension, histogram) in series.iter() {
            self.push(of, stage, dimension.name().to_owned(), EncodedHistogram::of(histogram));
        }
        for (metric, histogram) in server_timings.iter() {
            let metric = text(&format!("{SERVER_TIMING}{metric}")).into_owned();
            self.push(of, stage, metric, EncodedHistogram::of(histogram));
        }
    }

    fn push(&mut self, of: i32, stage: Stage, dimension: String, packed: EncodedHistogram) {
        let figure = |figure: Option<u64>| figure.map(whole);
        self.of.push(of);
        self.stage.push(stage.name());
        self.dimension.push(dimension);
        self.count.push(whole(packed.count));
        self.clipped.push(whole(packed.clipped));
        self.min_us.push(figure(packed.min_us));
        self.p50_us.push(figure(packed.p50_us));
        self.p95_us.push(figure(packed.p95_us));
        self.p99_us.push(figure(packed.p99_us));
        self.max_us.push(figure(packed.max_us));
        self.hdr.push(packed.hdr);
    }

    pub(super) fn len(&self) -> usize {
        self.hdr.len()
    }
}

/// A count or a number of microseconds as Postgres's `bigint`; the largest `bigint` if it does not
/// fit.
pub(super) fn whole(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A position as Postgres's `integer`.
pub(super) fn place(position: usize) -> i32 {
    i32::try_from(position).unwrap_or(i32::MAX)
}

/// A text that Postgres accepts: without U+0000, which a target may send.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Texts that Postgres accepts.
pub(super) fn texts<'a>(all: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    all.into_iter().map(|one| text(one).into_owned()).collect()
}
