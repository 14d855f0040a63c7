//! How the warm-up opens many connections.

use std::rc::Rc;
use std::time::Duration;

use super::harness::{
    Script, ScriptedDial, Turn, Watcher, conduct, millis, open, paused, watch_run,
};
use crate::engine::stop_channel;
use crate::plan::{ScenarioPlan, WarmupPlan};
use crate::record::Measurement;

/// A scenario that opens 600 connections before measuring.
fn wide() -> ScenarioPlan {
    let warmup = WarmupPlan { connections: 600, requests: 600 };
    ScenarioPlan { warmup, ..open(1.0, 1, 600) }
}

fn warmed_up(turn: Turn) -> Measurement {
    let dial = ScriptedDial::new(Script::always(turn));
    watch_run(wide(), vec![dial], Watcher::default(), stop_channel().1).0
}

#[test]
fn many_connections_are_opened_in_rounds() {
    let measurement = warmed_up(Turn::Answer(millis(95)));
    let cold = &measurement.scenarios[0].requests[0].cold;
    assert_eq!((cold.tally.ok, measurement.scenarios[0].connections.opened), (600, 600));
    // Each takes 100 ms, and 256 at a time make three rounds.
    let took = measurement.measured_from;
    assert!(took >= millis(300) && took < millis(400), "{took:?}");
}

#[test]
fn a_dead_target_is_not_waited_for_repeatedly() {
    let measurement = warmed_up(Turn::Hang);
    assert_eq!(measurement.scenarios[0].requests[0].cold.tally.failed(), 600);
    // The harness allows 5 s per exchange: one round of those, and then all others at once.
    assert!(measurement.measured_from < Duration::from_secs(11), "{:?}", measurement.measured_from);
}

#[test]
fn connections_that_still_wait_for_the_gate_are_not_opened_after_a_stop() {
    let (stopper, stop) = stop_channel();
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(95))));
    let dialled = Rc::clone(&dial.dialled);
    let mut watcher = Watcher::default();
    paused(async {
        tokio::task::spawn_local(async move {
            tokio::time::sleep(millis(50)).await;
            stopper.request_stop();
            std::future::pending::<()>().await;
        });
        conduct(wide(), vec![dial], &mut watcher, stop).await.unwrap()
    });
    assert_eq!(dialled.borrow().len(), 256);
}
