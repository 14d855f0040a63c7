//! The counts and histograms of one second, request and stage.

use crate::record::session::ExchangeSample;
use crate::record::{
    Dimension, DimensionHistograms, EvidenceLog, Failure, Histogram, Interval, ServerTimings,
    SlotCount, StageMeasurement, Tally,
};

use super::judgement::CeilingJudgement;
use super::{Exchange, ExchangeFailure, PartOutcome};

/// The counts and histograms of one second, request and stage.
#[derive(Debug, Default)]
pub struct SecondSlot {
    /// Counts of the exchanges.
    pub tally: Tally,
    /// The failures that occurred.
    pub evidence: EvidenceLog,
    /// The target's `Server-Timing` report in the answers of the ok exchanges.
    pub server_timings: ServerTimings,
    /// The exchanges that are kept one by one.
    pub samples: Vec<ExchangeSample>,
    /// By dimension. Latency has none: it is the sum of those of fresh and reused connections.
    histograms: [Option<Box<Histogram>>; Dimension::ALL.len()],
}

impl SecondSlot {
    /// The dimensions whose values are counted one by one.
    const COUNTED: [Dimension; Dimension::ALL.len() - 1] = {
        let [latency, counted @ ..] = Dimension::ALL;
        assert!(matches!(latency, Dimension::Latency));
        counted
    };

    /// Notes a failure that does not count against the target: it is only evidence.
    pub fn note(&mut self, failed: &ExchangeFailure) {
        self.tally.beyond_limits += u64::from(failed.failure == Failure::OwnLimit);
        self.evidence.add(failed.to_evidence());
    }

    /// Counts one exchange; `judged` is how each ceiling judged it, and `slot` the number of the
    /// slot in which it was due, if slots are counted.
    pub(super) fn record(
        &mut self,
        judged: &[CeilingJudgement],
        slot: Option<u64>,
        exchange: &Exchange,
    ) {
        CeilingJudgement::add_each(&mut self.tally.ceilings, judged);
        if let Some(slot) = slot {
            let of_ceilings = judged.iter().map(|judged| SlotCount::from(*judged));
            let counts = std::iter::once(failure_count(exchange)).chain(of_ceilings);
            self.tally.slots.add(slot, counts);
        }
        for dimension in Self::COUNTED {
            if let PartOutcome::Took(duration) = exchange.parts.get(dimension) {
                self.histograms[dimension as usize].get_or_insert_default().record(duration);
            }
        }
        self.tally.exchanges += 1;
        self.tally.fresh += u64::from(exchange.fresh);
        self.tally.body_bytes += exchange.body_bytes;
        match &exchange.failed {
            None => {
                self.tally.ok += 1;
                for (metric, duration) in &exchange.server_timings {
                    self.server_timings.record(metric, *duration);
                }
            }
            Some(failed) => {
                *self.tally.failures.entry(failed.failure).or_default() += 1;
                self.evidence.add(failed.to_evidence());
            }
        }
    }

    /// Adds another lane's slot of the same second, request and stage.
    pub fn merge(&mut self, other: &Self) {
        self.tally.merge(&other.tally);
        self.evidence.merge(&other.evidence);
        self.server_timings.merge(&other.server_timings);
        self.samples.extend_from_slice(&other.samples);
        for (mine, theirs) in self.histograms.iter_mut().zip(&other.histograms) {
            if let Some(theirs) = theirs {
                mine.get_or_insert_default().add(theirs);
            }
        }
    }

    /// The histograms by dimension.
    pub fn series(&self) -> DimensionHistograms {
        let mut series = DimensionHistograms::default();
        for dimension in Self::COUNTED {
            let Some(histogram) = &self.histograms[dimension as usize] else { continue };
            series.add(dimension, histogram);
            if let Dimension::Fresh | Dimension::Reused = dimension {
                series.add(Dimension::Latency, histogram);
            }
        }
        series
    }

    /// Adds the evidence of this slot and the counts and histograms of the interval made from it to
    /// the totals of its stage.
    pub fn add_to(&self, totals: &mut StageMeasurement, interval: &Interval) {
        totals.add(interval);
        totals.evidence.merge(&self.evidence);
    }
}

