use std::collections::BTreeMap;
use std::time::Duration;

use super::fixture::{FixtureRequest, run, scenario};
use super::*;
use crate::record::{
    EarlyEnd, Failure, FailureEvidence, ProvenBreach, RunEnding, ScenarioVerdict, StepRecord,
};

mod shards;

const FAST: u64 = 100_000;
const SLOW: u64 = 400_000;

fn tile(fast: usize, slow: usize) -> FixtureRequest {
    FixtureRequest::new("tile", &["p95 < 300ms"])
        .took(&[vec![FAST; fast], vec![SLOW; slow]].concat())
}

/// The verdict on one scenario, its measurement changed beforehand.
fn judged(requests: &[FixtureRequest], change: impl Fn(&mut Measurement)) -> ScenarioVerdict {
    let (plan, mut measurement) = run(vec![scenario("tiles", requests)]);
    change(&mut measurement);
    let mut verdict = judge(&plan, &measurement);
    assert_eq!(verdict.decision, verdict.scenarios[0].decision);
    verdict.scenarios.remove(0)
}

fn reason_texts(verdict: &ScenarioVerdict) -> Vec<&str> {
    verdict.reasons.iter().map(|reason| reason.what.as_str()).collect()
}

#[test]
fn a_verdict_names_its_rule_and_its_confidence() {
    let (plan, measurement) = run(vec![scenario("tiles", &[tile(100, 0)])]);
    let verdict = judge(&plan, &measurement);
    assert_eq!(verdict.decision, Decision::Pass);
    assert_eq!(
        (verdict.rule.as_str(), verdict.confidence.to_string().as_str()),
        ("exact binomial", "95%")
    );
    assert!(verdict.scenarios[0].reasons.is_empty());
}

#[test]
fn one_scenario_that_fails_fails_the_run() {
    let (plan, measurement) =
        run(vec![scenario("tiles", &[tile(100, 0)]), scenario("app", &[tile(50, 50)])]);
    let verdict = judge(&plan, &measurement);
    assert_eq!(verdict.decision, Decision::Fail);
    let each: Vec<_> = verdict.scenarios.iter().map(|scenario| scenario.decision).collect();
    assert_eq!(each, [Decision::Pass, Decision::Fail]);
}

/// `P(K ≥ 16 | 200, 5 %)` is 4.4 % and `P(K ≥ 19 | 200, 5 %)` 0.58 %: exact fractions.
#[test]
fn the_error_rate_of_a_fail_is_shared_by_the_budgets_that_test_something() {
    let one = judged(&[tile(184, 16)], |_| {});
    assert_eq!(one.decision, Decision::Fail);
    let with_descriptive =
        [tile(184, 16), FixtureRequest::new("app", &["max < 1s", "errors = 0"]).took(&[FAST; 9])];
    assert_eq!(judged(&with_descriptive, |_| {}).decision, Decision::Fail);
    let with_tested = |slow| {
        let other =
            FixtureRequest::new("app", &["p50 < 1s", "p95 < 1s", "p99 < 1s", "errors < 5%"]);
        judged(&[tile(200 - slow, slow), other.took(&[FAST; 500])], |_| {})
    };
    assert_eq!(with_tested(16).decision, Decision::Inconclusive);
    assert_eq!(with_tested(19).decision, Decision::Fail);
}

#[test]
fn the_budgets_of_every_scenario_share_the_error_rate() {
    let (plan, measurement) =
        run(vec![scenario("tiles", &[tile(184, 16)]), scenario("app", &[tile(100, 0)])]);
    assert_eq!(judge(&plan, &measurement).scenarios[0].decision, Decision::Inconclusive);
}

