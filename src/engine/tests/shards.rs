//! Several probers that share a run and start to measure together.

use std::rc::Rc;
use std::time::Duration;

use time::OffsetDateTime;

use super::harness::{
    Script, ScriptedDial, Turn, Watcher, conduct_part, millis, open, paused, scenario,
};
use crate::engine::assignment::{LaneAssignment, assign_lanes, own_share};
use crate::engine::time::clock;
use crate::engine::{EngineError, stop_channel};
use crate::plan::{LoadPlan, Plan, RampStep, ScenarioPlan, Schedule, Shard, ShardPlan, WarmupPlan};
use crate::record::{Measurement, RunEnding, Stage};
use crate::units::Rate;

/// When the measured stage starts.
const START: Duration = Duration::from_secs(2);

fn part(scenario: &ScenarioPlan, shard: Shard) -> Plan {
    let part = Some(ShardPlan { shard, start: OffsetDateTime::UNIX_EPOCH, clock: None });
    Plan { shard_plan: part, ..Plan::from_scenarios(vec![scenario.clone()]) }
}

/// What a prober with this many lanes measures of its part.
fn measure(scenario: &ScenarioPlan, shard: Shard, lanes: usize) -> Measurement {
    let script = || ScriptedDial::new(Script::always(Turn::Answer(millis(20))));
    let dials = (0..lanes).map(|_| script()).collect();
    let mut watcher = Watcher::default();
    paused(conduct_part(part(scenario, shard), Some(START), dials, &mut watcher, stop_channel().1))
        .unwrap()
}

fn rate(per_second: f64) -> Rate {
    Rate::per_second(per_second).unwrap()
}

fn warmed_up(schedule: Schedule) -> ScenarioPlan {
    let mut scenario = scenario(LoadPlan::Open { schedule, connections: 31, max_connections: 31 });
    scenario.warmup = WarmupPlan { connections: 31, requests: 40 };
    scenario
}

#[test]
fn the_parts_of_a_run_add_up_to_what_one_prober_measures() {
    let steady = Schedule::constant(rate(37.0), Duration::from_secs(5));
    let stage = RampStep { duration: Duration::from_secs(5), to: Some(rate(60.0)) };
    let rising = Schedule::ramping(Some(rate(5.0)), &[stage]).unwrap();
    for schedule in [
        steady.clone(),
        rising.clone(),
        Schedule::poisson(3, &steady),
        Schedule::poisson(4, &rising),
    ] {
        let scenario = warmed_up(schedule);
        let whole = measure(&scenario, Shard::WHOLE, 1);
        for of in 2..=5 {
            let mut merged = whole.without_counts();
            for index in 0..of {
                merged.merge(&measure(&scenario, Shard { index, of }, 1 + index as usize % 2));
            }
            assert_eq!(merged.scenarios, whole.scenarios, "over {of}");
            assert_eq!((merged.measured_from, &merged.ending), (START, &RunEnding::Complete));
        }
    }
}

#[test]
fn measuring_starts_at_the_agreed_time_and_not_when_the_warm_up_ends() {
    let mut scenario = open(10.0, 1, 2);
    scenario.warmup = WarmupPlan { connections: 2, requests: 4 };
    let mut watcher = Watcher::default();
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(20))));
    let plan = part(&scenario, Shard { index: 1, of: 2 });
    let run = conduct_part(plan, Some(START), vec![dial], &mut watcher, stop_channel().1);
    let measurement = paused(run).unwrap();
    assert_eq!(measurement.measured_from, START);
    let started: Vec<_> =
        watcher.intervals.iter().map(|interval| (interval.stage, interval.start)).collect();
    let warm_up = Duration::ZERO;
    assert_eq!(
        started,
        [(Stage::Cold, warm_up), (Stage::Warmup, warm_up), (Stage::Measured, START)]
    );
    let scenario = &measurement.scenarios[0];
    assert_eq!((scenario.planned, scenario.released, scenario.connections.opened), (Some(5), 5, 1));
}

#[test]
fn a_warm_up_that_is_late_ends_the_run_before_anything_measured_is_sent() {
    let mut scenario = open(10.0, 10, 1);
    scenario.warmup = WarmupPlan { connections: 1, requests: 1_000 };
    let mut watcher = Watcher::default();
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(100))));
    let sent = Rc::clone(&dial.requests);
    let (error, took) = paused(async {
        let begun = clock::now();
        let run = conduct_part(
            part(&scenario, Shard::WHOLE),
            Some(START),
            vec![dial],
            &mut watcher,
            stop_channel().1,
        );
        (run.await.unwrap_err(), clock::now() - begun)
    });
    assert!(matches!(error, EngineError::TooLate { .. }));
    assert!(error.to_string().contains("not over at 1970-01-01T00:00:00Z"), "{error}");
    assert!(took <= START, "{took:?}");
    assert!(sent.borrow().len() <= 20, "{} sent", sent.borrow().len());
    assert!(watcher.intervals.iter().all(|interval| interval.stage != Stage::Measured));
}

#[test]
fn a_stop_while_waiting_for_the_start_ends_the_run() {
    let (stopper, stop) = stop_channel();
    let mut watcher = Watcher::default();
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(20))));
    let plan = part(&open(10.0, 10, 4), Shard { index: 0, of: 3 });
    let measurement = paused(async {
        tokio::task::spawn_local(async move {
            tokio::time::sleep(millis(500)).await;
            stopper.request_stop();
            std::future::pending::<()>().await;
        });
        conduct_part(plan, Some(Duration::from_hours(20)), vec![dial], &mut watcher, stop)
            .await
            .unwrap()
    });
    assert_eq!(measurement.ending, RunEnding::Interrupted);
    assert!(measurement.elapsed < millis(600), "{:?}", measurement.elapsed);
    assert_eq!(measurement.measured_from, measurement.elapsed);
    let scenario = &measurement.scenarios[0];
    assert_eq!((scenario.released, scenario.unreleased, scenario.connections.opened), (0, 0, 0));
}

#[test]
fn the_lanes_of_all_probers_cover_every_share_exactly_once() {
    let scenario = open(50_000.0, 1, 500);
    let shards = |part_of: u32| {
        let assigned = (0..part_of).flat_map(|index| {
            let plan = part(&scenario, Shard { index, of: part_of });
            assign_lanes(&own_share(&plan), 2 + index as usize)
        });
        assigned.map(|LaneAssignment { shard, .. }| shard).collect::<Vec<_>>()
    };
    assert_eq!(shards(1).len(), 2);
    let three = shards(3);
    assert_eq!(three.len(), 6, "17,000 arrivals a second need two lanes each");
    let schedule = Schedule::constant(rate(10.0), Duration::from_secs(6));
    let mut arrivals: Vec<_> = three.iter().flat_map(|shard| schedule.arrivals(*shard)).collect();
    arrivals.sort_unstable();
    assert!(arrivals.into_iter().eq(schedule.arrivals(Shard::WHOLE)));
    assert_eq!(three.iter().map(|shard| shard.share(500)).sum::<u64>(), 500);
}
