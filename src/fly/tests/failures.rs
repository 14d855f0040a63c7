//! What each failure becomes, and which calls are sent again.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::fake::*;
use crate::fly::{FlyError, FlyProblem, MachineConfig, MachineUpdate, TransportFailure};

const MINUTE: Duration = Duration::from_mins(1);

fn update(fly: &mut FakeMachines) -> Result<String, FlyError> {
    let update = MachineUpdate {
        config: MachineConfig::new(json!({})).unwrap(),
        current_version: "v1".to_owned(),
        skip_launch: false,
    };
    fly.update(&m1(), &update).map(|machine| machine.instance_id)
}

/// Texts that a user reads. Statuses that are repeated come back when the time is over.
#[test]
fn an_error_says_which_call_failed_why_and_what_to_do() {
    let refused = TransportFailure::NotSent("nothing listens".to_owned());
    let elsewhere = TransportFailure::Redirected { host: "other.example".to_owned() };
    for (answers, expected) in [
        (
            error(401, "bad token"),
            "Fly refuses the token (HTTP 401: bad token); set FLY_API_TOKEN to a token for this \
             app: `fly tokens create deploy --app NAME`",
        ),
        (error(403, "no"), "Fly refuses the token (HTTP 403: no); set FLY_API_TOKEN"),
        (error(404, "no machine"), "Fly does not find it (HTTP 404: no machine); check the names"),
        (
            error(412, "unable to stop machine from current state: 'created'"),
            "the machine's state or version does not allow it (HTTP 412: unable to stop machine \
             from current state: 'created'); see its state",
        ),
        (
            error(422, "invalid memory"),
            "Fly does not accept the request (HTTP 422: invalid memory); correct",
        ),
        (
            answer(422, &json!({"error": "full", "status": "insufficient_capacity"})),
            "Fly does not accept the request (HTTP 422: full [insufficient_capacity])",
        ),
        (error(400, "bad"), "Fly does not accept the request (HTTP 400: bad)"),
        (text(418, ""), "the answer is not one that the API documents (HTTP 418); check"),
        (
            text(503, "<html>"),
            "Fly's API failed (HTTP 503: a page of HTML); it may have been carried out all the same",
        ),
        (text(500, "over\nloaded"), "Fly's API failed (HTTP 500: over loaded)"),
        (error(429, "slow"), "Fly's rate limit is reached (HTTP 429); another client"),
        (lost(refused), "nothing listens; check FLY_FLAPS_BASE_URL and the network"),
        (no_answer(), "closed early; it may have been carried out all the same"),
        (lost(elsewhere), "the API redirects to other.example; set FLY_FLAPS_BASE_URL"),
    ] {
        let (fly, _) = machines(&[answers, machine("created", "v1")]);
        let mut fly = fly.with_patience(Duration::from_millis(400));
        let error = fly.stop(&m1()).unwrap_err().to_string();
        let expected = format!("cannot stop machine m1 of app `x`: {expected}");
        assert!(error.starts_with(&expected), "{error}\n{expected}");
    }
}

#[test]
fn an_answer_that_is_not_the_calls_json_is_an_error_with_the_place() {
    for (body, place) in
        [("<html>", "line 1, column 1"), ("[{\"name\": 1}]", "it lacks `id` at line 1, column 12")]
    {
        let (mut fly, _) = machines(&[text(200, body)]);
        let error = fly.list_machines().unwrap_err();
        assert!(matches!(&error.problem, FlyProblem::NotJson { .. }), "{error}");
        let said = error.to_string();
        let start = "cannot list the machines of app `x`: the answer is not the JSON of this call";
        assert!(said.starts_with(start), "{said}");
        assert!(said.contains(place), "{said}");
    }
}

