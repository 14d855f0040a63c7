//! The figures of two paired requests, their differences, and what the blocks of time show of them.

use crate::record::{
    ActualQuantile, BeforeAfter, BlockFigures, ChangeVerdict, FiguresWithout, QuantileChange,
    QuantileDifference, RunRecord, ShareChange, StageMeasurement,
};
use crate::units::{Quantile, Ratio, format_duration};
use crate::verdict::binomial::{ErrorRate, ExceedanceCount};

use super::estimate::LatencyEstimate;
use super::jackknife::{LeftOutFigure, SidePairing, difference_interval};
use super::pairing::NamedRequest;

/// Latencies in one bucket of a histogram count as equal; a bucket is this share of its values
/// wide.
const BUCKET_WIDTH: f64 = 0.001;

/// The two sides of one compared request.
pub(super) struct ComparedSides<'a> {
    stages: BeforeAfter<&'a StageMeasurement>,
    blocks: BeforeAfter<Option<&'a BlockFigures>>,
    pairing: SidePairing,
}

impl<'a> ComparedSides<'a> {
    /// The sides of a pair. Two requests of one run are those of a duet.
    pub(super) fn of(pair: &BeforeAfter<NamedRequest<'a>>, runs: BeforeAfter<&RunRecord>) -> Self {
        let is_duet =
            runs.before.id == runs.after.id && pair.before.scenario != pair.after.scenario;
        let pairing = if is_duet { SidePairing::SameBlocks } else { SidePairing::Apart };
        Self { pairing, ..Self::of_duet(pair) }
    }

    /// The two sides of a duet.
    pub(super) fn of_duet(pair: &BeforeAfter<NamedRequest<'a>>) -> Self {
        Self {
            stages: pair.map(|request| &request.measurement.measured),
            blocks: pair.map(|request| request.measurement.blocks.as_ref()),
            pairing: SidePairing::SameBlocks,
        }
    }

    /// How many figures can be called changed: the share that failed, and the quantiles for which
    /// there are enough exchanges.
    pub(super) fn figures(&self) -> usize {
        let enough = BlockFigures::QUANTILES.into_iter();
        1 + enough.filter(|quantile| self.are_enough_for(*quantile)).count()
    }

    /// How many blocks each side has; `None` unless both can be compared.
    pub(super) fn block_numbers(&self) -> Option<BeforeAfter<usize>> {
        let blocks = self.usable_blocks()?;
        Some(blocks.map(|blocks| blocks.without.len()))
    }

    /// Why the sides cannot be compared, although both have exchanges.
    pub(super) fn obstacle(&self) -> Option<String> {
        if self.has_no_data() || self.usable_blocks().is_some() {
            return None;
        }
        let unknown = |side: &str| {
            format!(
                "the figures {side} are not known by time, so chance cannot be told from change: \
                 compare runs that still have their intervals"
            )
        };
        match (self.blocks.before, self.blocks.after) {
            (None, _) => Some(unknown("before")),
            (_, None) => Some(unknown("after")),
            (Some(before), Some(after)) => self.too_short(&BeforeAfter { before, after }),
        }
    }

    /// What a side lacks that is too short; of two, the one that lacks more. The sides of a duet
    /// are equally long.
    fn too_short(&self, blocks: &BeforeAfter<&BlockFigures>) -> Option<String> {
        let sides = [(" before", blocks.before), (" after", blocks.after)].into_iter();
        let (side, blocks) = sides
            .filter(|(_, blocks)| blocks.without.is_empty())
            .max_by_key(|(_, blocks)| blocks.needed().saturating_sub(blocks.measured))?;
        let side = if self.pairing == SidePairing::SameBlocks { "" } else { side };
        let [measured, together, needed] =
            [blocks.measured, blocks.together, blocks.needed()].map(format_duration);
        Some(format!(
            "too short to compare: latencies are correlated for up to {together}, so {needed} are \
             needed, and {measured} were measured{side}"
        ))
    }

    /// The longest latency of each side.
    pub(super) fn max(&self) -> BeforeAfter<ActualQuantile> {
        self.stages.map(|stage| LatencyEstimate::of(stage).max())
    }

    /// The share that failed. Its interval is that of the blocks, widened to that of independent
    /// exchanges, because a few failures in a few blocks look more regular than they are.
    ///
    /// For independent exchanges: R. G. Newcombe, *Interval estimation for the difference between
    /// independent proportions* (1998), method 10, from the exact limits of each share.
    pub(super) fn failures(&self, alpha: ErrorRate) -> ShareChange {
        let counts = self
            .stages
            .map(|stage| ExceedanceCount { over: stage.tally.failed(), of: stage.tally.exchanges });
        let share = counts.map(|counts| Ratio::of(counts.over, counts.of));
        let interval = self.failure_interval(counts, share, alpha);
        let change = match interval {
            _ if self.has_no_data() => ChangeVerdict::NoData,
            None => ChangeVerdict::TooShort,
            Some((low, high)) => change_of(low, high),
        };
        ShareChange { count: counts.map(|counts| counts.over), share, interval, change }
    }

