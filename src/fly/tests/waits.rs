//! Waiting for states.

use std::time::Duration;

use serde_json::json;

use super::fake::*;
use crate::fly::{FlyError, FlyProblem, Machine, TransportFailure, WaitGoal, WaitState};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn wait(
    state: WaitState,
    limit: u64,
    answers: &[Answer],
) -> (Result<(), FlyError>, Vec<String>, Duration) {
    let (mut fly, seen) = machines(answers);
    let result = fly.wait(&m1(), &WaitGoal::new(state), seconds(limit));
    (result, seen.lines(), seen.now())
}

fn not_yet() -> Answer {
    error(408, "deadline exceeded").after(seconds(10))
}

#[test]
fn a_408_means_not_yet_and_the_wait_is_asked_again_until_it_succeeds() {
    let answers = [not_yet(), machine("starting", "v"), not_yet(), machine("starting", "v"), ok()];
    let (result, lines, now) = wait(WaitState::Started, 25, &answers);
    result.unwrap();
    let ask = |timeout| format!("GET /m1/wait?state=started&timeout={timeout}");
    let look = || "GET /m1".to_owned();
    assert_eq!(lines, [ask(10), look(), ask(10), look(), ask(5)]);
    assert_eq!(now, seconds(20));
}

#[test]
fn a_wait_ends_at_the_callers_limit_and_says_in_which_state_the_machine_is() {
    let answers = [not_yet(), machine("starting", "v"), not_yet(), machine("starting", "v")];
    let (result, _, now) = wait(WaitState::Started, 20, &answers);
    let expected = "cannot wait until machine m1 of app `x` is started: it is starting and not \
                    started after 20 s; see `fly machine status` and `fly logs` for the reason, or \
                    allow more time";
    assert_eq!(result.unwrap_err().to_string(), expected);
    assert_eq!(now, seconds(20));
}

#[test]
fn a_state_that_was_reached_as_the_time_ran_out_counts() {
    let (result, ..) = wait(WaitState::Started, 10, &[not_yet(), machine("started", "v")]);
    result.unwrap();
    // A server that hangs is left after the limit and a little more.
    let hangs = ok().after(Duration::from_hours(1));
    let (result, _, now) = wait(WaitState::Started, 10, &[hangs, machine("started", "v")]);
    result.unwrap();
    assert_eq!(now, seconds(15));
}

/// Fly needs the version for `stopped`.
#[test]
fn the_wait_for_a_stop_names_the_instance() {
    let (result, lines, _) = wait(WaitState::Stopped, 10, &[machine("stopping", "v1"), ok()]);
    result.unwrap();
    let ask = "GET /m1/wait?state=stopped&timeout=10&instance_id=v1";
    assert_eq!(lines, ["GET /m1", ask]);
    let (result, lines, _) = wait(WaitState::Stopped, 10, &[machine("stopped", "v1")]);
    result.unwrap();
    assert_eq!(lines, ["GET /m1"]);
}

#[test]
fn after_an_update_the_new_version_is_waited_for() {
    let updated: Machine =
        serde_json::from_value(json!({"id": "m1", "instance_id": "v2"})).unwrap();
    let goal = WaitGoal::of_version(WaitState::Started, &updated);
    let (mut fly, seen) =
        machines(&[not_yet(), machine("started", "v1"), not_yet(), machine("started", "v2")]);
    fly.wait(&m1(), &goal, seconds(30)).unwrap();
    let ask = "GET /m1/wait?state=started&timeout=10&instance_id=v2";
    assert_eq!(seen.lines(), [ask, "GET /m1", ask, "GET /m1"]);
}

#[test]
fn a_machine_that_ends_in_another_state_is_not_waited_for_any_longer() {
    for (goal, state) in [
        (WaitState::Suspended, "stopped"),
        (WaitState::Started, "failed"),
        (WaitState::Started, "destroyed"),
    ] {
        let (result, _, now) = wait(goal, 300, &[not_yet(), machine(state, "v")]);
        let error = result.unwrap_err();
        let FlyProblem::NotReached { seen, .. } = &error.problem else { panic!("{error}") };
        assert_eq!((seen.as_str(), now), (state, seconds(10)));
    }
}

#[test]
fn failures_while_waiting_are_repeated_and_errors_are_not() {
    let answers = [text(502, ""), error(429, ""), ok()];
    let (result, lines, _) = wait(WaitState::Started, 30, &answers);
    result.unwrap();
    assert_eq!(lines.len(), 3);
    let (result, lines, _) = wait(WaitState::Started, 30, &[error(404, "no machine")]);
    assert!(matches!(result.unwrap_err().problem, FlyProblem::NotFound { .. }));
    assert_eq!(lines.len(), 1);
}

#[test]
fn a_wait_without_any_answer_ends_with_the_patience_for_one_call() {
    let nobody = || lost(TransportFailure::NotSent("connection refused".to_owned()));
    let answers: Vec<_> = std::iter::repeat_with(nobody).take(40).collect();
    let (fly, seen) = machines(&answers);
    let mut fly = fly.with_patience(seconds(20));
    let goal = WaitGoal::new(WaitState::Started);
    let error = fly.wait(&m1(), &goal, seconds(180)).unwrap_err().to_string();
    assert!(error.contains("connection refused"), "{error}");
    assert!(seen.now() <= seconds(20), "{:?}", seen.now());
    let settled = fly.wait_settled(&m1(), seconds(180)).unwrap_err().to_string();
    assert!(settled.contains("connection refused"), "{settled}");
    assert!(seen.now() <= seconds(40), "{:?}", seen.now());
}

#[test]
fn an_answer_that_says_not_ok_is_not_yet() {
    let denied = answer(200, &json!({"ok": false, "state": "starting"}));
    let answers = [denied, machine("starting", "v"), text(200, "")];
    let (result, ..) = wait(WaitState::Started, 30, &answers);
    result.unwrap();
}

#[test]
fn a_machine_on_its_way_is_looked_at_until_it_stays_where_it_is() {
    let answers = ["replacing", "restarting", "starting", "started"].map(|s| machine(s, "v"));
    let (mut fly, seen) = machines(&answers);
    assert_eq!(fly.wait_settled(&m1(), seconds(60)).unwrap().state.as_str(), "started");
    assert_eq!(seen.lines().len(), 4);
    let (mut fly, _) = machines(&vec![machine("stopping", "v"); 20]);
    let late = fly.wait_settled(&m1(), seconds(2)).unwrap_err().to_string();
    assert!(late.contains("it is stopping and not settled after 2 s"), "{late}");
}
