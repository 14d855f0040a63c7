//! Simulated series of exchanges whose long-run exceedance is known.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Exp1, StandardNormal};
use tollgate::verdict::binomial::ExceedanceCount;

/// How exceedances are correlated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    Independent,
    /// The target stands still for this many seconds. A request that is due in a freeze exceeds if
    /// it waits for longer than [`CEILING`].
    Freezes(f64),
    /// Slow states of this mean length in seconds, in which 80 % exceed; a fifth of the exceedances
    /// of the long run are independent.
    Bursts(f64),
    /// The logarithm of the latency is half a Gaussian AR(1) with this correlation time in seconds
    /// and half independent noise (by variance).
    Autoregressive(f64),
    /// A queue with one exponential server, used to this share by other clients' 20 Poisson
    /// arrivals a second; the run's requests see its work and add none.
    Queue(f64),
    /// Stalls of a Pareto length: shape 1.5, at least 0.5 s, at most 60 s (mean 1.41 s).
    ParetoStalls,
    /// Freezes of 1 s with a fixed period.
    PeriodicStalls,
    /// The share grows linearly from 0 to twice the mean.
    Drift,
    /// The share decays from the start.
    ColdStart,
}

use Shape::{
    Autoregressive, Bursts, ColdStart, Drift, Freezes, Independent, ParetoStalls, PeriodicStalls,
    Queue,
};

/// The ceiling of the budget in seconds: the last requests of a freeze wait for less.
pub(crate) const CEILING: f64 = 0.3;

pub(crate) const FIRST: [Shape; 6] =
    [Independent, Freezes(1.0), Freezes(3.0), Autoregressive(2.0), Bursts(2.0), Queue(0.9)];
pub(crate) const ALL: [Shape; 12] = [
    Independent,
    Freezes(1.0),
    Freezes(3.0),
    Bursts(2.0),
    Autoregressive(2.0),
    Queue(0.9),
    Autoregressive(10.0),
    Freezes(9.0),
    ParetoStalls,
    PeriodicStalls,
    Drift,
    ColdStart,
];

/// A constant rate for a duration, and the share of exchanges that exceed in the long run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) rate: f64,
    pub(crate) seconds: f64,
    pub(crate) share: f64,
}

impl Load {
    pub(crate) fn exchanges(self) -> usize {
        rounded(self.rate * self.seconds)
    }
}

impl Shape {
    pub(crate) fn name(self) -> String {
        match self {
            Independent => "independent".into(),
            Freezes(seconds) => format!("freezes of {seconds} s"),
            Bursts(seconds) => format!("two-state bursts, mean {seconds} s"),
            Autoregressive(seconds) => format!("AR(1) of {seconds} s"),
            Queue(used) => format!("M/M/1 at {:.0} %", used * 100.0),
            ParetoStalls => "Pareto stalls".into(),
            PeriodicStalls => "periodic stalls of 1 s".into(),
            Drift => "drift".into(),
            ColdStart => "cold start".into(),
        }
    }

    /// One series: a count for each slot of `1 / rate`.
    pub(crate) fn draw(self, load: Load, random: &mut ChaCha8Rng) -> Vec<ExceedanceCount> {
        let over = self.exceeding(load, random);
        over.into_iter().map(|over| ExceedanceCount { over: u64::from(over), of: 1 }).collect()
    }

    fn exceeding(self, load: Load, random: &mut ChaCha8Rng) -> Vec<bool> {
        match self {
            Independent => varying(load, random, |_| load.share),
            Drift => varying(load, random, |part| 2.0 * load.share * part),
            ColdStart => varying(load, random, |part| {
                (-part / load.share).exp() / (1.0 - (-1.0 / load.share).exp())
            }),
            Freezes(seconds) => stalls(load, random, seconds, CEILING, |_| seconds),
            Bursts(seconds) => bursts(load, random, seconds),
            ParetoStalls => stalls(load, random, PARETO_MEAN, 0.0, pareto),
            PeriodicStalls => periodic(load, random),
            Autoregressive(seconds) => autoregressive(load, random, seconds),
            Queue(used) => queue(used, load, random),
        }
    }
}

fn varying(load: Load, random: &mut ChaCha8Rng, share: impl Fn(f64) -> f64) -> Vec<bool> {
    let n = load.exchanges();
    (0..n).map(|at| random.random::<f64>() < share((at as f64 + 0.5) / n as f64)).collect()
}

