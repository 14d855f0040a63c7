//! The durations of one budget's exchanges in ascending order; failures rank at +∞.

use std::time::Duration;

use super::binomial::{ErrorRate, ExceedanceCount, lower_rank, upper_rank};
use super::evidence::{BetSide, ShareInterval};
use crate::record::{ActualQuantile, CeilingCount, Dimension, Histogram, RequestMeasurement};
use crate::units::{Quantile, Ratio};

/// The durations of a request and their count against one ceiling.
///
/// Ranks come from the histogram of the successes, whose buckets are 0.1 % wide; the ceiling's own
/// count is exact. If a bucket spans the ceiling, the value is moved to the side that the exact
/// count gives, so that the printed value never contradicts the decision.
pub(super) struct RankedDurations<'a> {
    dimension: Dimension,
    ceiling: Duration,
    count: CeilingCount,
    successes: Option<&'a Histogram>,
}

impl<'a> RankedDurations<'a> {
    /// The measured stage of a request against a ceiling; empty if the ceiling was not counted.
    pub(super) fn of(
        request: &'a RequestMeasurement,
        dimension: Dimension,
        ceiling: Duration,
    ) -> Self {
        let measured = &request.measured;
        let mut failure_budget = request.ceilings.iter().zip(&measured.tally.ceilings);
        let found = failure_budget
            .find(|(known, _)| (known.dimension, known.limit) == (dimension, ceiling));
        let count = found.map(|(_, count)| *count).unwrap_or_default();
        Self { dimension, ceiling, count, successes: measured.series.get(dimension) }
    }

    /// The exchanges at or above the ceiling, failures among them.
    pub(super) fn exceeded(&self) -> ExceedanceCount {
        ExceedanceCount { over: self.count.exceeded, of: self.count.judged }
    }

    /// The exceedances that the prober's lag does not explain; none for a budget on the lag itself.
    pub(super) fn without_lag(&self) -> ExceedanceCount {
        let is_lag = self.dimension == Dimension::Lag;
        ExceedanceCount {
            over: if is_lag { 0 } else { self.count.exceeded_without_lag },
            of: self.count.judged,
        }
    }

    /// What was counted against the ceiling.
    pub(super) fn count(&self) -> CeilingCount {
        self.count
    }

    /// The exchanges judged that failed.
    pub(super) fn failures(&self) -> u64 {
        self.count.judged.saturating_sub(self.successes.map_or(0, Histogram::count))
    }

    /// The quantile of all exchanges.
    pub(super) fn quantile(&self, quantile: Quantile) -> ActualQuantile {
        self.at(Histogram::rank_of(quantile, self.count.judged))
    }

    /// The longest of all exchanges.
    pub(super) fn max(&self) -> ActualQuantile {
        self.at(self.count.judged)
    }

    /// A figure of the successes alone; `None` if there are no failures.
    pub(super) fn of_successes(
        &self,
        figure: impl Fn(&Histogram) -> Option<Duration>,
    ) -> Option<Duration> {
        self.successes.filter(|_| self.failures() > 0).and_then(figure)
    }

    /// The interval of the target's quantile that leaves out the stated error rate on each side.
    ///
    /// The budget holds exactly if its upper end is below the ceiling. With too few exchanges for a
    /// bound, the lower end is zero and the upper end unbounded.
    pub(super) fn interval(&self, quantile: Quantile) -> (ActualQuantile, ActualQuantile) {
        let (of, allowed) = (self.count.judged, quantile.allowed_exceedance());
        if of == 0 {
            return (ActualQuantile::NoData, ActualQuantile::NoData);
        }
        let low = lower_rank(of, allowed, ErrorRate::STATED);
        let high = upper_rank(of, allowed, ErrorRate::STATED);
        (
            low.map_or(ActualQuantile::At(Duration::ZERO), |rank| self.at(rank)),
            high.map_or(ActualQuantile::Unbounded, |rank| self.at(rank)),
        )
    }

    /// The interval of the quantile that allows `allowed` above it, read where `shares` says.
    /// `proven` is the side that the same evidence proves: the upper end is below the ceiling
    /// exactly if the budget holds, the lower end at or above it exactly if it is breached.
    pub(super) fn interval_of(
        &self,
        shares: ShareInterval,
        allowed: Ratio,
        proven: Option<BetSide>,
    ) -> (ActualQuantile, ActualQuantile) {
        let of = self.count.judged;
        if of == 0 {
            return (ActualQuantile::NoData, ActualQuantile::NoData);
        }
        let observed = Ratio::of(self.count.exceeded, of);
        let (upper, lower) = shares.quantile_shares(observed, allowed);
        let below = of - self.count.exceeded.min(of);
        let high = upper.map(|share| {
            let rank = of - share_of(of, share, f64::floor).min(of);
            if proven == Some(BetSide::Pass) { rank.min(below) } else { rank.max(below + 1) }
        });
        let low = lower.map(|share| {
            let rank = (of + 1).saturating_sub(share_of(of, share, f64::ceil));
            if proven == Some(BetSide::Fail) { rank.max(below + 1) } else { rank.min(below) }
        });
        let low = low.filter(|rank| *rank > 0);
        let high = high.filter(|rank| *rank <= of);
        (
            low.map_or(ActualQuantile::At(Duration::ZERO), |rank| self.at(rank.min(of))),
            high.map_or(ActualQuantile::Unbounded, |rank| self.at(rank.max(1))),
        )
    }