#[test]
fn a_failed_read_has_changed_nothing() {
    for (answer, expected) in [
        (text(503, ""), "(HTTP 503); see https://status.flyio.net, or try again later"),
        (no_answer(), "closed early; check the network, or try again later"),
    ] {
        let (fly, _) = machines(&[answer]);
        let error = fly.with_patience(Duration::from_millis(400)).list_machines().unwrap_err();
        assert!(error.to_string().ends_with(expected), "{error}");
        assert!(error.is_transient() && !error.may_have_been_applied(), "{error}");
    }
}

#[test]
fn no_error_contains_the_token() {
    let quoting = format!("token {TOKEN} is refused");
    let lost_with = TransportFailure::NoAnswer(quoting.clone());
    for reply in [
        error(401, &quoting),
        error(409, &quoting),
        error(422, &quoting),
        error(500, &quoting),
        text(418, &quoting),
        text(200, &quoting),
        lost(lost_with),
    ] {
        let (fly, _) = machines(&[reply]);
        let mut fly = fly.with_patience(Duration::from_millis(400));
        let error = fly.list_machines().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("Zebra"), "{error:?}");
    }
}

#[test]
fn a_read_is_repeated_with_growing_pauses_until_it_succeeds() {
    let answers = [text(502, ""), no_answer(), text(503, ""), machine("started", "v1")];
    let (mut fly, seen) = machines(&answers);
    fly.machine(&m1()).unwrap();
    assert_eq!(seen.pauses(), [500, 1_000, 2_000]);
    assert_eq!(seen.lines().len(), 4);
}

#[test]
fn repeats_end_at_the_callers_limit() {
    let (fly, seen) = machines(&vec![text(500, "down"); 20]);
    let mut fly = fly.with_patience(MINUTE);
    let error = fly.machine(&m1()).unwrap_err();
    let FlyProblem::ServerFailed { status, .. } = error.problem else { panic!("{error}") };
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR.as_u16());
    // 0.5 + 1 + 2 + 4 + 8 + 10 + 10 + 10 + 10 s; one more pause would end after the minute.
    assert_eq!(seen.pauses().iter().sum::<u128>(), 55_500);
    assert!(seen.now() < MINUTE);
}

#[test]
fn a_retry_after_is_kept_and_one_beyond_the_limit_ends_the_call_at_once() {
    let busy = error(429, "slow down").with_header("retry-after", "7");
    let dated = error(503, "").with_header("retry-after", "Sat, 29 Nov 2025 08:00:17 GMT");
    let (mut fly, seen) = machines(&[busy.clone(), dated, machine("started", "v1")]);
    fly.machine(&m1()).unwrap();
    assert_eq!(seen.pauses(), [7_000, 10_000]);
    let (mut fly, seen) = machines(&[busy, ok()]);
    fly.start(&m1()).unwrap();
    assert_eq!(seen.pauses(), [7_000]);
    let (mut fly, seen) = machines(&[error(429, "").with_header("retry-after", "600")]);
    let said = fly.start(&m1()).unwrap_err().to_string();
    assert!(said.contains("HTTP 429, retry after 10 min"), "{said}");
    assert!(seen.pauses().is_empty());
}

#[test]
fn a_change_that_may_have_been_applied_is_looked_up_before_it_is_sent_again() {
    for (failure, state, expected) in [
        (no_answer(), "stopping", &["POST /m1/stop", "GET /m1"][..]),
        (text(500, ""), "stopped", &["POST /m1/stop", "GET /m1"]),
        (text(504, ""), "started", &["POST /m1/stop", "GET /m1", "POST /m1/stop"]),
        // Nothing was sent, so there is nothing to look up.
        (
            lost(TransportFailure::NotSent("no route".to_owned())),
            "",
            &["POST /m1/stop", "POST /m1/stop"],
        ),
        (error(429, ""), "", &["POST /m1/stop", "POST /m1/stop"]),
    ] {
        let look = machine(state, "v1");
        let answers =
            if state.is_empty() { vec![failure, ok()] } else { vec![failure, look, ok()] };
        let (mut fly, seen) = machines(&answers);
        fly.stop(&m1()).unwrap();
        assert_eq!(seen.lines(), expected);
    }
}