/// Alternating renewal process: stalls with exponential gaps, after a start-up that is discarded.
/// Requests due in a stall exceed, except in its last `harmless` seconds.
fn stalls(
    load: Load,
    random: &mut ChaCha8Rng,
    mean: f64,
    harmless: f64,
    length: impl Fn(&mut ChaCha8Rng) -> f64,
) -> Vec<bool> {
    let cycle = (mean - harmless) / load.share;
    let mut over = vec![false; load.exchanges()];
    let mut now = -random.random::<f64>() * cycle - 20.0 * cycle;
    while now < load.seconds {
        now += exponential(random, cycle - mean);
        let stall = length(random);
        mark(&mut over, load.rate, now, now + stall - harmless);
        now += stall;
    }
    over
}

/// A slow state, in which 80 % exceed, and a fast one, in which a fifth of the long-run share does.
fn bursts(load: Load, random: &mut ChaCha8Rng, mean: f64) -> Vec<bool> {
    let (slow, fast) = (0.8, 0.2 * load.share);
    let states = Load { share: (load.share - fast) / (slow - fast), ..load };
    let states = stalls(states, random, mean, 0.0, |random| exponential(random, mean));
    let over = |is_slow| random.random::<f64>() < if is_slow { slow } else { fast };
    states.into_iter().map(over).collect()
}

fn mark(over: &mut [bool], rate: f64, start: f64, end: f64) {
    if end <= 0.0 {
        return;
    }
    let first = rounded((start.max(0.0) * rate).ceil());
    let last = rounded((end * rate).ceil()).min(over.len());
    if first < last {
        over[first..last].fill(true);
    }
}

fn periodic(load: Load, random: &mut ChaCha8Rng) -> Vec<bool> {
    const STALL: f64 = 1.0;
    let cycle = STALL / load.share;
    let mut over = vec![false; load.exchanges()];
    let mut now = -random.random::<f64>() * cycle;
    while now < load.seconds {
        mark(&mut over, load.rate, now, now + STALL);
        now += cycle;
    }
    over
}

fn autoregressive(load: Load, random: &mut ChaCha8Rng, seconds: f64) -> Vec<bool> {
    let memory = (-1.0 / (load.rate * seconds)).exp();
    let fresh = (1.0 - memory * memory).sqrt();
    let limit = normal_quantile(1.0 - load.share);
    let mut state: f64 = random.sample(StandardNormal);
    (0..load.exchanges())
        .map(|_| {
            let noise: f64 = random.sample(StandardNormal);
            state = memory * state + fresh * noise;
            let white: f64 = random.sample(StandardNormal);
            (state + white) / std::f64::consts::SQRT_2 > limit
        })
        .collect()
}

/// Lindley's recursion for the queue's own arrivals; requests of the run sample its work.
fn queue(used: f64, load: Load, random: &mut ChaCha8Rng) -> Vec<bool> {
    let (arrivals, served) = (20.0, 20.0 / used);
    let in_system = 1.0 / (served - arrivals);
    let limit = -load.share.ln() * in_system;
    let mut work = if random.random::<f64>() < used { exponential(random, in_system) } else { 0.0 };
    let (mut now, mut next) = (0.0, exponential(random, 1.0 / arrivals));
    (0..load.exchanges())
        .map(|index| {
            let due = index as f64 / load.rate;
            while next <= due {
                work = f64::max(work - (next - now), 0.0) + exponential(random, 1.0 / served);
                now = next;
                next += exponential(random, 1.0 / arrivals);
            }
            work = f64::max(work - (due - now), 0.0);
            now = due;
            work + exponential(random, 1.0 / served) > limit
        })
        .collect()
}

fn exponential(random: &mut ChaCha8Rng, mean: f64) -> f64 {
    random.sample::<f64, _>(Exp1) * mean
}

/// Mean of [`pareto`].
const PARETO_MEAN: f64 = 1.408_7;

/// A Pareto length of shape 1.5, at least 0.5 s, cut at 60 s.
fn pareto(random: &mut ChaCha8Rng) -> f64 {
    let uniform = 1.0 - random.random::<f64>();
    (0.5 * uniform.powf(-1.0 / 1.5)).min(60.0)
}

/// A number of exchanges or slots, rounded.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand")]
pub(crate) fn rounded(number: f64) -> usize {
    number.round() as usize
}

/// The quantile of the standard normal distribution for `p` of at least 0.5: P. J. Acklam's
/// rational approximation, accurate to 1.2e-9.
fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
    ];
    let poly = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, k| sum * x + k);
    if p > 0.975_75 {
        let q = (-2.0 * (1.0 - p).ln()).sqrt();
        -poly(&C, q) / (poly(&D, q) * q + 1.0)
    } else {
        let q = p - 0.5;
        let r = q * q;
        poly(&A, r) * q / (poly(&B, r) * r + 1.0)
    }
}
