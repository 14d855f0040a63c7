//! How often duets of simulated targets err, and what they find.
//!
//! The seeds are fixed, so each test always holds or never.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp, LogNormal};

use super::figures::ComparedSides;
use super::leave_one_out::paired_figures;
use super::*;
use crate::record::{ChangeVerdict, QuantileChange, ShareChange};
use crate::verdict::latency_timeline::{LatencyCounts, LatencyTimeline};

const PAIRS: usize = 200;
const SECONDS: f64 = 60.0;
/// Arrivals per second of both sides together.
const RATE: f64 = 40.0;

/// What slows both sides down at the same time.
#[derive(Debug, Clone, Copy)]
enum SharedTrouble {
    /// Nothing.
    None,
    /// A state in which everything takes three times as long, for 4 s on average, every 20 s.
    SlowState,
    /// Latency doubles from the start of the run to its end.
    Drift,
    /// A freeze of up to 3 s every 15 s: each request waits for its end.
    Freezes,
}

/// The stretches of trouble of one run, from and to in seconds.
fn stretches(trouble: SharedTrouble, random: &mut ChaCha8Rng) -> Vec<(f64, f64)> {
    let (every, lasts) = match trouble {
        SharedTrouble::None | SharedTrouble::Drift => return Vec::new(),
        SharedTrouble::SlowState => (20.0, 4.0),
        SharedTrouble::Freezes => (15.0, 1.5),
    };
    let (pause, length) = (Exp::new(1.0 / every).unwrap(), Exp::new(1.0 / lasts).unwrap());
    let (mut stretches, mut at) = (Vec::new(), 0.0);
    while at < SECONDS {
        let from: f64 = at + pause.sample(random);
        at = from + length.sample(random);
        stretches.push((from, at));
    }
    stretches
}

/// Latency in milliseconds of a request that is due at a second.
fn latency(
    trouble: SharedTrouble,
    stretches: &[(f64, f64)],
    due: f64,
    random: &mut ChaCha8Rng,
) -> f64 {
    let alone = LogNormal::new(40.0_f64.ln(), 0.35).unwrap().sample(random);
    let stretch = stretches.iter().find(|(from, to)| (*from..*to).contains(&due));
    match (trouble, stretch) {
        (SharedTrouble::Drift, _) => alone * (1.0 + due / SECONDS),
        (SharedTrouble::SlowState, Some(_)) => alone * 3.0,
        (SharedTrouble::Freezes, Some((_, to))) => alone + (to - due) * 1e3,
        _ => alone,
    }
}

/// One side of a duet.
#[derive(Default)]
struct SimulatedSide {
    latency: Histogram,
    /// The seconds in which requests were due, and their latencies in microseconds.
    requests: Vec<(u64, u64)>,
}

impl SimulatedSide {
    fn add(&mut self, due: f64, millis: f64) {
        let took = Duration::from_secs_f64(millis / 1e3);
        self.latency.record(took);
        let micros = u64::try_from(took.as_micros()).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 60")]
        self.requests.push((due as u64, micros));
    }

    fn timeline(&self) -> LatencyTimeline {
        let mut seconds: BTreeMap<u64, LatencyCounts> = BTreeMap::new();
        for (second, micros) in &self.requests {
            let mut one = Histogram::default();
            one.record(Duration::from_micros(*micros));
            let micros = u64::try_from(one.max().unwrap().as_micros()).unwrap();
            let counts = seconds.entry(*second).or_default();
            counts.exchanges += 1;
            counts.ok.add(std::iter::once((micros, 1)));
        }
        let mut timeline = LatencyTimeline::default();
        for (second, counts) in &seconds {
            timeline.add_counts(*second, counts);
        }
        timeline
    }

    fn measured(&self) -> RequestMeasurement {
        let mut request = RequestMeasurement::new("page".to_owned(), Vec::new());
        let stage = &mut request.measured;
        stage.tally.exchanges = self.requests.len() as u64;
        stage.tally.ok = stage.tally.exchanges;
        stage.series.add(Dimension::Latency, &self.latency);
        request
    }
}

