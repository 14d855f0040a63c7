//! Further connections: opened if all others are in use, up to a limit.

use std::rc::Rc;

use super::harness::{
    CONNECT, Script, ScriptedDial, Turn, Watcher, measure, millis, open, watch_run,
};
use super::sums::assert_nothing_is_lost;
use super::{assert_close, measured};
use crate::engine::stop_channel;
use crate::plan::{LoadPlan, ScenarioPlan, WarmupPlan};
use crate::record::{Dimension, Histogram};

/// An open-model scenario that warms up its connections and may open further ones.
fn further(per_second: f64, seconds: u64, connections: u32, limit: u32) -> ScenarioPlan {
    let mut plan = open(per_second, seconds, connections);
    plan.warmup = WarmupPlan { connections, requests: connections.into() };
    if let LoadPlan::Open { max_connections, .. } = &mut plan.load {
        *max_connections = limit;
    }
    plan
}

#[test]
fn an_arrival_that_finds_every_connection_in_use_opens_one_and_pays_for_it() {
    // 20 arrivals per second that take 300 ms each: six are in progress at a time.
    let scenario = measure(further(20.0, 3, 2, 16), Script::always(Turn::Answer(millis(300))));
    let (request, stage) = (&scenario.requests[0], measured(&scenario));
    assert_eq!((stage.tally.ok, request.cold.tally.exchanges), (60, 2));
    assert!((6..=8).contains(&scenario.connections.opened), "{}", scenario.connections.opened);
    assert_eq!(stage.tally.fresh, scenario.connections.opened - 2);
    assert_close(stage.series.get(Dimension::Wait).and_then(Histogram::max), millis(0));
    assert_close(
        stage.series.get(Dimension::Fresh).and_then(Histogram::max),
        CONNECT + millis(300),
    );
    assert_close(stage.series.get(Dimension::Reused).and_then(Histogram::max), millis(300));
    assert_nothing_is_lost(stage);
}

#[test]
fn beyond_the_limit_arrivals_wait() {
    let scenario = measure(further(20.0, 3, 2, 4), Script::always(Turn::Answer(millis(300))));
    let stage = measured(&scenario);
    assert_eq!((stage.tally.ok, stage.tally.fresh, scenario.connections.opened), (60, 2, 4));
    assert!(stage.series.get(Dimension::Wait).and_then(Histogram::max) > Some(millis(1_000)));
    assert_nothing_is_lost(stage);
}

#[test]
fn a_free_open_connection_is_used_before_another_is_opened() {
    // The warmed-up connection hangs for a second; the nine arrivals in that time need one further
    // connection.
    let script = Script(vec![
        vec![Turn::Answer(millis(1)), Turn::Answer(millis(1_000)), Turn::Answer(millis(1))],
        vec![Turn::Answer(millis(1))],
    ]);
    let scenario = measure(further(10.0, 2, 1, 8), script);
    assert_eq!((measured(&scenario).tally.ok, measured(&scenario).tally.fresh), (20, 1));
    assert_eq!(scenario.connections.opened, 2);
}

#[test]
fn a_closed_further_connection_is_opened_again_only_if_no_other_is_open() {
    // Two arrivals at a time in addition to the one that hangs: one on each further connection. The
    // first connection is then closed. The later arrivals, one at a time, use the second.
    let hanging =
        vec![Turn::Answer(millis(1)), Turn::Answer(millis(1_900)), Turn::Answer(millis(1))];
    let closed = vec![Turn::AnswerThenCloseIdle(millis(20))];
    let staying = vec![Turn::Answer(millis(150)), Turn::Answer(millis(1))];
    let scenario =
        measure(further(10.0, 2, 1, 8), Script(vec![hanging, staying.clone(), closed, staying]));
    assert_eq!((measured(&scenario).tally.ok, measured(&scenario).tally.failed()), (20, 0));
    assert_eq!((measured(&scenario).tally.fresh, scenario.connections.opened), (2, 3));
}

#[test]
fn a_base_connection_that_was_lost_is_opened_again_and_counted() {
    let lost = Turn::AnswerThenCloseIdle(millis(50));
    let script = Script(vec![vec![Turn::Answer(millis(1)), lost], vec![lost]]);
    let dial = ScriptedDial::new(script);
    let sent = Rc::clone(&dial.requests);
    let (measurement, _) =
        watch_run(further(5.0, 2, 1, 4), vec![dial], Watcher::default(), stop_channel().1);
    let scenario = &measurement.scenarios[0];
    assert_eq!((measured(scenario).tally.ok, sent.borrow().len()), (10, 11));
    let connections = &scenario.connections;
    assert_eq!((connections.opened, connections.reopened_after_idle_close), (10, 9));
}

#[test]
fn lanes_divide_the_further_connections() {
    let dials: Vec<_> =
        (0..3).map(|_| ScriptedDial::new(Script::always(Turn::Answer(millis(500))))).collect();
    let dialled: Vec<_> = dials.iter().map(|dial| Rc::clone(&dial.dialled)).collect();
    let (measurement, _) =
        watch_run(further(60.0, 2, 4, 11), dials, Watcher::default(), stop_channel().1);
    assert_eq!(measured(&measurement.scenarios[0]).tally.ok, 120);
    let opened: Vec<_> = dialled.iter().map(|dialled| dialled.borrow().len()).collect();
    assert_eq!(opened, [4, 4, 3]);
}