#[test]
fn a_machine_that_is_already_where_a_call_takes_it_is_not_an_error() {
    for (refusal, state, is_fine) in [
        (error(409, "aborted: machine still attempting to start"), "starting", true),
        (error(412, "unable to start machine from current state: 'started'"), "started", true),
        (error(412, "unable to start machine from current state: 'created'"), "created", false),
    ] {
        let no_lease = error(404, "lease not found");
        let (mut fly, seen) = machines(&[refusal, machine(state, "v1"), no_lease]);
        assert_eq!(fly.start(&m1()).is_ok(), is_fine, "{state}");
        assert_eq!(seen.lines(), ["POST /m1/start", "GET /m1"]);
    }
    // A refused update is one, unless an earlier try of it may have been carried out.
    let outdated = || error(412, "machine is at version v2");
    let (mut fly, seen) = machines(&[outdated()]);
    assert!(matches!(update(&mut fly).unwrap_err().problem, FlyProblem::PreconditionFailed { .. }));
    assert_eq!(seen.lines(), ["POST /m1"]);
    let late = [no_answer(), machine("started", "v1"), outdated(), machine("starting", "v2")];
    let (mut fly, _) = machines(&late);
    assert_eq!(update(&mut fly).unwrap(), "v2");
}

#[test]
fn an_update_without_an_answer_is_found_by_its_new_instance_id() {
    let (mut fly, seen) = machines(&[text(502, ""), machine("replacing", "v2")]);
    assert_eq!(update(&mut fly).unwrap(), "v2");
    assert_eq!(seen.lines(), ["POST /m1", "GET /m1"]);
    let (mut fly, seen) =
        machines(&[text(502, ""), machine("started", "v1"), machine("starting", "v2")]);
    assert_eq!(update(&mut fly).unwrap(), "v2");
    assert_eq!(seen.lines(), ["POST /m1", "GET /m1", "POST /m1"]);
    // An answer that cannot be read was an answer: the update is not sent again.
    let (mut fly, seen) = machines(&[text(200, "?"), machine("starting", "v2")]);
    assert_eq!(update(&mut fly).unwrap(), "v2");
    assert_eq!(seen.lines(), ["POST /m1", "GET /m1"]);
}

#[test]
fn a_restart_is_never_sent_twice_if_it_may_have_been_carried_out() {
    for failure in [text(500, ""), no_answer(), text(408, "")] {
        let (mut fly, seen) = machines(&[failure]);
        let error = fly.restart(&m1()).unwrap_err();
        assert!(error.may_have_been_applied(), "{error}");
        assert_eq!(seen.lines(), ["POST /m1/restart"]);
    }
    let (mut fly, seen) = machines(&[error(429, ""), ok()]);
    fly.restart(&m1()).unwrap();
    assert_eq!(seen.lines().len(), 2);
}

#[test]
fn the_fourth_call_of_a_second_waits_for_its_turn() {
    let (mut fly, seen) = machines(&vec![ok(); 6]);
    for _ in 0..4 {
        fly.suspend(&m1()).unwrap();
    }
    assert_eq!((seen.now(), seen.pauses()), (Duration::from_secs(1), vec![1_000]));
    fly.start(&m1()).unwrap();
    assert_eq!(seen.now(), Duration::from_secs(1));
    let mut fly = fly.with_patience(Duration::from_millis(300));
    let error = fly.suspend(&m1()).unwrap_err();
    assert_eq!(error.problem, FlyProblem::OutOfTime, "{error}");
}

#[test]
fn calls_end_when_they_are_to_stop() {
    let (mut fly, seen) = machines(&[text(500, "")]);
    seen.stop_after(1);
    let error = fly.machine(&m1()).unwrap_err();
    assert_eq!(error.to_string(), "cannot read machine m1 of app `x`: it was stopped");
    let error = fly.suspend(&m1()).unwrap_err();
    assert!(matches!(error.problem, FlyProblem::Stopped { .. }), "{error}");
    assert_eq!(seen.lines().len(), 1);
}
