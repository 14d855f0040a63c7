//! Arrivals that fail on the prober's own side, here at its proxy, are counted once.

use std::cell::Cell;

use super::harness::{
    Script, ScriptedDial, Turn, Watcher, conduct, millis, open, paused, scenario, watch_run,
};
use super::measured;
use crate::engine::connection::dial::{DialFuture, Dialer, UrlOrigin};
use crate::engine::stop_channel;
use crate::engine::time::clock::Instant;
use crate::plan::{LoadPlan, ScenarioPlan};
use crate::record::{Failure, RunEnding, ScenarioMeasurement};
use crate::recorder::ExchangeParts;

/// Dials a scripted server, but panics while it opens the first connection.
struct PanickingDial {
    scripted: ScriptedDial,
    dials: Cell<u32>,
}

impl Dialer for PanickingDial {
    fn dial<'a>(
        &'a self,
        origin: &'a UrlOrigin,
        parts: &'a mut ExchangeParts,
        by: Instant,
    ) -> DialFuture<'a> {
        let is_first = self.dials.replace(self.dials.get() + 1) == 0;
        Box::pin(async move {
            assert!(!is_first, "dial");
            self.scripted.dial(origin, parts, by).await
        })
    }
}

#[test]
fn a_panic_ends_one_exchange_as_a_defect_and_the_others_are_measured() {
    let scripted = ScriptedDial::new(Script::always(Turn::Answer(millis(10))));
    let dial = PanickingDial { scripted, dials: Cell::new(0) };
    let load = LoadPlan::Closed { connections: 1, until: millis(60_000), iterations: Some(10) };
    let mut plan = scenario(load);
    (plan.warmup.connections, plan.warmup.requests) = (0, 0);
    let (run, _) = watch_run(plan, vec![dial], Watcher::default(), stop_channel().1);
    let scenario = &run.scenarios[0];
    assert_eq!((scenario.ended_by_defects(), scenario.never_sent()), (1, 0));
    assert_eq!((scenario.released, measured(scenario).tally.exchanges), (9, 9));
    let evidence = measured(scenario).evidence.by_count()[0];
    assert_eq!(evidence.failure, Failure::Defect);
    let place = "panic at src/engine/tests/own_failures.rs:";
    assert!(evidence.seen.starts_with(place), "{}", evidence.seen);
}

fn dead_proxy() -> ScriptedDial {
    ScriptedDial::failing(Failure::Proxy)
}

fn by_dead_proxy(plan: ScenarioPlan) -> ScenarioMeasurement {
    let (measurement, _) =
        watch_run(plan, vec![dead_proxy()], Watcher::default(), stop_channel().1);
    measurement.scenarios.into_iter().next().unwrap()
}

/// Checks that all due arrivals ended at the proxy.
fn assert_all_ended_at_proxy(scenario: &ScenarioMeasurement, due: u64) {
    assert_eq!((scenario.released, scenario.unreleased), (0, due));
    assert_eq!((scenario.ended_at_proxy(), scenario.never_sent()), (due, 0));
    assert_eq!((measured(scenario).tally.exchanges, scenario.abandoned), (0, 0));
}

#[test]
fn a_closed_load_counts_each_iteration_that_ends_at_the_proxy_once() {
    let load = LoadPlan::Closed { connections: 2, until: millis(60_000), iterations: Some(100) };
    assert_all_ended_at_proxy(&by_dead_proxy(scenario(load)), 100);
}

#[test]
fn a_flow_of_several_failed_steps_is_one_arrival() {
    let mut flow = open(10.0, 2, 2);
    let (mut second, shown) = (flow.requests[0].clone(), flow.shown.requests[0].clone());
    second.index = 1;
    flow.requests.push(second);
    flow.shown.requests.push(shown);
    let scenario = by_dead_proxy(flow);
    assert_all_ended_at_proxy(&scenario, 20);
    assert_eq!(scenario.requests[1].measured.evidence.by_count()[0].count, 20);
}

#[test]
fn an_interrupted_load_counts_what_ended_at_the_proxy_once() {
    let (stopper, stop) = stop_channel();
    let mut watcher = Watcher::default();
    let measurement = paused(async {
        tokio::task::spawn_local(async move {
            tokio::time::sleep(millis(2_250)).await;
            stopper.request_stop();
            std::future::pending::<()>().await;
        });
        conduct(open(10.0, 60, 10), vec![dead_proxy()], &mut watcher, stop).await.unwrap()
    });
    assert_eq!(measurement.ending, RunEnding::Interrupted);
    let scenario = &measurement.scenarios[0];
    assert!((22..=24).contains(&scenario.unreleased), "{}", scenario.unreleased);
    assert_all_ended_at_proxy(scenario, scenario.unreleased);
}