#[test]
fn an_interrupted_run_takes_back_a_pass_but_not_a_fail() {
    let interrupt = |measurement: &mut Measurement| measurement.ending = RunEnding::Interrupted;
    let pass = judged(&[tile(100, 0)], interrupt);
    assert_eq!(
        (pass.decision, pass.budgets[0].decision),
        (Decision::Inconclusive, Decision::Inconclusive)
    );
    assert_eq!(reason_texts(&pass), ["the run was interrupted after 12 s"]);
    assert!(
        pass.budgets[0].reason.what.ends_with("5% may; but the run was interrupted after 12 s")
    );
    assert_eq!(judged(&[tile(100, 100)], interrupt).decision, Decision::Fail);
}

#[test]
fn a_run_that_was_cut_off_in_its_warm_up_says_so() {
    for ending in [RunEnding::Interrupted, RunEnding::Recovered] {
        let verdict = judged(&[tile(0, 0)], |measurement| {
            (measurement.ending, measurement.measured_from) = (ending.clone(), measurement.elapsed);
        });
        let what = reason_texts(&verdict)[0];
        assert!(what.ends_with(", during its warm-up: the measured stage never started"), "{what}");
    }
}

#[test]
fn an_interrupted_closed_model_is_no_pass_either() {
    let verdict = judged(&[tile(100, 0)], |measurement| {
        measurement.scenarios[0].planned = None;
        measurement.ending = RunEnding::Interrupted;
    });
    assert_eq!(verdict.decision, Decision::Inconclusive);
}

#[test]
fn what_the_prober_could_not_release_voids_a_pass_but_not_a_fail() {
    let behind = |measurement: &mut Measurement| measurement.scenarios[0].unreleased = 20;
    let pass = judged(&[tile(100, 0)], behind);
    assert_eq!(pass.decision, Decision::Inconclusive);
    assert_eq!(
        reason_texts(&pass),
        ["the prober could not send 20 of the 120 arrivals that were due"]
    );
    assert_eq!(judged(&[tile(100, 100)], behind).decision, Decision::Fail);
}

#[test]
fn abandoned_recovered_imported_and_missing_data_void_a_pass() {
    let abandoned = judged(&[tile(100, 0)], |run| run.scenarios[0].abandoned = 3);
    assert_eq!(reason_texts(&abandoned), ["3 arrivals were still in progress when the run ended"]);
    let recovered = judged(&[tile(100, 0)], |run| run.ending = RunEnding::Recovered);
    let imported = judged(&[tile(100, 0)], |run| {
        run.ending = RunEnding::Imported("it tells nothing".to_owned());
    });
    assert_eq!(reason_texts(&imported), ["the record was imported, and it tells nothing"]);
    let missing = judged(&[tile(100, 0)], |run| run.scenarios[0].planned = Some(200));
    assert_eq!(
        reason_texts(&missing),
        ["100 of 200 planned arrivals are missing from the measurement"]
    );
    let unmeasured = judged(&[tile(100, 0)], |run| run.scenarios.clear());
    assert_eq!(reason_texts(&unmeasured), ["the run has no measurement of this scenario"]);
    for verdict in [abandoned, recovered, imported, missing, unmeasured] {
        assert_eq!(verdict.decision, Decision::Inconclusive);
    }
}

fn proven_early(scenario: Option<&str>) -> RunEnding {
    let breach = scenario.map(|scenario| ProvenBreach {
        scenario: scenario.to_owned(),
        request: "tile".to_owned(),
        budget: "p95 < 300ms".to_owned(),
    });
    let (after, planned) = (Duration::from_secs(31), Duration::from_mins(2));
    RunEnding::ProvenEarly(EarlyEnd { after, planned, breach })
}

/// Exchanges that were still in progress at the end may blur what was proven; the fail stands.
#[test]
fn a_run_that_ended_on_a_proven_breach_is_a_fail_that_says_when() {
    let judged = |over| {
        judged(&[tile(180, over)], |run| {
            (run.ending, run.scenarios[0].abandoned) = (proven_early(Some("tiles")), 4);
            run.scenarios[0].planned = Some(800);
        })
    };
    let (shown, blurred) = (judged(16), judged(3));
    assert_eq!([shown.decision, blurred.decision], [Decision::Fail; 2]);
    let failed = &shown.budgets[0].reason.what;
    assert!(failed.ends_with("; ended early after 31 s of 120 s"), "{failed}");
    assert!(reason_texts(&shown).is_empty(), "the end is no further fault");
    assert_eq!(
        reason_texts(&blurred),
        ["ended early after 31 s of 120 s: the breach of p95 < 300ms by `tile` is proven"]
    );
}

