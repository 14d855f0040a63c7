//! Steps that are tried again, and steps that do not run.

use std::rc::Rc;
use std::time::Duration;

use super::super::stop_channel;
use super::harness::{
    CONNECT, Script, ScriptedDial, Turn, Watcher, conduct, measure, millis, open, paused, tried,
};
use super::sums::assert_nothing_is_lost;
use crate::plan::{RetryPlan, ScenarioPlan};
use crate::record::{Dimension, Failure, Histogram, Measurement, RunEnding, StageMeasurement};

const REFUSES: Turn =
    Turn::Raw(Duration::from_millis(20), "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n");

/// One arrival whose step is tried several times.
fn once(tries: RetryPlan) -> ScenarioPlan {
    tried(open(1.0, 1, 1), tries)
}

/// One arrival with further steps of these names.
fn of_steps<const N: usize>(further: [&str; N]) -> ScenarioPlan {
    let mut plan = open(1.0, 1, 1);
    for name in further {
        let (mut step, mut shown) = (plan.requests[0].clone(), plan.shown.requests[0].clone());
        step.index = plan.requests.len();
        name.clone_into(&mut shown.name);
        plan.requests.push(step);
        plan.shown.requests.push(shown);
    }
    plan
}

/// Measures a run that is stopped after `time`.
fn stopped_after(time: Duration, plan: ScenarioPlan, dial: ScriptedDial) -> Measurement {
    let (stopper, stop) = stop_channel();
    paused(async {
        tokio::task::spawn_local(async move {
            tokio::time::sleep(time).await;
            stopper.request_stop();
            std::future::pending::<()>().await;
        });
        conduct(plan, vec![dial], &mut Watcher::default(), stop).await.unwrap()
    })
}

fn longest(stage: &StageMeasurement, dimension: Dimension) -> Duration {
    stage.series.get(dimension).and_then(Histogram::max).unwrap()
}

#[test]
fn a_step_answered_at_the_third_try_is_one_exchange_as_long_as_all_tries() {
    let plan = once(RetryPlan::Retry { times: 5, after: millis(100) });
    let script = Script(vec![vec![REFUSES, REFUSES, Turn::Answer(millis(30))]]);
    let scenario = measure(plan, script);
    let (whole, each) = (&scenario.requests[0].measured, &scenario.requests[1].measured);
    assert_eq!((whole.tally.exchanges, whole.tally.ok), (1, 1));
    assert_eq!((each.tally.exchanges, each.tally.failed_by(Failure::Status)), (3, 2));
    let answering = millis(20 + 100 + 20 + 100 + 30);
    let all = CONNECT + answering;
    assert!(longest(whole, Dimension::Latency).abs_diff(all) <= millis(1));
    // During the pauses and the earlier tries the target had no acceptable answer, so they count as
    // its time.
    assert!(longest(whole, Dimension::FirstByte).abs_diff(answering) <= millis(1));
    assert_nothing_is_lost(whole);
    // It opened a connection, regardless of the try.
    assert_eq!((whole.tally.fresh, each.tally.fresh), (1, 1));
    assert!(longest(whole, Dimension::Setup).abs_diff(CONNECT) <= millis(1));
    // The ceiling of 300 ms applies to the whole exchange and not to each try.
    assert_eq!((whole.tally.ceilings[0].judged, each.tally.ceilings.len()), (1, 0));
}

#[test]
fn a_step_that_never_succeeds_says_how_often_it_was_tried() {
    let scenario = measure(
        once(RetryPlan::Retry { times: 2, after: Duration::ZERO }),
        Script::always(REFUSES),
    );
    let measured = &scenario.requests[0].measured;
    assert_eq!((measured.tally.exchanges, measured.tally.failed()), (1, 1));
    let evidence = measured.evidence.by_count()[0].clone();
    assert_eq!(evidence.failure, Failure::Status);
    assert!(evidence.seen.ends_with("(3 tries in 65 ms)"), "{}", evidence.seen);
}

#[test]
fn polling_gives_up_when_its_time_is_over_however_long_the_target_takes() {
    let plan = once(RetryPlan::Poll { every: millis(200), within: millis(1_000) });
    let script = Script(vec![vec![REFUSES, REFUSES, Turn::Hang]]);
    let scenario = measure(plan, script);
    let evidence = scenario.requests[0].measured.evidence.by_count()[0].clone();
    assert_eq!(evidence.failure, Failure::TimedOut);
    assert!(evidence.seen.ends_with("(3 tries in 1.2 s)"), "{}", evidence.seen);
}

#[test]
fn a_stopped_run_ends_between_two_tries() {
    let plan =
        once(RetryPlan::Poll { every: Duration::from_mins(1), within: Duration::from_mins(10) });
    let dial = ScriptedDial::new(Script::always(REFUSES));
    let requests = Rc::clone(&dial.requests);
    let measurement = stopped_after(Duration::from_secs(5), plan, dial);
    assert_eq!((requests.borrow().len(), measurement.scenarios[0].abandoned), (1, 1));
    assert!(measurement.elapsed < Duration::from_secs(10), "{:?}", measurement.elapsed);
}

#[test]
fn a_stopped_run_sends_no_further_step_of_an_arrival() {
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(400))));
    let requests = Rc::clone(&dial.requests);
    let measurement = stopped_after(millis(600), of_steps(["second", "third"]), dial);
    let scenario = &measurement.scenarios[0];
    let made: Vec<_> = scenario.requests.iter().map(|step| step.measured.tally.exchanges).collect();
    assert_eq!((made, requests.borrow().len(), scenario.abandoned), (vec![1, 1, 0], 2, 1));
    assert_eq!(measurement.ending, RunEnding::Interrupted);
}

#[test]
fn a_run_stopped_while_its_last_answer_is_awaited_is_complete() {
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(400))));
    let measurement = stopped_after(millis(600), of_steps(["second"]), dial);
    assert_eq!((measurement.ending, measurement.scenarios[0].abandoned), (RunEnding::Complete, 0));
}

#[test]
fn a_step_that_lacks_a_variable_does_not_run_but_the_steps_around_it_do() {
    let mut plan = of_steps(["second", "third"]);
    plan.requests[1].missing_variable = Some("variable `KEY` is not set".to_owned());
    let scenario = measure(plan, Script::always(Turn::Answer(millis(10))));
    let made = |at: usize| scenario.requests[at].measured.tally.exchanges;
    assert_eq!((made(0), made(1), made(2)), (1, 0, 1));
    let evidence = scenario.requests[1].measured.evidence.by_count()[0].clone();
    assert_eq!(
        (evidence.failure, evidence.seen.as_str()),
        (Failure::NotConfigured, "variable `KEY` is not set")
    );
}

#[test]
fn only_404_makes_a_page_absent() {
    for (answer, failure) in [
        ("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", Failure::Absent),
        ("HTTP/1.1 410 No\r\ncontent-length: 0\r\n\r\n", Failure::Status),
    ] {
        let mut plan = open(1.0, 1, 1);
        plan.requests[0].accepts_absence = true;
        let scenario = measure(plan, Script::always(Turn::Raw(millis(5), answer)));
        let measured = &scenario.requests[0].measured;
        assert_eq!(measured.evidence.by_count()[0].failure, failure);
        assert_eq!(measured.tally.exchanges, u64::from(failure == Failure::Status));
    }
}
