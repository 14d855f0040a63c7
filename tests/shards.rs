//! Several recorders that share a schedule count the same as a single recorder.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tollgate::plan::{RampStep, Schedule, Shard};
use tollgate::record::{
    Ceiling, Dimension, Failure, Interval, Measurement, RequestMeasurement, RunEnding,
    ScenarioMeasurement, Stage,
};
use tollgate::recorder::{
    Exchange, ExchangeFailure, ExchangeParts, Recorder, SettledSecond, SettledSlot, UsedConnection,
};
use tollgate::units::Rate;

/// How an arrival ends.
#[derive(Debug, Clone)]
struct Outcome {
    lag: u64,
    wait: u64,
    service: u64,
    fresh: bool,
    failure: Option<Failure>,
    metric: Option<(String, u64)>,
}

impl Outcome {
    fn exchange(&self) -> Exchange {
        let micros = Duration::from_micros;
        let mut parts = ExchangeParts::default();
        parts.set_duration(Dimension::Lag, micros(self.lag));
        parts.set_duration(Dimension::Wait, micros(self.wait));
        parts.set_duration(Dimension::Service, micros(self.service));
        parts.set_duration(Dimension::FirstByte, micros(self.service / 3));
        parts.set_duration(Dimension::Body, micros(self.service - self.service / 3));
        parts.set_duration(Dimension::Latency, micros(self.lag + self.wait + self.service));
        let failed = self.failure.map(|failure| {
            parts.fail_answer();
            Box::new(ExchangeFailure::in_phase(failure, Dimension::FirstByte, format!("{failure}")))
        });
        Exchange {
            parts,
            failed,
            fresh: self.fresh,
            connection: UsedConnection::Missing,
            body_bytes: self.service % 1_000,
            stood_still: micros(self.wait / 2),
            server_timings: self
                .metric
                .iter()
                .map(|(name, took)| (name.clone(), micros(*took)))
                .collect(),
        }
    }
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    let failure = prop::option::weighted(
        0.2,
        prop::sample::select(vec![
            Failure::Status,
            Failure::TimedOut,
            Failure::Reset,
            Failure::Dropped,
            Failure::Prober,
        ]),
    );
    let metric = prop::option::of(("[ab]", 0_u64..100_000));
    let micros = || prop_oneof![Just(0_u64), 0_u64..5_000, 0_u64..4_000_000];
    (micros(), micros(), 1_u64..60_000_000, any::<bool>(), failure, metric).prop_map(
        |(lag, wait, service, fresh, failure, metric)| Outcome {
            lag,
            wait,
            service,
            fresh,
            failure,
            metric,
        },
    )
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let rate = |per_second: u32| Rate::per_second(f64::from(per_second)).unwrap();
    let constant = (1_u32..200, 1_u64..4_000).prop_map(move |(per_second, millis)| {
        Schedule::constant(rate(per_second), Duration::from_millis(millis))
    });
    let ramping = (1_u32..100, 1_u32..200, 100_u64..4_000).prop_filter_map(
        "no arrivals",
        move |(start, to, millis)| {
            let step = RampStep { duration: Duration::from_millis(millis), to: Some(rate(to)) };
            Schedule::ramping(Some(rate(start)), &[step]).ok()
        },
    );
    let regular = prop_oneof![constant, ramping];
    (regular, prop::option::of(any::<u64>())).prop_map(|(regular, seed)| match seed {
        Some(seed) => Schedule::poisson(seed, &regular),
        None => regular,
    })
}

fn ceilings() -> Vec<Ceiling> {
    let of = |dimension, millis| Ceiling { dimension, limit: Duration::from_millis(millis) };
    vec![of(Dimension::Latency, 900), of(Dimension::Service, 40), of(Dimension::Latency, 3_000)]
}

fn empty_measurement() -> Measurement {
    let request = RequestMeasurement::new("page".to_owned(), ceilings());
    Measurement::with_scenarios(
        vec![ScenarioMeasurement::new("shop".to_owned(), vec![request])],
        RunEnding::Complete,
    )
}

/// Records one shard's arrivals: the intervals, and their totals.
fn record_shard(
    schedule: &Schedule,
    shard: Shard,
    outcomes: &[Outcome],
) -> (Vec<Interval>, Measurement) {
    let mut recorder = Recorder::new(vec![ceilings()], 1);
    for (index, due) in schedule.arrivals(shard) {
        let outcome = &outcomes[usize::try_from(index).unwrap() % outcomes.len()];
        recorder.record(0, Stage::Measured, due, outcome.exchange());
    }
    let (mut intervals, mut measurement) = (Vec::new(), empty_measurement());
    measurement.scenarios[0].planned = Some(shard.share(schedule.count()));
    for SettledSecond { second, slots } in recorder.finish() {
        for SettledSlot { stage, slot, .. } in slots {
            let interval = Interval {
                scenario: "shop".to_owned(),
                request: "page".to_owned(),
                stage,
                start: Duration::from_secs(second),
                tally: slot.tally.clone(),
                series: slot.series(),
                server_timings: slot.server_timings.clone(),
                samples: Vec::new(),
            };
            slot.add_to(measurement.scenarios[0].requests[0].stage_mut(stage), &interval);
            intervals.push(interval);
        }
    }
    (intervals, measurement)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn merged_shards_equal_the_single_run_exactly(
        schedule in schedules(),
        outcomes in prop::collection::vec(outcomes(), 1..40),
        of in 1_u32..=5,
    ) {
        let (intervals, whole) = record_shard(&schedule, Shard::WHOLE, &outcomes);
        let mut merged = empty_measurement();
        let mut seconds: BTreeMap<Duration, Interval> = BTreeMap::new();
        for index in 0..of {
            let (intervals, part) = record_shard(&schedule, Shard { index, of }, &outcomes);
            merged.merge(&part);
            for interval in intervals {
                let known = seconds.get_mut(&interval.start).map(|known| known.merge(&interval));
                if known.is_none() {
                    seconds.insert(interval.start, interval);
                }
            }
        }
        prop_assert_eq!(merged.scenarios[0].planned, Some(schedule.count()));
        prop_assert!(seconds.into_values().eq(intervals));
        let (merged, whole) = (&merged.scenarios[0].requests[0], &whole.scenarios[0].requests[0]);
        prop_assert_eq!(&merged.measured.tally, &whole.measured.tally);
        prop_assert_eq!(&merged.measured.series, &whole.measured.series);
        prop_assert_eq!(&merged.measured.server_timings, &whole.measured.server_timings);
        // Two equally frequent failures may be first seen in a different order.
        let evidence = |request: &RequestMeasurement| {
            let seen = request.measured.evidence.by_count().into_iter().cloned();
            seen.map(|evidence| (evidence.failure, evidence.count)).collect::<BTreeMap<_, _>>()
        };
        prop_assert_eq!(evidence(merged), evidence(whole));
    }
}
