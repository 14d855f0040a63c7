//! Machines that are made and destroyed.

use serde_json::{Value, json};

use super::fake::*;
use crate::fly::{FailedCreate, FlyProblem, MachineConfig, NewMachine, TransportFailure};

const NAME_TAKEN: &str = "already_exists: unique machine name violation, machine ID m1 already \
                          exists with name \"f-1\"";

fn create(answers: &[Answer]) -> (Result<String, FailedCreate>, Seen) {
    let (mut fly, seen) = machines(answers);
    (fly.create(&new_machine()).map(|machine| machine.id), seen)
}

fn new_machine() -> NewMachine {
    let config = json!({"image": "i", "metadata": {"fleet": "f"}});
    NewMachine {
        name: "f-1".to_owned(),
        region: "ord".to_owned(),
        config: MachineConfig::new(config).unwrap(),
    }
}

fn made(fleet: &str) -> Value {
    json!({"id": "m1", "name": "f-1", "config": {"image": "i", "metadata": {"fleet": fleet}}})
}

#[test]
fn a_create_names_the_machine_its_region_and_its_whole_configuration() {
    let (id, seen) = create(&[answer(200, &made("f"))]);
    assert_eq!(id.unwrap(), "m1");
    let body: Value = serde_json::from_slice(&seen.calls()[0].body).unwrap();
    let config = json!({"image": "i", "metadata": {"fleet": "f"}});
    assert_eq!(body, json!({"name": "f-1", "region": "ord", "config": config}));
    assert_eq!(seen.lines(), ["POST "]);
}

#[test]
fn a_create_without_an_answer_is_looked_up_before_it_is_sent_again() {
    for lost in [no_answer(), error(500, "no"), text(200, "<html>")] {
        let (id, seen) = create(&[lost.clone(), answer(200, &json!([made("f")]))]);
        assert_eq!(id.unwrap(), "m1");
        assert_eq!(seen.lines(), ["POST ", "GET "]);
        let again = [lost, answer(200, &json!([made("other")])), answer(200, &made("f"))];
        let (id, seen) = create(&again);
        assert_eq!(id.unwrap(), "m1");
        assert_eq!(seen.lines(), ["POST ", "GET ", "POST "]);
    }
}

/// A list may lag behind.
#[test]
fn a_name_that_is_taken_after_a_lost_create_is_the_machine_that_it_made() {
    let taken = error(409, NAME_TAKEN);
    let answers =
        [no_answer(), answer(200, &json!([])), taken.clone(), answer(200, &json!([made("f")]))];
    let (id, seen) = create(&answers);
    assert_eq!(id.unwrap(), "m1");
    assert_eq!(seen.lines(), ["POST ", "GET ", "POST ", "GET "]);
    let (refused, seen) = create(&[taken]);
    let failed = refused.unwrap_err();
    assert!(matches!(failed.error.problem(), FlyProblem::Conflict { .. }), "{failed:?}");
    assert!(!failed.may_exist);
    assert_eq!(seen.lines(), ["POST "]);
}

/// Whoever undoes a create has to know.
#[test]
fn a_create_that_ends_without_an_answer_may_have_made_the_machine() {
    for (stops_after, answers, may_exist) in [
        (0, vec![], false),
        (1, vec![no_answer()], true),
        (2, vec![no_answer(), error(503, "no")], true),
        (1, vec![lost(TransportFailure::Stopped)], true),
        (1, vec![error(429, "slow")], false),
    ] {
        let (mut fly, seen) = machines(&answers);
        seen.stop_after(stops_after);
        let failed = fly.create(&new_machine()).unwrap_err();
        assert_eq!(failed.may_exist, may_exist, "{:?}: {failed:?}", seen.lines());
    }
}

#[test]
fn a_region_without_room_says_what_to_do() {
    let full = json!({"error": "insufficient resources", "status": "insufficient_capacity"});
    let (refused, _) = create(&[answer(422, &full)]);
    let FailedCreate { error: problem, may_exist } = refused.unwrap_err();
    assert!(!may_exist && problem.problem().is_about_capacity());
    let expected = "cannot create machine f-1 of app `x` in ord: Fly does not accept the request \
                    (HTTP 422: insufficient resources [insufficient_capacity]); name another \
                    region or a smaller size, or try again later";
    assert_eq!(problem.to_string(), expected);
}

#[test]
fn a_machine_is_destroyed_by_force_and_may_be_gone_already() {
    let refused = error(412, "unable to destroy machine from current state: 'destroyed'");
    let starting = error(409, "aborted: machine still attempting to start");
    for (answers, was_there, calls) in [
        (vec![ok()], true, 1),
        (vec![error(503, "no"), no_answer(), ok()], true, 3),
        (vec![error(404, "machine not found")], false, 1),
        (vec![no_answer(), error(404, "machine not found")], false, 2),
        (vec![refused.clone(), machine("destroyed", "v1")], false, 2),
        (vec![refused, error(404, "machine not found")], false, 2),
        (vec![starting.clone(), machine("starting", "v1"), error(404, "no lease"), ok()], true, 4),
    ] {
        let (mut fly, seen) = machines(&answers);
        assert_eq!(fly.destroy(&m1()).unwrap(), was_there, "{:?}", seen.lines());
        assert_eq!(seen.lines().len(), calls, "{:?}", seen.lines());
        assert_eq!(seen.lines()[0], "DELETE /m1?force=true");
    }
}

#[test]
fn only_the_names_of_secrets_are_asked_for() {
    let secrets = json!({"secrets": [{"name": "A", "digest": "d"}, {"digest": "d"}, 7]});
    let (mut fly, seen) = machines(&[answer(200, &secrets)]);
    assert_eq!(fly.secret_names().unwrap(), ["A"]);
    assert!(seen.calls()[0].url.as_str().ends_with("/v1/apps/x/secrets"));
}