#[test]
fn a_budget_that_fails_when_another_scenario_ends_the_run_names_that_scenario() {
    let verdict = judged(&[tile(180, 60)], |run| run.ending = proven_early(Some("app")));
    let failed = &verdict.budgets[0].reason.what;
    assert!(failed.ends_with("by `tile` is proven, in scenario `app`"), "{failed}");
    assert!(reason_texts(&verdict).is_empty());
}

#[test]
fn a_breach_in_another_scenario_ends_the_run_without_failing_this_one() {
    let verdict = judged(&[tile(50, 0)], |run| run.ending = proven_early(Some("app")));
    assert_eq!(verdict.decision, Decision::Inconclusive);
    let what = reason_texts(&verdict)[0];
    assert!(what.ends_with("by `tile` is proven, in scenario `app`"), "{what}");
}

#[test]
fn a_run_that_ended_on_a_proven_pass_passes_although_it_was_cut_short() {
    let verdict = judged(&[tile(100, 0)], |run| {
        (run.ending, run.scenarios[0].abandoned) = (proven_early(None), 4);
        run.scenarios[0].planned = Some(800);
    });
    assert_eq!(verdict.decision, Decision::Pass);
    assert_eq!(
        reason_texts(&verdict),
        ["ended early after 31 s of 120 s: every budget is proven to hold"]
    );
}

#[test]
fn a_target_that_is_clearly_down_is_a_fail_however_little_was_measured() {
    let verdict = judged(&[tile(0, 0)], |run| {
        run.ending = RunEnding::TargetDown("8 of 8 refused".to_owned());
    });
    assert_eq!(verdict.decision, Decision::Fail);
    assert_eq!(
        reason_texts(&verdict),
        ["the run stopped because the target was clearly down: 8 of 8 refused"]
    );
}

#[test]
fn a_scenario_whose_target_was_up_is_not_blamed_for_the_one_that_was_down() {
    let down = FixtureRequest::new("app", &["p95 < 300ms"]).took(&[FAST; 3]).refused(4);
    let (plan, mut measurement) =
        run(vec![scenario("tiles", &[tile(100, 0).redirected(1)]), scenario("app", &[down])]);
    measurement.ending = RunEnding::TargetDown("4 in a row refused".to_owned());
    let verdict = judge(&plan, &measurement);
    let each: Vec<_> = verdict.scenarios.iter().map(|scenario| scenario.decision).collect();
    assert_eq!(each, [Decision::Inconclusive, Decision::Fail]);
}

#[test]
fn a_target_that_never_answered_fails_even_where_nothing_could_be_proven() {
    let silent = FixtureRequest::new("app", &["p50 < 300ms"]).refused(1);
    let verdict = judged(&[silent], |_| {});
    assert_eq!(verdict.budgets[0].decision, Decision::Inconclusive);
    assert_eq!(verdict.decision, Decision::Fail);
    assert_eq!(
        reason_texts(&verdict),
        ["the target never answered: connection refused in connect, 1 of 1 request"]
    );
}

#[test]
fn a_target_that_is_down_and_never_answered_has_one_remedy() {
    let silent = FixtureRequest::new("app", &["errors < 1%"]).refused(8);
    let verdict = judged(&[silent], |run| {
        run.ending = RunEnding::TargetDown("8 of 8 refused".to_owned());
    });
    let remedies: Vec<_> = verdict
        .reasons
        .iter()
        .map(|reason| &*reason.next)
        .filter(|next| !next.is_empty())
        .collect();
    assert_eq!(remedies, ["check that the target runs and listens at this address and port"]);
}

