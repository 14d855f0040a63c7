//! How the ceilings of a request judge one exchange.

use std::time::Duration;

use crate::record::{Ceiling, CeilingCount, Dimension, Failure, SlotCount};

use super::{Exchange, PartOutcome};

/// How one ceiling judges one exchange: what it adds to each count, 0 or 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CeilingJudgement {
    judged: u8,
    exceeded: u8,
    exceeded_without_lag: u8,
    exceeded_without_wait: u8,
}

impl CeilingJudgement {
    /// Judges an exchange, whose connection kind must be set.
    pub(super) fn new(ceiling: &Ceiling, exchange: &Exchange) -> Self {
        use Dimension::{Fresh, Lag, Latency, Reused, Wait};
        let Exchange { parts, stood_still, failed, .. } = exchange;
        let duration = match parts.get(ceiling.dimension) {
            PartOutcome::Skipped => return Self::default(),
            PartOutcome::Died => {
                let is_all_wait =
                    failed.as_ref().is_some_and(|failed| failed.failure == Failure::Dropped);
                return Self {
                    judged: 1,
                    exceeded: 1,
                    exceeded_without_lag: 1,
                    exceeded_without_wait: u8::from(!is_all_wait),
                };
            }
            PartOutcome::Took(duration) => duration,
        };
        let of_latency = |part| match ceiling.dimension {
            Latency | Fresh | Reused => parts.duration(part),
            _ => Duration::ZERO,
        };
        let exceeds =
            |excluded: Duration| u8::from(duration.saturating_sub(excluded) >= ceiling.limit);
        Self {
            judged: 1,
            exceeded: exceeds(Duration::ZERO),
            exceeded_without_lag: exceeds(of_latency(Lag) + *stood_still),
            exceeded_without_wait: exceeds(of_latency(Wait)),
        }
    }

    /// Adds the judgements of one exchange to the counts of their ceilings.
    pub(super) fn add_each(counts: &mut Vec<CeilingCount>, judgements: &[Self]) {
        if counts.len() < judgements.len() {
            counts.resize(judgements.len(), CeilingCount::default());
        }
        for (count, judged) in counts.iter_mut().zip(judgements) {
            count.judged += u64::from(judged.judged);
            count.exceeded += u64::from(judged.exceeded);
            count.exceeded_without_lag += u64::from(judged.exceeded_without_lag);
            count.exceeded_without_wait += u64::from(judged.exceeded_without_wait);
        }
    }
}

impl From<CeilingJudgement> for SlotCount {
    fn from(judged: CeilingJudgement) -> Self {
        Self {
            judged: judged.judged.into(),
            exceeded: judged.exceeded.into(),
            exceeded_without_lag: judged.exceeded_without_lag.into(),
        }
    }
}
