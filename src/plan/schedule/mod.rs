//! When arrivals are due: a pure function of their index, the same in every process that knows the
//! plan.

mod curve;
mod poisson;

use std::sync::Arc;
use std::time::Duration;

use crate::units::{Rate, UnitError, into_period};
use curve::RateCurve;
use poisson::{BlockDraws, PoissonBlocks};

/// One ramp step: the rate changes linearly until it reaches `to` at the end of the step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RampStep {
    /// How long the step takes. With zero, the rate jumps.
    pub duration: Duration,
    /// The rate at its end; `None` for no arrivals.
    pub to: Option<Rate>,
}

/// The part of a schedule that one thread, or one of several probers, sends: every `of`-th arrival,
/// starting with `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// The index of the part, from 0.
    pub index: u32,
    /// The number of parts; at least one.
    pub of: u32,
}

impl Shard {
    /// The whole schedule.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// The part `inner` of this part.
    #[must_use]
    pub fn subdivide(self, inner: Self) -> Self {
        Self { index: self.index + self.of * inner.index, of: self.of * inner.of }
    }

    /// How many of `all` items belong to this part if the parts take turns.
    pub fn share(self, all: u64) -> u64 {
        all / self.step() + u64::from(self.first() < all % self.step())
    }

    /// The index in the whole of the n-th item of this part, from 0.
    pub fn nth(self, nth: u64) -> u64 {
        self.first().saturating_add(nth.saturating_mul(self.step()))
    }

    fn first(self) -> u64 {
        u64::from(self.index)
    }

    fn step(self) -> u64 {
        u64::from(self.of.max(1))
    }
}

/// When each arrival is due, as an offset from the start of the measured stage. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Schedule {
    curve: Arc<RateCurve>,
    blocks: Option<Arc<PoissonBlocks>>,
    /// The period whose arrivals are all due at its start.
    batch_period: Option<Duration>,
}

impl Schedule {
    /// The maximum length of a schedule. Longer ones are cut off.
    pub const MAX_DURATION: Duration = Duration::from_hours(24);

    /// Exactly one arrival, due at 0, in a stage that ends after it.
    pub fn once() -> Self {
        Self::of(RateCurve::constant(1.0, Duration::from_millis(1)))
    }

    /// Evenly spaced arrivals, the first at 0.
    pub fn constant(rate: Rate, duration: Duration) -> Self {
        Self::of(RateCurve::constant(rate.as_per_second(), duration.min(Self::MAX_DURATION)))
    }

    /// Arrivals at a rate that changes linearly in each ramp step. Arrival `i` is due when the
    /// integral of the rate reaches `i`. `start` is the rate at 0; `None` for no arrivals.
    ///
    /// Fails if no arrival would ever be due, or if the steps take longer than
    /// [`Self::MAX_DURATION`].
    pub fn ramping(start: Option<Rate>, stages: &[RampStep]) -> Result<Self, UnitError> {
        let whole =
            stages.iter().fold(Duration::ZERO, |sum, stage| sum.saturating_add(stage.duration));
        if whole > Self::MAX_DURATION {
            return Err(UnitError::new("the stages take more than 24 h", "write shorter stages"));
        }
        let schedule = Self::of(RateCurve::ramping(start, stages));
        if schedule.count() == 0 {
            return Err(UnitError::new(
                "the stages hold no arrivals",
                "give a stage a rate above 0/s and a duration above 0s",
            ));
        }
        Ok(schedule)
    }

    /// Random arrivals at the rate of `over`. Each second has its own generator, seeded by `seed`
    /// and the second, so that any index can be found without drawing the earlier seconds.
    pub fn poisson(seed: u64, over: &Self) -> Self {
        let blocks = PoissonBlocks::draw(seed, &over.curve);
        Self { blocks: Some(Arc::new(blocks)), ..over.clone() }
    }

    /// The same arrivals in batches: those of each period are due at its start. The period is not
    /// zero.
    #[must_use]
    pub fn in_batches(self, period: Duration) -> Self {
        Self { batch_period: Some(period), ..self }
    }