#[test]
fn an_answered_earlier_try_counts_as_an_answer() {
    let step = || FixtureRequest::new("app", &["errors = 0"]).refused(1);
    let verdict = judged(
        &[step(), FixtureRequest::new("app, each try", &[]).redirected(4).part_of("app")],
        |_| {},
    );
    assert_eq!(verdict.decision, Decision::Fail);
    assert!(verdict.budgets[0].reason.what.ends_with("; connection refused in connect"));
    assert!(reason_texts(&verdict).is_empty(), "the budget says it already");
}

#[test]
fn a_budget_without_data_names_what_cut_the_run_short() {
    let verdict = judged(&[tile(0, 0)], |run| run.ending = RunEnding::Interrupted);
    assert_eq!(verdict.budgets[0].reason.what, "the run was interrupted after 12 s");
}

#[test]
fn failures_are_named_even_where_every_budget_holds() {
    let verdict = judged(
        &[FixtureRequest::new("app", &["p50 < 300ms"]).took(&[FAST; 100]).redirected(3)],
        |_| {},
    );
    assert_eq!(verdict.decision, Decision::Pass);
    assert_eq!(
        reason_texts(&verdict),
        [
            "`app`: 3 of 103 requests failed; 3 of 3 failures: redirected, 302 to /auth/login instead of \
          status = 200"
        ]
    );
}

#[test]
fn expectations_decide_where_there_is_no_budget() {
    let health = || FixtureRequest::new("health", &[]);
    let held = judged(&[health().took(&[FAST; 3])], |_| {});
    assert_eq!(held.decision, Decision::Pass);
    assert_eq!(
        reason_texts(&held),
        ["`health` has no budget: every expectation held in 3 requests"]
    );
    let broken = judged(&[health().took(&[FAST; 3]).redirected(1)], |_| {});
    assert_eq!(broken.decision, Decision::Fail);
    assert!(reason_texts(&broken)[0].starts_with(
        "`health` has no budget, so a single failure fails it: 1 of 4 requests failed"
    ));
    let beside_a_budget = judged(&[tile(100, 0), health().took(&[FAST; 3]).redirected(1)], |_| {});
    assert_eq!(beside_a_budget.decision, Decision::Fail);
}

#[test]
fn no_data_at_all_is_inconclusive() {
    let without_budget = judged(&[FixtureRequest::new("health", &[])], |_| {});
    assert_eq!(without_budget.decision, Decision::Inconclusive);
    assert_eq!(reason_texts(&without_budget), ["`health`: no exchange was judged"]);
    assert_eq!(judged(&[tile(0, 0)], |_| {}).decision, Decision::Inconclusive);
    assert_eq!(judged(&[], |_| {}).decision, Decision::Inconclusive);
    let (plan, measurement) = run(Vec::new());
    assert_eq!(judge(&plan, &measurement).decision, Decision::Inconclusive);
}

#[test]
fn only_the_measured_phase_is_judged() {
    let verdict = judged(&[tile(100, 0)], |run| {
        let request = &mut run.scenarios[0].requests[0];
        request.warmup = tile(0, 500).measured().measured;
        request.cold = FixtureRequest::new("tile", &["p95 < 300ms"]).refused(9).measured().measured;
    });
    assert_eq!((verdict.decision, verdict.budgets[0].judged), (Decision::Pass, 100));
}

#[test]
fn an_interrupted_run_counts_from_the_start_of_its_measured_stage() {
    for (measured_from, words) in [
        (Duration::from_secs(290), "the run was interrupted after 5 s"),
        (
            Duration::from_secs(295),
            "the run was interrupted after 4.92 min, during its warm-up: the measured stage never started",
        ),
    ] {
        let verdict = judged(&[tile(100, 0)], |run| {
            run.ending = RunEnding::Interrupted;
            (run.measured_from, run.elapsed) = (measured_from, Duration::from_secs(295));
        });
        assert_eq!(reason_texts(&verdict), [words]);
    }
}