/// What one exchange adds to the counts of failures in its slot.
fn failure_count(exchange: &Exchange) -> SlotCount {
    let failure = exchange.failed.as_ref().map(|failed| failed.failure);
    SlotCount {
        judged: 1,
        exceeded: u32::from(failure.is_some()),
        exceeded_without_lag: u32::from(failure == Some(Failure::Dropped)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::ExchangeParts;
    use super::*;
    use crate::record::{Ceiling, CeilingCount};

    const AT_300: Ceiling =
        Ceiling { dimension: Dimension::Latency, limit: Duration::from_millis(300) };

    fn exchange(parts: &[(Dimension, u64)]) -> Exchange {
        let mut made = ExchangeParts::default();
        for (dimension, millis) in parts {
            made.set_duration(*dimension, Duration::from_millis(*millis));
        }
        Exchange { parts: made, ..Exchange::default() }
    }

    /// Counts an exchange as a recorder does.
    fn record(slot: &mut SecondSlot, ceilings: &[Ceiling], mut exchange: Exchange) {
        exchange.parts.set_connection_kind(exchange.fresh);
        let judged = ceilings.iter().map(|ceiling| CeilingJudgement::new(ceiling, &exchange));
        slot.record(&judged.collect::<Vec<_>>(), None, &exchange);
    }

    /// For each ceiling: judged, exceeded, exceeded without lag, exceeded without wait.
    fn counts(slot: &SecondSlot) -> Vec<(u64, u64, u64, u64)> {
        let counts = slot.tally.ceilings.iter();
        counts
            .map(|count| {
                let CeilingCount { judged, exceeded, exceeded_without_lag, exceeded_without_wait } =
                    *count;
                (judged, exceeded, exceeded_without_lag, exceeded_without_wait)
            })
            .collect()
    }

    #[test]
    fn a_latency_equal_to_the_ceiling_exceeds_it() {
        let mut slot = SecondSlot::default();
        record(&mut slot, &[AT_300], exchange(&[(Dimension::Latency, 300)]));
        record(&mut slot, &[AT_300], exchange(&[(Dimension::Latency, 299)]));
        assert_eq!(counts(&slot), [(2, 1, 1, 1)]);
    }

    #[test]
    fn an_exceedance_caused_by_lag_is_counted_separately() {
        let mut slot = SecondSlot::default();
        record(&mut slot, &[AT_300], exchange(&[(Dimension::Latency, 350), (Dimension::Lag, 100)]));
        assert_eq!(counts(&slot), [(1, 1, 0, 1)]);
    }

    #[test]
    fn an_exceedance_during_a_standstill_is_counted_separately() {
        let mut slot = SecondSlot::default();
        let late = exchange(&[(Dimension::Latency, 350), (Dimension::Service, 350)]);
        record(&mut slot, &[AT_300], Exchange { stood_still: Duration::from_millis(100), ..late });
        assert_eq!(counts(&slot), [(1, 1, 0, 1)]);
    }

    #[test]
    fn an_exceedance_caused_by_wait_is_counted_separately() {
        let mut slot = SecondSlot::default();
        record(
            &mut slot,
            &[AT_300],
            exchange(&[(Dimension::Latency, 350), (Dimension::Wait, 340)]),
        );
        assert_eq!(counts(&slot), [(1, 1, 1, 0)]);
    }

    #[test]
    fn the_time_of_a_dropped_arrival_is_all_wait() {
        let mut slot = SecondSlot::default();
        let mut dropped = exchange(&[(Dimension::Lag, 0)]);
        dropped.parts.set_failed(Dimension::Wait);
        dropped.parts.fail_answer();
        let failed =
            Some(Box::new(ExchangeFailure::in_phase(Failure::Dropped, Dimension::Wait, "")));
        record(&mut slot, &[AT_300], Exchange { failed, ..dropped });
        assert_eq!(counts(&slot), [(1, 1, 1, 0)]);
    }

    #[test]
    fn fresh_and_reused_connections_have_separate_latencies() {
        let mut slot = SecondSlot::default();
        record(&mut slot, &[], Exchange { fresh: true, ..exchange(&[(Dimension::Latency, 90)]) });
        record(&mut slot, &[], exchange(&[(Dimension::Latency, 10)]));
        let series = slot.series();
        let longest =
            |dimension| series.get(dimension).and_then(Histogram::max).map(|max| max.as_millis());
        assert_eq!((longest(Dimension::Fresh), longest(Dimension::Reused)), (Some(90), Some(10)));
        assert_eq!(series.get(Dimension::Latency).map(Histogram::count), Some(2));
    }

    #[test]
    fn a_failed_exchange_exceeds_the_ceiling_but_enters_no_latency_quantile() {
        let mut failed =
            exchange(&[(Dimension::Latency, 1), (Dimension::FirstByte, 1), (Dimension::Lag, 0)]);
        failed.parts.fail_answer();
        failed.failed =
            Some(Box::new(ExchangeFailure::in_phase(Failure::Reset, Dimension::FirstByte, "")));
        let mut slot = SecondSlot::default();
        record(&mut slot, &[AT_300], failed);
        assert_eq!(slot.tally.ceilings[0].exceeded, 1);
        assert_eq!(slot.tally.failed_by(Failure::Reset), 1);
        let series = slot.series();
        assert!(series.get(Dimension::Latency).is_none());
        assert!(series.get(Dimension::FirstByte).is_none());
        assert_eq!(series.get(Dimension::Lag).map(Histogram::count), Some(1));
    }

    #[test]
    fn a_phase_ceiling_judges_only_the_exchanges_that_entered_the_phase() {
        let tls = Ceiling { dimension: Dimension::Tls, limit: Duration::from_millis(50) };
        let mut slot = SecondSlot::default();
        record(&mut slot, &[tls], exchange(&[(Dimension::Latency, 400)]));
        record(&mut slot, &[tls], exchange(&[(Dimension::Latency, 400), (Dimension::Tls, 20)]));
        assert_eq!(counts(&slot), [(1, 0, 0, 0)]);
    }
}
