//! When each advice is given, and when the data contradict it.

use std::time::Duration;

use super::*;
use crate::record::session::{
    ColdState, CpuReading, CurveClass, CurveFigures, QuotaReading, StartKind, SteadyStage,
};
use crate::record::{Decision, Histogram};
use crate::tune::conclude::conclude_with;
use crate::tune::simulation::{planted_figures, session};

/// A session that tries the app only as it is.
fn lone_session() -> SessionRecord {
    let mut record = session(1, false);
    record.attempts.retain(|attempt| attempt.configuration == 0);
    record.plan.configurations.truncate(1);
    record
}

fn advice_of(record: &SessionRecord, figures: fn(&Attempt) -> CurveFigures) -> Vec<Advice> {
    let mut record = record.clone();
    conclude_with(&mut record, figures);
    record.conclusion.unwrap().advice
}

/// The advice that contains a word, with its reason.
fn given(record: &SessionRecord, word: &str) -> Option<String> {
    let advice = advice_of(record, planted_figures);
    let found = advice.iter().find(|one| one.what.contains(word))?;
    Some(format!("{} {}", found.what, found.because))
}

fn with_machines(mut record: SessionRecord, change: fn(&mut MachineFacts)) -> SessionRecord {
    record.attempts.iter_mut().flat_map(|one| &mut one.machines_before).for_each(change);
    record
}

fn with_start(mut record: SessionRecord, start: StartKind) -> SessionRecord {
    record.attempts.iter_mut().for_each(|one| one.start = start);
    record
}

#[test]
fn a_clearly_faster_configuration_is_advised_and_a_throttled_one_never() {
    let advice = given(&session(2, true), "Apply").unwrap();
    assert!(
        advice.starts_with("Apply `faster`. in 6 rounds it took ")
            && advice.ends_with(" than `as it is`"),
        "{advice}"
    );
    let mut record = session(2, true);
    record.attempts.retain(|attempt| attempt.configuration != 1);
    assert_eq!(given(&record, "Apply"), None);
}

#[test]
fn requests_after_a_deploy_are_at_least_the_most_that_any_restart_needed() {
    let advice = given(&lone_session(), "After a deploy").unwrap();
    let requests: u32 = advice.split(' ').find_map(|word| word.parse().ok()).unwrap();
    assert!((43..=47).contains(&requests), "{advice}");
    assert!(advice.contains("`tollgate warm` with the session's scenario file"), "{advice}");
    assert!(advice.contains("in 6 restarts"), "{advice}");
}

#[test]
fn a_restart_that_never_became_steady_contradicts_a_number_of_requests() {
    let figures = |attempt: &Attempt| match attempt.round {
        2 => CurveFigures {
            attempt: attempt.number,
            class: Some(CurveClass::NoSteadyState),
            ..CurveFigures::default()
        },
        _ => planted_figures(attempt),
    };
    let advice = advice_of(&lone_session(), figures);
    assert!(advice.iter().all(|one| !one.what.contains("After a deploy")), "{advice:#?}");
}

#[test]
fn a_machine_is_kept_running_only_if_it_may_stop_and_its_start_breaks_the_budget() {
    let budgeted = |budget: &str| {
        let mut record = lone_session();
        record.plan.budgets = vec![budget.parse().unwrap()];
        record
    };
    let word = "min_machines_running";
    let advice = given(&budgeted("p95 < 300ms"), word).unwrap();
    assert!(
        advice.contains("the budget is 300 ms") && advice.contains("`as it is` takes 2."),
        "{advice}"
    );
    for contradicted in [
        lone_session(),
        budgeted("p95 < 30s"),
        budgeted("errors < 1%"),
        with_machines(budgeted("p95 < 300ms"), |machine| machine.min_machines_running = Some(1)),
        with_machines(budgeted("p95 < 300ms"), |machine| machine.min_machines_running = None),
        with_machines(budgeted("p95 < 300ms"), |machine| machine.autostop = "off".to_owned()),
        with_start(budgeted("p95 < 300ms"), StartKind::Ran),
    ] {
        assert_eq!(given(&contradicted, word), None);
    }
}

#[test]
fn an_interval_keeps_a_machine_only_if_every_pause_left_it_running() {
    let idle = |start| {
        let mut record = with_start(lone_session(), start);
        record.plan.cold = ColdState::Idle { pause: Duration::from_mins(5) };
        record
    };
    let word = "keeps the machine running";
    let advice = given(&idle(StartKind::Ran), word).unwrap();
    assert!(
        advice.contains("A request every 5m") && advice.contains("all of 6 pauses"),
        "{advice}"
    );
    let mut once_stopped = idle(StartKind::Ran);
    once_stopped.attempts[4].start = StartKind::Booted;
    let never_stops = with_machines(idle(StartKind::Ran), |one| one.autostop = "off".to_owned());
    for contradicted in [
        once_stopped,
        never_stops,
        idle(StartKind::Unknown),
        with_start(lone_session(), StartKind::Ran),
    ] {
        assert_eq!(given(&contradicted, word), None);
    }
}