#[test]
fn a_limit_of_tollgate_is_a_caveat_and_breaches_nothing() {
    let request = FixtureRequest::new("page", &["errors = 0"])
        .took(&[100_000; 10])
        .not_judged(Failure::OwnLimit);
    let (planned, mut measured) = scenario("app", &[request]);
    (measured.planned, measured.unreleased) = (Some(11), 1);
    measured.add_own_failures(&BTreeMap::from([(Failure::OwnLimit, 1)]));
    let (plan, measurement) = run(vec![(planned, measured)]);
    let verdict = judge(&plan, &measurement);
    assert_eq!(verdict.decision, Decision::Inconclusive);
    let reasons: Vec<_> = verdict.scenarios[0].reasons.iter().map(|reason| &reason.what).collect();
    assert!(
        reasons.iter().any(|what| what
            .starts_with("1 of the 11 arrivals that were due ended at a limit of tollgate itself")),
        "{reasons:?}"
    );
    assert!(!reasons.iter().any(|what| what.contains("could not send")), "{reasons:?}");
}

#[test]
fn one_defect_of_tollgate_voids_a_pass() {
    let request = FixtureRequest::new("page", &["errors < 10%"])
        .took(&[100_000; 1_000])
        .not_judged(Failure::Defect);
    let (planned, mut measured) = scenario("app", &[request]);
    (measured.planned, measured.unreleased) = (Some(1_001), 1);
    measured.add_own_failures(&BTreeMap::from([(Failure::Defect, 1)]));
    let (plan, measurement) = run(vec![(planned, measured)]);
    let verdict = judge(&plan, &measurement);
    assert_eq!(verdict.decision, Decision::Inconclusive);
    let reasons = &verdict.scenarios[0].reasons;
    let what = "1 of the 1001 arrivals that were due was ended by a defect of tollgate";
    assert!(reasons.iter().any(|reason| reason.what.starts_with(what)), "{reasons:?}");
}

#[test]
fn a_defect_of_tollgate_before_or_after_the_measured_stage_voids_a_pass() {
    let defect = || FailureEvidence {
        failure: Failure::Defect,
        phase: None,
        expected: String::new(),
        seen: "panic at src/engine/run.rs:1".to_owned(),
        next: None,
        idle: None,
        count: 1,
        detail: None,
    };
    let in_cold = |run: &mut Measurement| run.scenarios[0].requests[0].cold.evidence.add(defect());
    let in_warmup =
        |run: &mut Measurement| run.scenarios[0].requests[0].warmup.evidence.add(defect());
    let in_teardown = |run: &mut Measurement| {
        let (name, took, failed) = ("log out".to_owned(), Duration::ZERO, Some(defect()));
        run.scenarios[0].teardown.push(StepRecord { name, took, tries: 1, failed });
    };
    let warmup = "an exchange of the warm-up";
    for (verdict, place) in [
        (judged(&[tile(100, 0)], in_cold), warmup),
        (judged(&[tile(100, 0)], in_warmup), warmup),
        (judged(&[tile(100, 0)], in_teardown), "teardown step `log out`"),
    ] {
        assert_eq!(verdict.decision, Decision::Inconclusive, "{place}");
        let what =
            "was ended by a defect of tollgate, not of the target: panic at src/engine/run.rs:1";
        assert_eq!(reason_texts(&verdict)[0], format!("{place} {what}"));
    }
}

#[test]
fn a_target_whose_answers_met_a_limit_of_tollgate_is_not_called_silent() {
    let request =
        FixtureRequest::new("page", &["errors < 10%"]).refused(1).not_judged(Failure::OwnLimit);
    let (planned, mut measured) = scenario("app", &[request]);
    (measured.planned, measured.unreleased) = (Some(2), 1);
    measured.add_own_failures(&BTreeMap::from([(Failure::OwnLimit, 1)]));
    let (plan, measurement) = run(vec![(planned, measured)]);
    assert_eq!(judge(&plan, &measurement).decision, Decision::Inconclusive);
}