    /// The value of a rank, counted from 1.
    fn at(&self, rank: u64) -> ActualQuantile {
        if self.count.judged == 0 {
            return ActualQuantile::NoData;
        }
        let is_below = rank <= self.count.judged.saturating_sub(self.count.exceeded);
        match self.successes.and_then(|histogram| histogram.at_rank(rank)) {
            Some(read) if is_below => ActualQuantile::At(read.min(self.just_below())),
            Some(read) => ActualQuantile::At(read.max(self.ceiling)),
            None => ActualQuantile::Unbounded,
        }
    }

    fn just_below(&self) -> Duration {
        self.ceiling.saturating_sub(Duration::from_micros(1))
    }
}

/// A share of a count, rounded; a tolerance keeps a rounding error from changing it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count is a count"
)]
fn share_of(count: u64, share: Ratio, round: fn(f64) -> f64) -> u64 {
    let exact = count as f64 * share.as_f64();
    let near = exact.round();
    if (exact - near).abs() < 1e-6 { near as u64 } else { round(exact) as u64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::Decision;
    use crate::units::Ratio;
    use crate::verdict::fixture::{FixtureRequest, one_budget};

    const LIMIT: Duration = Duration::from_millis(300);

    #[test]
    fn a_value_in_the_ceilings_own_bucket_is_read_on_the_side_the_count_puts_it() {
        let just_under = FixtureRequest::new("tile", &["max < 300ms"]).took(&[299_999]).measured();
        assert_eq!(
            RankedDurations::of(&just_under, Dimension::Latency, LIMIT).max(),
            ActualQuantile::At(Duration::from_micros(299_999))
        );
        let just_at = FixtureRequest::new("tile", &["max < 300ms"]).took(&[300_000]).measured();
        let ActualQuantile::At(read) =
            RankedDurations::of(&just_at, Dimension::Latency, LIMIT).max()
        else {
            panic!()
        };
        assert!(read >= LIMIT);
    }

    #[test]
    fn failures_rank_above_every_success() {
        let ninety = vec![100_000; 90];
        let request =
            FixtureRequest::new("tile", &["p95 < 300ms"]).took(&ninety).refused(10).measured();
        let ranked_durations = RankedDurations::of(&request, Dimension::Latency, LIMIT);
        assert_eq!(ranked_durations.failures(), 10);
        assert_eq!(ranked_durations.quantile(Quantile::P95), ActualQuantile::Unbounded);
        assert!(matches!(ranked_durations.quantile(Quantile::P90), ActualQuantile::At(_)));
        assert_eq!(ranked_durations.max(), ActualQuantile::Unbounded);
        assert!(
            ranked_durations.of_successes(|histogram| histogram.quantile(Quantile::P95)).is_some()
        );
        let (low, high) = ranked_durations.interval(Quantile::P95);
        assert_eq!((low, high), (ActualQuantile::Unbounded, ActualQuantile::Unbounded));
    }

    #[test]
    fn an_end_for_which_the_data_are_too_few_excludes_nothing() {
        let three = FixtureRequest::new("tile", &["p50 < 300ms"]).took(&[100_000; 3]).measured();
        assert_eq!(
            RankedDurations::of(&three, Dimension::Latency, LIMIT).interval(Quantile::P50),
            (ActualQuantile::At(Duration::ZERO), ActualQuantile::Unbounded)
        );
    }

    #[test]
    fn a_ceiling_that_was_not_counted_has_no_data() {
        let request =
            FixtureRequest::new("tile", &["p95 < 300ms"]).took(&[100_000; 100]).measured();
        let other = RankedDurations::of(&request, Dimension::Latency, Duration::from_millis(200));
        assert_eq!((other.exceeded().of, other.max()), (0, ActualQuantile::NoData));
    }

    proptest! {
        /// The interval and the test read the same data two ways, and must not contradict each
        /// other.
        #[test]
        fn a_budget_holds_exactly_where_its_interval_ends_below_the_ceiling(
            micros in prop::collection::vec(prop_oneof![4 => 290_000_u64..301_000, 1 => 1_u64..2_000_000], 0..400),
            refused in 0_u64..12,
            quantile in prop::sample::select(vec!["p50", "p90", "p95", "p99"]),
        ) {
            let budget = format!("{quantile} < 300ms");
            let verdict = one_budget(FixtureRequest::new("tile", &[&budget]).took(&micros).refused(refused));
            let (low, high) = verdict.interval.unwrap();
            let is_below = |actual| matches!(actual, ActualQuantile::At(value) if value < LIMIT);
            let has_data = low != ActualQuantile::NoData;
            prop_assert_eq!(verdict.decision == Decision::Pass, is_below(high));
            prop_assert_eq!(verdict.decision == Decision::Fail, has_data && !is_below(low));
            let (least, most) = verdict.exceedance.unwrap();
            let allowed = verdict.allowed.unwrap().as_f64();
            prop_assert_eq!(verdict.decision == Decision::Pass, has_data && most.as_f64() <= allowed);
            prop_assert_eq!(verdict.decision == Decision::Fail, least.as_f64() >= allowed);
            prop_assert!(least <= Ratio::of(verdict.exceeded, verdict.judged) || verdict.judged == 0);
        }
    }
}
