//! A prober that stands still: the clock advances and no task on its thread runs.

use std::time::Duration;

use super::harness::{Script, ScriptedDial, Turn, conduct_metered, millis, open, paused, scenario};
use super::{histogram, measured};
use crate::plan::{LoadPlan, ScenarioPlan};
use crate::record::{Dimension, Failure, Measurement};

/// Measures a scenario whose prober stands still once, 1.05 s after the start of the run.
fn standing_still(still: Duration, scenario: ScenarioPlan, turn: Turn) -> Measurement {
    paused(async {
        tokio::task::spawn_local(async move {
            tokio::time::sleep(millis(1_050)).await;
            tokio::time::advance(still).await;
        });
        let dial = ScriptedDial::new(Script::always(turn));
        conduct_metered(scenario, vec![dial]).await.unwrap()
    })
}

#[test]
fn exchanges_in_progress_during_a_standstill_may_be_late_because_of_the_prober() {
    let load = LoadPlan::Closed { connections: 2, until: millis(3_000), iterations: None };
    let run = standing_still(millis(300), scenario(load), Turn::Answer(millis(200)));
    let measured = measured(&run.scenarios[0]);
    let count = measured.tally.ceilings[0];
    assert_eq!((count.exceeded, count.exceeded_without_lag), (2, 0));
    assert!(histogram(measured, Dimension::Lag).max().unwrap() < millis(5));
    assert!(run.prober.hiccups.max().unwrap() >= millis(299));
}

#[test]
fn the_target_is_charged_for_lateness_beyond_the_standstill() {
    let load = LoadPlan::Closed { connections: 2, until: millis(3_000), iterations: None };
    let run = standing_still(millis(300), scenario(load), Turn::Answer(millis(900)));
    let count = measured(&run.scenarios[0]).tally.ceilings[0];
    assert_eq!(count.exceeded, count.exceeded_without_lag);
}

#[test]
fn arrivals_due_during_a_standstill_have_lag_and_it_is_deducted_only_once() {
    let run = standing_still(millis(300), open(100.0, 3, 100), Turn::Answer(millis(200)));
    let measured = measured(&run.scenarios[0]);
    let count = measured.tally.ceilings[0];
    assert!(count.exceeded > 20 && count.exceeded_without_lag == 0, "{count:?}");
    assert!(histogram(measured, Dimension::Lag).max().unwrap() >= millis(280));
}

#[test]
fn a_timeout_during_a_standstill_is_not_charged_to_the_target_and_voids_a_pass() {
    let mut scenario =
        scenario(LoadPlan::Closed { connections: 2, until: millis(1_200), iterations: Some(2) });
    scenario.target.timeouts.whole = millis(1_100);
    scenario.target.timeouts.first_byte = millis(1_100);
    let run = standing_still(millis(500), scenario, Turn::Hang);
    let scenario = &run.scenarios[0];
    let measured = measured(scenario);
    assert_eq!((measured.tally.exchanges, scenario.unreleased), (0, 2));
    let evidence = measured.evidence.by_count()[0];
    assert_eq!(evidence.failure, Failure::Prober);
    assert!(
        evidence.seen.starts_with("timed out while the prober itself stood still for 500 ms"),
        "{}",
        evidence.seen
    );
}

#[test]
fn a_prober_without_standstills_has_only_shorter_hiccups() {
    let load = LoadPlan::Closed { connections: 2, until: millis(1_000), iterations: None };
    let dials = vec![ScriptedDial::new(Script::always(Turn::Answer(millis(50))))];
    let run = paused(conduct_metered(scenario(load), dials)).unwrap();
    let hiccups = run.prober.hiccups;
    assert!((990..=1_060).contains(&hiccups.count()), "{}", hiccups.count());
    assert!(hiccups.max().unwrap() < millis(1));
}