    fn of(curve: RateCurve) -> Self {
        Self { curve: Arc::new(curve), blocks: None, batch_period: None }
    }

    /// Offset of arrival `index` from the start of the measured stage; `None` past the end.
    ///
    /// For a Poisson schedule this draws the arrivals of one second up to `index`. To visit many
    /// arrivals, use [`Self::arrivals`].
    pub fn due(&self, index: u64) -> Option<Duration> {
        let due = match &self.blocks {
            None => (index < self.curve.count()).then(|| self.curve.due(index)),
            Some(blocks) => {
                let (block, rank) = blocks.locate(index)?;
                blocks.draws(&self.curve, block).nth(rank)
            }
        };
        due.map(|due| self.batch_start(due))
    }

    /// The start of the batch of an arrival that would be due at `due` on its own.
    fn batch_start(&self, due: Duration) -> Duration {
        self.batch_period.map_or(due, |period| due.saturating_sub(into_period(due, period)))
    }

    /// The arrivals of one shard, in order, each with its index.
    pub fn arrivals(&self, shard: Shard) -> ShardArrivals {
        ShardArrivals { schedule: self.clone(), shard, next: shard.first(), at: None }
    }

    /// How many arrivals there are.
    pub fn count(&self) -> u64 {
        self.blocks.as_ref().map_or_else(|| self.curve.count(), |blocks| blocks.count())
    }

    /// How many arrivals are due before an offset.
    pub fn count_before(&self, offset: Duration) -> u64 {
        // The batches that start before `offset` are those before the next start of a batch.
        let offset = self.batch_period.map_or(offset, |period| {
            self.batch_start(offset.saturating_add(period.saturating_sub(Duration::from_nanos(1))))
        });
        match &self.blocks {
            None => self.curve.count_before(offset),
            Some(blocks) => blocks.count_before(&self.curve, offset),
        }
    }

    /// Whether arrivals come at random, so that more of them than the mean may come in a time.
    pub fn is_random(&self) -> bool {
        self.blocks.is_some()
    }

    /// The length of the measured stage. Every arrival is due before its end.
    pub fn duration(&self) -> Duration {
        self.curve.duration()
    }

    /// The period whose arrivals are all due at its start; `None` if there are no batches.
    pub fn batch_period(&self) -> Option<Duration> {
        self.batch_period
    }

    /// The highest planned rate. In some seconds a Poisson schedule exceeds it by chance.
    pub fn peak(&self) -> Rate {
        self.curve.peak()
    }
}

/// The arrivals of one shard, in order: `(index, due)`. Takes constant time per arrival of the
/// schedule.
#[derive(Debug, Clone)]
pub struct ShardArrivals {
    schedule: Schedule,
    shard: Shard,
    next: u64,
    /// How far a Poisson schedule has been drawn.
    at: Option<PoissonPosition>,
}

/// A position in a Poisson schedule: its block, and the index of the next arrival of `draws`.
#[derive(Debug, Clone)]
struct PoissonPosition {
    block: usize,
    index: u64,
    draws: BlockDraws,
}

impl Iterator for ShardArrivals {
    type Item = (u64, Duration);

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.next;
        let due = match &self.schedule.blocks {
            None => self.schedule.due(index)?,
            Some(blocks) => {
                let due = drawn(&mut self.at, blocks, &self.schedule.curve, index)?;
                self.schedule.batch_start(due)
            }
        };
        self.next = index + self.shard.step();
        Some((index, due))
    }
}

/// Continues drawing from `at` up to arrival `index`.
fn drawn(
    at: &mut Option<PoissonPosition>,
    blocks: &PoissonBlocks,
    curve: &Arc<RateCurve>,
    index: u64,
) -> Option<Duration> {
    let (block, _) = blocks.locate(index)?;
    if at.as_ref().is_none_or(|at| at.block != block) {
        *at = Some(PoissonPosition {
            block,
            index: blocks.first_of(block),
            draws: blocks.draws(curve, block),
        });
    }
    let at = at.as_mut()?;
    let skipped = usize::try_from(index - at.index).ok()?;
    at.index = index + 1;
    at.draws.nth(skipped)
}

#[cfg(test)]
mod tests;