/// A session whose steady stages sent at 20/s, each answer after `latency`.
fn loaded(latency: Duration) -> SessionRecord {
    let mut record = lone_session();
    let mut histogram = Histogram::default();
    histogram.record_many(latency, 800);
    for attempt in &mut record.attempts {
        attempt.steady = Some(SteadyStage {
            run: uuid::Uuid::nil(),
            run_name: String::new(),
            decision: Decision::Pass,
            latency: histogram.clone(),
            exchanges: 800,
            failed: 0,
            connections: None,
            lasted: Duration::from_secs(40),
        });
    }
    record
}

#[test]
fn limits_are_held_against_the_requests_in_flight() {
    assert_eq!(given(&loaded(Duration::from_millis(100)), "_limit"), None);
    // 20/s × 600 ms = 12 in flight, at peaks 12 + 3 √12 = 22.4.
    let soft = given(&loaded(Duration::from_millis(600)), "_limit").unwrap();
    assert!(soft.contains("Raise `soft_limit` to at least 23 requests in total"), "{soft}");
    assert!(soft.contains("20.0/s") && soft.contains("12.0 requests in flight"), "{soft}");
    let hard = given(&loaded(Duration::from_secs(1)), "_limit").unwrap();
    assert!(hard.contains("Raise `hard_limit` to at least 34 requests"), "{hard}");
    let without = with_machines(loaded(Duration::from_secs(1)), |machine| {
        (machine.soft_limit, machine.hard_limit) = (None, None);
    });
    assert_eq!(given(&without, "_limit"), None);
}

#[test]
fn limits_on_connections_are_held_against_connections() {
    let count_connections =
        |machine: &mut MachineFacts| machine.concurrency_type = "connections".to_owned();
    let keeping = |connections: Option<u64>| {
        let mut record = with_machines(loaded(Duration::from_secs(1)), count_connections);
        let stages = record.attempts.iter_mut().filter_map(|attempt| attempt.steady.as_mut());
        stages.for_each(|stage| stage.connections = connections);
        record
    };
    // 20 requests in flight say nothing about a limit of connections, and neither does an unknown
    // number.
    for within in [Some(20), Some(4), None] {
        assert_eq!(given(&keeping(within), "_limit"), None);
    }
    let soft = given(&keeping(Some(24)), "_limit").unwrap();
    assert!(soft.contains("Raise `soft_limit` to at least 24 connections in total"), "{soft}");
    assert!(
        soft.contains("the load keeps 24 connections open; the `soft_limit` of 1 machine is 20")
    );
    let hard = given(&keeping(Some(26)), "_limit").unwrap();
    assert!(hard.contains("Raise `hard_limit` to at least 26 connections"), "{hard}");
    assert!(!hard.contains("requests"), "{hard}");
    let unknown = with_machines(loaded(Duration::from_secs(1)), |machine| {
        machine.concurrency_type = String::new();
    });
    assert_eq!(given(&unknown, "_limit"), None);
}

/// A session whose machine used this much CPU time in each attempt of 90 s.
fn with_use(seconds: u64) -> SessionRecord {
    let mut record = loaded(Duration::from_millis(100));
    for attempt in &mut record.attempts {
        let used_us = Some(seconds * 1_000_000);
        let reading = CpuReading { used_us, ..CpuReading::default() };
        attempt.quota = QuotaReading::Known([("m".to_owned(), reading)].into());
        attempt.steady.as_mut().unwrap().lasted = Duration::from_mins(1);
    }
    record
}

#[test]
fn a_boot_that_outweighs_the_load_is_no_reason_for_a_larger_size() {
    let mut record = with_use(15);
    for attempt in &mut record.attempts {
        attempt.steady.as_mut().unwrap().lasted = Duration::from_secs(10);
    }
    assert_eq!(given(&record, "Give the machine"), None);
}

#[test]
fn a_size_is_advised_only_if_the_cpu_use_exceeds_the_quota() {
    // One shared CPU has 90 s × 5 / 80 = 5.6 s.
    assert_eq!(given(&with_use(5), "Give the machine"), None);
    let advice = given(&with_use(15), "Give the machine").unwrap();
    assert!(advice.contains("at least 3 shared CPUs"), "{advice}");
    assert!(advice.contains("15 s of CPU in 90 s") && advice.contains("allows 5.62 s"), "{advice}");
    let large = given(&with_use(80), "Give the machine").unwrap();
    assert!(large.contains("`performance` CPUs, which have no quota"), "{large}");
    let performance = with_machines(with_use(15), |machine| machine.shared_cpus = false);
    assert_eq!(given(&performance, "Give the machine"), None);
}