    fn failure_interval(
        &self,
        counts: BeforeAfter<ExceedanceCount>,
        share: BeforeAfter<Ratio>,
        alpha: ErrorRate,
    ) -> Option<(f64, f64)> {
        let whole = share.map(|share| share.as_f64());
        let read = |left: &FiguresWithout| {
            (left.exchanges > 0).then(|| left.failed as f64 / left.exchanges as f64)
        };
        let (low, high) = self.interval(whole, read, alpha)?;
        let limits = counts.map(|counts| counts.interval(alpha));
        let reach = |up: (f64, f64), down: (f64, f64)| (up.0 - up.1).hypot(down.0 - down.1);
        let (before, after) = (limits.before, limits.after);
        let difference = whole.after - whole.before;
        let down = reach((whole.after, after.0.as_f64()), (before.1.as_f64(), whole.before));
        let up = reach((after.1.as_f64(), whole.after), (whole.before, before.0.as_f64()));
        Some((low.min(difference - down), high.max(difference + up)))
    }

    /// The quantiles. `failed` is the change of the share that failed.
    pub(super) fn latencies(
        &self,
        failed: ChangeVerdict,
        alpha: ErrorRate,
    ) -> [QuantileChange; BlockFigures::QUANTILES.len()] {
        std::array::from_fn(|place| self.latency(place, failed, alpha))
    }

    fn latency(&self, place: usize, failed: ChangeVerdict, alpha: ErrorRate) -> QuantileChange {
        let quantile = BlockFigures::QUANTILES[place];
        let actual = self.stages.map(|stage| LatencyEstimate::of(stage).quantile(quantile));
        let difference = QuantileDifference::between(actual.before, actual.after);
        let interval = self.latency_interval(place, actual, alpha);
        let change = match interval {
            _ if self.has_no_data() => ChangeVerdict::NoData,
            _ if self.usable_blocks().is_none() => ChangeVerdict::TooShort,
            _ if !self.are_enough_for(quantile) => ChangeVerdict::TooFew,
            Some((low, high)) => change_of(low, high),
            None => change_among_failures(actual, failed),
        };
        let interval = interval.filter(|_| change != ChangeVerdict::TooFew);
        #[expect(clippy::cast_possible_truncation, reason = "microseconds of hours at most")]
        let whole = |(low, high): (f64, f64)| (low.round() as i64, high.round() as i64);
        QuantileChange {
            quantile,
            actual,
            difference: difference.map(|difference| difference.micros),
            difference_share: difference.and_then(|difference| difference.share),
            interval: interval.map(whole),
            change,
        }
    }

    /// The interval of the difference of a quantile in microseconds, wide enough for the buckets of
    /// the histograms. `None` if the quantile falls among the failures in some block.
    fn latency_interval(
        &self,
        place: usize,
        actual: BeforeAfter<ActualQuantile>,
        alpha: ErrorRate,
    ) -> Option<(f64, f64)> {
        let BeforeAfter { before: ActualQuantile::At(before), after: ActualQuantile::At(after) } =
            actual
        else {
            return None;
        };
        let whole = BeforeAfter { before, after }.map(|value| value.as_micros() as f64);
        let read = |left: &FiguresWithout| left.quantiles()[place].map(|micros| micros as f64);
        let (low, high) = self.interval(whole, read, alpha)?;
        let bucket = (whole.before.max(whole.after) * BUCKET_WIDTH).max(1.0);
        Some((low - bucket, high + bucket))
    }

    fn interval(
        &self,
        whole: BeforeAfter<f64>,
        read: impl Fn(&FiguresWithout) -> Option<f64>,
        alpha: ErrorRate,
    ) -> Option<(f64, f64)> {
        let blocks = self.usable_blocks().filter(|_| !self.has_no_data())?;
        let exchanges = self.stages.map(|stage| stage.tally.exchanges);
        let before = LeftOutFigure::of(whole.before, exchanges.before, blocks.before, &read)?;
        let after = LeftOutFigure::of(whole.after, exchanges.after, blocks.after, &read)?;
        let interval = difference_interval(&BeforeAfter { before, after }, self.pairing, alpha);
        // A damaged record may hold anything, and its comparison has to stay readable.
        interval.filter(|(low, high)| low.is_finite() && high.is_finite())
    }

    fn usable_blocks(&self) -> Option<BeforeAfter<&'a BlockFigures>> {
        let usable = |blocks: Option<&'a BlockFigures>| {
            blocks.filter(|blocks| blocks.without.len() >= BlockFigures::FEWEST_BLOCKS)
        };
        Some(BeforeAfter { before: usable(self.blocks.before)?, after: usable(self.blocks.after)? })
    }

    fn has_no_data(&self) -> bool {
        self.stages.before.tally.exchanges == 0 || self.stages.after.tally.exchanges == 0
    }

    fn are_enough_for(&self, quantile: Quantile) -> bool {
        let fewest = self.stages.before.tally.exchanges.min(self.stages.after.tally.exchanges);
        fewest >= QuantileChange::exchanges_for(quantile)
    }
}

fn change_of(low: f64, high: f64) -> ChangeVerdict {
    if low > 0.0 {
        ChangeVerdict::More
    } else if high < 0.0 {
        ChangeVerdict::Less
    } else {
        ChangeVerdict::NoneShown
    }
}

/// The change of a quantile that falls among the failures on one side: what the failures show.
fn change_among_failures(
    actual: BeforeAfter<ActualQuantile>,
    failed: ChangeVerdict,
) -> ChangeVerdict {
    use ActualQuantile::Unbounded;
    match (actual.before == Unbounded, actual.after == Unbounded, failed) {
        (false, true, ChangeVerdict::More) => ChangeVerdict::More,
        (true, false, ChangeVerdict::Less) => ChangeVerdict::Less,
        _ => ChangeVerdict::NoneShown,
    }
}
