//! Poisson arrivals in blocks of one second, each block with its own generator.
//!
//! The number of arrivals in a block is Poisson distributed around the integral of the rate. Given
//! that number, the arrivals are distributed like sorted uniform draws, mapped through the inverse
//! of the integral. The sorted draws are made one by one (L. Devroye, *Non-Uniform Random Variate
//! Generation*, V.3.1), so that nothing is sorted and no arrival waits for the rest of its block.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, OpenClosed01, Poisson};

use super::curve::RateCurve;

const BLOCK: Duration = Duration::from_secs(1);

/// How many arrivals each block holds.
#[derive(Debug, Clone)]
pub(super) struct PoissonBlocks {
    seed: u64,
    /// The number of arrivals before each block, followed by the total.
    before: Vec<u64>,
}

impl PoissonBlocks {
    /// Draws the count of every block.
    pub(super) fn draw(seed: u64, curve: &Arc<RateCurve>) -> Self {
        let blocks = curve.duration().as_nanos().div_ceil(BLOCK.as_nanos());
        let mut before = vec![0];
        let mut sum = 0;
        for block in 0..usize::try_from(blocks).unwrap_or(usize::MAX) {
            let (from, to) = bounds(curve, block);
            sum += poisson(to - from, &mut generator(seed, block));
            before.push(sum);
        }
        Self { seed, before }
    }

    pub(super) fn count(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }

    /// The index of a block's first arrival.
    pub(super) fn first_of(&self, block: usize) -> u64 {
        self.before.get(block).copied().unwrap_or_else(|| self.count())
    }

    /// The block of an arrival and its rank in the block.
    pub(super) fn locate(&self, index: u64) -> Option<(usize, usize)> {
        if index >= self.count() {
            return None;
        }
        let block = self.before.partition_point(|&before| before <= index).checked_sub(1)?;
        Some((block, usize::try_from(index - self.first_of(block)).ok()?))
    }

    /// The arrivals of a block in order.
    pub(super) fn draws(&self, curve: &Arc<RateCurve>, block: usize) -> BlockDraws {
        let (from, to) = bounds(curve, block);
        let mut generator = generator(self.seed, block);
        let left = poisson(to - from, &mut generator);
        BlockDraws {
            curve: Arc::clone(curve),
            generator,
            block,
            from,
            area: to - from,
            left,
            log_rest: 0.0,
        }
    }

    /// How many arrivals are due before an offset.
    pub(super) fn count_before(&self, curve: &Arc<RateCurve>, offset: Duration) -> u64 {
        let block = usize::try_from(offset.as_secs()).unwrap_or(usize::MAX);
        if offset.subsec_nanos() == 0 || block >= self.before.len() {
            return self.first_of(block);
        }
        let within = self.draws(curve, block).take_while(|&due| due < offset).count();
        self.first_of(block) + within as u64
    }
}

/// The arrivals of one block, drawn one by one.
#[derive(Debug, Clone)]
pub(super) struct BlockDraws {
    curve: Arc<RateCurve>,
    generator: ChaCha8Rng,
    block: usize,
    /// The integral of the rate before the block, and within it.
    from: f64,
    area: f64,
    left: u64,
    /// The logarithm of the share of the block after the last draw.
    log_rest: f64,
}

impl Iterator for BlockDraws {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.left == 0 {
            return None;
        }
        // The smallest of n uniform draws from the rest leaves V^(1/n) of it, where V is uniform.
        let uniform: f64 = self.generator.sample(OpenClosed01);
        self.log_rest += uniform.ln() / self.left as f64;
        self.left -= 1;
        let due = self.curve.when(self.from - self.area * self.log_rest.exp_m1());
        // Rounding must not move an arrival into the next block: `count_before` would miscount it.
        let (start, end) = edges(self.block);
        Some(due.clamp(start, end.saturating_sub(Duration::from_nanos(1))))
    }
}

/// The integral of the rate at the start and at the end of a block.
fn bounds(curve: &RateCurve, block: usize) -> (f64, f64) {
    let (start, end) = edges(block);
    (curve.integral(start), curve.integral(end))
}

fn edges(block: usize) -> (Duration, Duration) {
    let start = BLOCK * u32::try_from(block).unwrap_or(u32::MAX - 1);
    (start, start + BLOCK)
}

fn generator(seed: u64, block: usize) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(block as u64);
    generator
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "around 10^6 at most")]
fn poisson(mean: f64, generator: &mut ChaCha8Rng) -> u64 {
    Poisson::new(mean).map_or(0, |distribution| distribution.sample(generator) as u64)
}