/// What a duet finds of two targets, the second of which takes longer by some milliseconds.
fn duet(
    trouble: SharedTrouble,
    slower_ms: f64,
    random: &mut ChaCha8Rng,
) -> ([QuantileChange; 3], ShareChange) {
    let shared = stretches(trouble, random);
    let mut sides = [SimulatedSide::default(), SimulatedSide::default()];
    for index in 0..2_400 {
        let due = f64::from(index) / RATE;
        let side = usize::from(random.random_bool(0.5));
        let own = if side == 1 { slower_ms } else { 0.0 };
        sides[side].add(due, own + latency(trouble, &shared, due, random));
    }
    let [before, after] = sides.each_ref().map(SimulatedSide::timeline);
    let blocks = paired_figures(BeforeAfter { before: &before, after: &after });
    let [mut before, mut after] = sides.each_ref().map(SimulatedSide::measured);
    (before.blocks, after.blocks) = (Some(blocks.before), Some(blocks.after));
    let pair = BeforeAfter {
        before: NamedRequest { scenario: "a", measurement: &before },
        after: NamedRequest { scenario: "b", measurement: &after },
    };
    let sides = ComparedSides::of_duet(&pair);
    let alpha = ErrorRate::STATED.shared_by(sides.figures());
    let failed = sides.failures(alpha);
    (sides.latencies(failed.change, alpha), failed)
}

/// In how many of the pairs each of p50 and p95, and any figure, is called slower and faster.
fn calls(trouble: SharedTrouble, slower_ms: f64) -> [[usize; 3]; 2] {
    let mut random = ChaCha8Rng::seed_from_u64(15);
    let mut calls = [[0; 3]; 2];
    for _ in 0..PAIRS {
        let (latencies, failed) = duet(trouble, slower_ms, &mut random);
        for (call, wanted) in calls.iter_mut().zip([ChangeVerdict::More, ChangeVerdict::Less]) {
            let found = latencies.map(|figure| figure.change == wanted);
            let any = found.contains(&true) || failed.change == wanted;
            for (count, found) in call.iter_mut().zip([found[0], found[1], any]) {
                *count += usize::from(found);
            }
        }
    }
    calls
}

/// At most 8 % each way, although chance alone may call 5 % different.
fn are_seldom_called_different(trouble: SharedTrouble) {
    let [slower, faster] = calls(trouble, 0.0);
    let most = PAIRS * 8 / 100;
    assert!(slower[2] <= most && faster[2] <= most, "{trouble:?}: {slower:?} {faster:?}");
}

fn are_called_slower_by_20_ms(trouble: SharedTrouble) {
    let [slower, _] = calls(trouble, 20.0);
    assert!(slower[0] >= PAIRS * 95 / 100, "{trouble:?}: {slower:?}");
    assert!(slower[1] >= PAIRS * 50 / 100, "{trouble:?}: {slower:?}");
}

#[test]
fn sides_that_are_years_apart_are_read_in_bounded_time() {
    let one = |second| {
        let mut timeline = LatencyTimeline::default();
        let mut counts = LatencyCounts { exchanges: 1, ..LatencyCounts::default() };
        counts.ok.add(std::iter::once((5, 1)));
        timeline.add_counts(second, &counts);
        timeline
    };
    let figures = paired_figures(BeforeAfter { before: &one(0), after: &one(1 << 40) });
    assert_eq!(figures.before.without.len(), figures.after.without.len());
}

#[test]
fn equal_steady_targets_are_seldom_called_different() {
    are_seldom_called_different(SharedTrouble::None);
}

#[test]
fn equal_targets_with_a_shared_slow_state_are_seldom_called_different() {
    are_seldom_called_different(SharedTrouble::SlowState);
}

#[test]
fn equal_targets_with_a_shared_drift_are_seldom_called_different() {
    are_seldom_called_different(SharedTrouble::Drift);
}

#[test]
fn equal_targets_with_shared_freezes_are_seldom_called_different() {
    are_seldom_called_different(SharedTrouble::Freezes);
}

#[test]
fn twenty_milliseconds_more_are_found_within_a_minute_of_a_steady_target() {
    are_called_slower_by_20_ms(SharedTrouble::None);
}

#[test]
fn twenty_milliseconds_more_are_found_within_a_minute_in_spite_of_a_slow_state() {
    are_called_slower_by_20_ms(SharedTrouble::SlowState);
}

#[test]
fn twenty_milliseconds_more_are_found_within_a_minute_in_spite_of_a_drift() {
    are_called_slower_by_20_ms(SharedTrouble::Drift);
}
