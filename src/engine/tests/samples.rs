//! Exchanges that are kept one by one, over in-memory streams and under paused time.

use std::time::Duration;

use super::harness::{
    CONNECT, Script, ScriptedDial, Turn, Watcher, following, millis, open, watch_run,
};
use crate::engine::stop_channel;
use crate::plan::{ScenarioPlan, WarmupPlan};
use crate::record::session::ExchangeSample;
use crate::record::{Dimension, Failure, Measurement, RunEnding, Stage};

fn keeping(scenario: ScenarioPlan) -> ScenarioPlan {
    ScenarioPlan { keeps_samples: true, ..scenario }
}

/// What was measured, and the samples in the order in which they were handed over.
fn sampled(
    scenario: ScenarioPlan,
    dials: Vec<ScriptedDial>,
    watcher: Watcher,
) -> (Measurement, Vec<ExchangeSample>) {
    let (measurement, watcher) = watch_run(scenario, dials, watcher, stop_channel().1);
    let samples = watcher.intervals.into_iter().flat_map(|interval| interval.samples);
    (measurement, samples.collect())
}

fn against(scenario: ScenarioPlan, script: Script) -> Vec<ExchangeSample> {
    sampled(keeping(scenario), vec![ScriptedDial::new(script)], Watcher::default()).1
}

fn sum_of_parts(sample: &ExchangeSample) -> Duration {
    Duration::from_micros(sample.parts.values().sum())
}

#[test]
fn every_exchange_of_the_measured_stage_is_kept_in_the_order_of_due_times() {
    let warmup = WarmupPlan { connections: 2, requests: 6 };
    let scenario = keeping(ScenarioPlan { warmup, ..open(10.0, 3, 4) });
    let dials = || ScriptedDial::new(Script::always(Turn::Answer(millis(30))));
    let (measurement, samples) = sampled(scenario, vec![dials(), dials()], Watcher::default());
    let due: Vec<_> = samples.iter().map(|sample| sample.due).collect();
    assert_eq!(due, (0..30).map(|at| millis(100 * at)).collect::<Vec<_>>());
    assert!(samples.iter().all(|sample| sample.request == "page" && sample.failure.is_none()));
    let request = &measurement.scenarios[0].requests[0];
    assert_eq!(samples.len() as u64, request.stage(Stage::Measured).tally.exchanges);
}

#[test]
fn the_parts_of_a_sample_add_up_to_its_latency() {
    let script = Script(vec![vec![Turn::Answer(millis(700)), Turn::Answer(millis(20))]]);
    let samples = against(open(10.0, 1, 1), script);
    for sample in &samples {
        assert_eq!(sum_of_parts(sample).as_micros(), sample.latency.as_micros(), "{sample:?}");
    }
    assert!(samples[0].fresh && !samples[1].fresh);
    assert_eq!(samples[0].part(Dimension::Connect), CONNECT);
    assert_eq!(samples[0].service(), millis(700));
    // The stalled connection delays the next request: it waits for it from its due time on.
    assert_eq!(samples[1].part(Dimension::Wait), millis(605));
}

#[test]
fn a_failed_sample_lasts_until_it_ended() {
    let mut scenario = open(1.0, 3, 1);
    scenario.target.timeouts.whole = millis(600);
    let turns = vec![Turn::RawThenClose("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")];
    let samples = against(scenario, Script(vec![turns, vec![Turn::Hang]]));
    let ends: Vec<_> = samples.iter().map(|sample| (sample.failure, sample.latency)).collect();
    assert_eq!(ends[0].0, Some(Failure::Status));
    assert!(ends[0].1 < millis(600) && ends[0].1 >= CONNECT, "{ends:?}");
    assert_eq!(ends[1..], [(Some(Failure::TimedOut), millis(600)); 2]);
    assert_eq!(samples[1].part(Dimension::FirstByte), Duration::ZERO);
}

#[test]
fn an_arrival_that_no_connection_takes_is_a_sample_too() {
    let mut scenario = open(10.0, 1, 1);
    scenario.target.timeouts.whole = millis(500);
    let samples = against(scenario, Script::always(Turn::Hang));
    assert_eq!(samples.len(), 10);
    assert!(samples.iter().any(|sample| sample.failure == Some(Failure::Dropped)));
}

#[test]
fn the_hops_of_a_redirect_are_parts_of_one_sample() {
    const TO_B: &str = "HTTP/1.1 302 Found\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n";
    let turns = vec![Turn::Raw(millis(20), TO_B), Turn::Answer(millis(70))];
    let samples = against(following(open(1.0, 1, 1), 2), Script(vec![turns]));
    let [sample] = &samples[..] else { panic!("{samples:?}") };
    assert_eq!((sample.request.as_str(), sample.latency), ("page", millis(90) + CONNECT));
    assert_eq!(sum_of_parts(sample), sample.latency);
}

#[test]
fn nothing_is_kept_unless_the_plan_says_so() {
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(5))));
    let (measurement, samples) = sampled(open(10.0, 1, 2), vec![dial], Watcher::default());
    assert_eq!((measurement.scenarios[0].released, samples.len()), (10, 0));
}

#[test]
fn an_observer_that_has_seen_enough_ends_the_run_and_what_was_sent_is_still_kept() {
    let watcher = Watcher { stop_after: Some(2), seen_enough: true, ..Watcher::default() };
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(700))));
    let (measurement, samples) = sampled(keeping(open(10.0, 60, 40)), vec![dial], watcher);
    assert_eq!(measurement.ending, RunEnding::SeenEnough);
    assert!(measurement.elapsed < millis(5_000));
    let scenario = &measurement.scenarios[0];
    assert_eq!((scenario.released, scenario.abandoned), (samples.len() as u64, 0));
}

#[test]
fn a_scenario_keeps_a_bounded_number_of_samples() {
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(1))));
    let (measurement, samples) =
        sampled(keeping(open(2_200.0, 5, 16)), vec![dial], Watcher::default());
    assert_eq!(measurement.scenarios[0].released, 11_000);
    assert_eq!(samples.len(), ExchangeSample::MAX_KEPT);
}
