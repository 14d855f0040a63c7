//! The target's `Server-Timing` report.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Histogram;

/// Histograms of the durations in `Server-Timing` headers, by metric
/// (<https://www.w3.org/TR/server-timing/>).
///
/// They are stored next to the measurement and never mixed with it. The number of metrics is
/// bounded, so that a hostile target cannot exhaust memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ServerTimings(BTreeMap<String, Histogram>);

impl ServerTimings {
    /// Maximum number of distinct metrics; later ones are counted under [`Self::OTHERS`].
    const DISTINCT: usize = 16;
    /// The name under which further metrics are counted together.
    pub const OTHERS: &'static str = "(others)";

    /// Counts one duration of a metric.
    pub fn record(&mut self, metric: &str, duration: Duration) {
        self.of(metric).record(duration);
    }

    /// Adds a histogram's values to those of a metric.
    pub fn add(&mut self, metric: &str, histogram: &Histogram) {
        self.of(metric).add(histogram);
    }

    /// Adds the metrics of another report.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(metric, histogram)| self.add(metric, histogram));
    }

    /// The metrics and their histograms, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Histogram)> {
        self.0.iter().map(|(metric, histogram)| (metric.as_str(), histogram))
    }

    /// Whether the target reported nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Rewrites every name in it, to redact secrets.
    pub fn rewrite(&mut self, rewrite: impl Fn(&str) -> String) {
        for (metric, histogram) in std::mem::take(&mut self.0) {
            self.0.entry(rewrite(&metric)).or_default().add(&histogram);
        }
    }

    /// The histogram of a metric, to add to; empty at first. Of too many metrics it is that of
    /// [`Self::OTHERS`].
    pub fn of(&mut self, metric: &str) -> &mut Histogram {
        let distinct = self.0.len() - usize::from(self.0.contains_key(Self::OTHERS));
        let is_one_too_many = !self.0.contains_key(metric) && distinct >= Self::DISTINCT;
        let metric = if is_one_too_many { Self::OTHERS } else { metric };
        if !self.0.contains_key(metric) {
            self.0.insert(metric.to_owned(), Histogram::default());
        }
        self.0.get_mut(metric).unwrap_or_else(|| unreachable!("it was just put there"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_invents_metrics_cannot_exhaust_memory() {
        let mut timings = ServerTimings::default();
        for at in 0..1_000 {
            timings.record(&format!("metric-{at}"), Duration::from_millis(1));
        }
        assert_eq!(timings.iter().count(), ServerTimings::DISTINCT + 1);
        let counted: u64 = timings.iter().map(|(_, histogram)| histogram.count()).sum();
        assert_eq!(counted, 1_000);
        let mut copied = ServerTimings::default();
        copied.merge(&timings);
        assert_eq!(copied, timings);
    }
}
