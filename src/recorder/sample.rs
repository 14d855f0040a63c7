//! One exchange kept on its own.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Exchange, ExchangeParts, PartOutcome};
use crate::record::session::ExchangeSample;
use crate::record::{Dimension, micros};

/// An exchange as a sample. Its request has no name yet: a recorder knows only the index.
pub(super) fn of(due: Duration, latency: Duration, exchange: &Exchange) -> ExchangeSample {
    ExchangeSample {
        request: String::new(),
        due,
        latency,
        parts: completed_parts(&exchange.parts),
        failure: exchange.failed.as_ref().map(|failed| failed.failure),
        fresh: exchange.fresh,
        heat: None,
    }
}

/// The parts that were completed, in microseconds.
///
/// The sum so far is rounded, not each part, so that they add up to the rounded latency.
fn completed_parts(parts: &ExchangeParts) -> BTreeMap<Dimension, u64> {
    let mut sum = Duration::ZERO;
    let completed = Dimension::PARTS.into_iter().filter_map(|part| {
        let PartOutcome::Took(took) = parts.get(part) else { return None };
        let before = micros::whole(sum);
        sum += took;
        Some((part, micros::whole(sum) - before))
    });
    completed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Failure;
    use crate::recorder::ExchangeFailure;

    #[test]
    fn the_parts_add_up_to_the_latency_in_whole_microseconds() {
        let mut parts = ExchangeParts::default();
        for part in [Dimension::Lag, Dimension::Wait, Dimension::FirstByte, Dimension::Body] {
            parts.set_duration(part, Duration::from_nanos(1_900));
        }
        let latency = Duration::from_nanos(4 * 1_900);
        let sample =
            of(Duration::ZERO, latency, &Exchange { parts, fresh: true, ..Exchange::default() });
        assert_eq!(sample.parts.values().sum::<u64>(), 7);
        assert_eq!(sample.part(Dimension::Wait), Duration::from_micros(2));
        assert!(sample.fresh && sample.failure.is_none());
    }

    #[test]
    fn a_failed_exchange_keeps_its_time_and_only_the_parts_that_it_completed() {
        let mut parts = ExchangeParts::default();
        parts.set_duration(Dimension::Connect, Duration::from_millis(2));
        parts.set_duration(Dimension::FirstByte, Duration::from_millis(5));
        parts.fail_answer();
        let failed = Some(Box::new(ExchangeFailure::new(Failure::Status, "503")));
        let latency = Duration::from_millis(7);
        let sample =
            of(Duration::ZERO, latency, &Exchange { parts, failed, ..Exchange::default() });
        assert_eq!((sample.latency, sample.failure), (latency, Some(Failure::Status)));
        assert_eq!(sample.parts, BTreeMap::from([(Dimension::Connect, 2_000)]));
    }
}
