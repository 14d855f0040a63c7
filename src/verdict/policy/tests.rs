use std::time::Duration;

use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::record::{
    BlockCounts, Budget, BudgetEvidence, DuetSide, GatePolicy, GateRequirement, PlannedDuet,
    RunEnding, ShardRecord, ShardSharing, StallHorizon, VerdictReason,
};
use crate::verdict::fixture::{self, FixtureRequest, run, scenario};
use crate::verdict::judge;

/// A run of one scenario with this verdict on its p95: `P`, `I` or `F`; `V` is inconclusive because
/// its data must not be trusted. In each, one block of ten exceeds: evidence against the target of
/// 5.34, if its budget is undecided.
fn record(verdict: char, policy: &GatePolicy) -> RunRecord {
    let tile = FixtureRequest::new("tile", &["p95 < 300ms"]).took(&[100_000; 20]);
    let (mut plan, measurement) = run(vec![scenario("tiles", &[tile])]);
    plan[0].gate = policy.clone();
    let mut judged = judge(&plan, &measurement);
    let decision = match verdict {
        'P' => Decision::Pass,
        'F' => Decision::Fail,
        _ => Decision::Inconclusive,
    };
    let reason = VerdictReason { what: "interrupted".to_owned(), next: String::new() };
    judged.decision = decision;
    judged.scenarios[0].decision = decision;
    judged.scenarios[0].reasons = if verdict == 'V' { vec![reason] } else { Vec::new() };
    let budget = &mut judged.scenarios[0].budgets[0];
    budget.decision = decision;
    budget.evidence = Some(BudgetEvidence {
        reach: None,
        at_horizon: BlockCounts {
            length: Duration::from_secs(1),
            peak: 20.0,
            blocks: vec![(20, 20, 1)],
        },
        longer: None,
        earlier: Vec::new(),
    });
    fixture::record_of(1, (plan, measurement), judged)
}

/// The gate's decision on a run after these earlier ones, the newest first; `X` cannot be read.
fn gate_after(record: &RunRecord, earlier: &[Result<RunRecord, String>]) -> Option<GateDecision> {
    let mut judge = PolicyJudge::of(record)?;
    for run in earlier.iter().take_while(|_| judge.needs_history()).collect::<Vec<_>>() {
        judge.add(run);
    }
    judge.decide("in runs")
}

fn earlier(verdicts: &str, policy: &GatePolicy) -> Vec<Result<RunRecord, String>> {
    let one = |verdict| match verdict {
        'X' => Err("run.json: cut off".to_owned()),
        verdict => Ok(record(verdict, policy)),
    };
    verdicts.chars().map(one).collect()
}

/// The decision and the reason; no reason if no policy applies.
fn gate(verdict: char, verdicts: &str, policy: &GatePolicy) -> (Decision, String) {
    let record = record(verdict, policy);
    let decided = gate_after(&record, &earlier(verdicts, policy));
    decided.map_or((record.verdict.decision, String::new()), |gate| (gate.decision, gate.reason))
}

fn fail_after(number: u32) -> GatePolicy {
    GatePolicy { fail_after: number, ..GatePolicy::default() }
}

#[test]
fn a_fail_counts_only_if_the_runs_before_it_failed_too() {
    use Decision::{Fail, Pass};
    for (number, verdicts, decision, reason) in [
        (2, "F", Fail, "failed 2 times in a row"),
        (2, "FP", Fail, "failed 2 times in a row"),
        (2, "PF", Pass, "failed once"),
        (2, "IF", Pass, "failed once"),
        (2, "FX", Fail, "failed 2 times in a row"),
        (2, "PX", Pass, "failed once"),
        (3, "FP", Pass, "failed 2 times in a row"),
        (3, "FFP", Fail, "failed 3 times in a row"),
        (3, "FIF", Pass, "failed 2 times in a row"),
    ] {
        let reason = format!("{reason}; fail_after = {number}");
        assert_eq!(gate('F', verdicts, &fail_after(number)), (decision, reason), "{verdicts}");
    }
}

/// An inconclusive run and its extension are one run: the extension decides with both.
#[test]
fn a_run_that_another_one_continues_does_not_break_the_row() {
    let policy = fail_after(2);
    let extended = |ids: [u128; 2]| {
        let mut first = record('I', &policy);
        let mut second = record('F', &policy);
        (first.id, second.id) = (Uuid::from_u128(ids[0]), Uuid::from_u128(ids[1]));
        second.verdict.continues = vec![first.id];
        second.plan[0].load = first.plan[0].load.replace("for 10s", "for 60s");
        [second, first]
    };
    let [last, first] = extended([13, 14]);
    let earlier: Vec<_> = [first].into_iter().chain(extended([11, 12])).map(Ok).collect();
    let decided = gate_after(&last, &earlier).unwrap();
    assert_eq!(decided.decision, Decision::Fail, "{}", decided.reason);
    let whole = Ok(record('F', &policy));
    assert_eq!(gate_after(&last, &[whole]).unwrap().decision, Decision::Fail);
}

#[test]
fn a_fail_counts_if_the_history_ends_or_cannot_be_read_before_it_says_otherwise() {
    for (number, verdicts, reason) in [
        (2, "", "failed once, and no earlier run of this plan is in runs: KEEP"),
        (3, "F", "failed 2 times in a row, and no other earlier run of this plan is in runs: KEEP"),
        (2, "XP", "failed once, and an earlier run cannot be read: run.json: cut off"),
        (3, "FX", "failed 2 times in a row, and an earlier run cannot be read: run.json: cut off"),
    ] {
        let reason = reason.replace("KEEP", "keep runs there from one job to the next");
        let reason = format!("{reason}; fail_after = {number}");
        assert_eq!(gate('F', verdicts, &fail_after(number)), (Decision::Fail, reason));
    }
}

#[test]
fn a_run_that_passes_or_has_no_policy_needs_no_history_and_no_gate() {
    assert_eq!(gate('P', "X", &fail_after(2)), (Decision::Pass, String::new()));
    assert_eq!(gate('F', "X", &GatePolicy::default()), (Decision::Fail, String::new()));
    let passed = record('P', &fail_after(2));
    assert!(!PolicyJudge::of(&passed).unwrap().needs_history());
    assert!(PolicyJudge::of(&record('F', &GatePolicy::default())).is_none());
}

#[test]
fn runs_of_another_plan_or_environment_and_shards_are_passed_over() {
    let policy = fail_after(2);
    let mut others: Vec<RunRecord> = (0..4).map(|_| record('P', &policy)).collect();
    others[0].plan[0].base_url = "http://other.test".to_owned();
    others[1].provenance.tags.insert("environment".to_owned(), "staging".to_owned());
    others[2].plan[0].requests[0].budgets = vec!["p95 < 200ms".parse().unwrap()];
    others[3].measurement.sharing = Some(shard_of_two());
    let mut runs: Vec<_> = others.into_iter().map(Ok).collect();
    let mut failed = record('F', &GatePolicy::default());
    failed.plan[0].description = "Other words.".to_owned();
    failed.plan[0].source = "elsewhere.toml".to_owned();
    runs.push(Ok(failed));
    let decided = gate_after(&record('F', &policy), &runs).unwrap();
    assert_eq!(decided.reason, "failed 2 times in a row; fail_after = 2");
}

#[test]
fn a_plan_is_the_same_after_it_was_kept_in_a_file() {
    let policy = GatePolicy { carry: true, ..fail_after(2) };
    let mut failed = record('F', &policy);
    let texts = ["p99.97 < 1.2345678s", "errors < 0.1234567%", "p50(first_byte) < 333us"];
    failed.plan[0].requests[0].budgets.extend(texts.map(|text| text.parse::<Budget>().unwrap()));
    let rate = crate::units::Rate::per_second(100.0 / 3.0).unwrap();
    let second = Duration::from_secs(1);
    failed.plan[0].stalls = Some(StallHorizon::new(second, 60 * second, Some(rate)));
    let kept = serde_json::from_slice(&serde_json::to_vec(&failed).unwrap()).unwrap();
    let decided = gate_after(&failed, &[Ok(kept)]).unwrap();
    assert_eq!(decided.reason, "failed 2 times in a row; fail_after = 2");
}

fn shard_of_two() -> ShardSharing {
    let parts =
        vec![ShardRecord { shard: 1, run: Uuid::from_u128(2), host: "h".to_owned(), clock: None }];
    ShardSharing { of: 2, start: datetime!(2026-11-23 18:00 UTC), parts, lost: Vec::new() }
}

#[test]
fn one_shard_of_a_run_decides_no_gate() {
    let mut shard = record('F', &fail_after(2));
    shard.measurement.sharing = Some(shard_of_two());
    shard.id = Uuid::from_u128(2);
    assert!(PolicyJudge::of(&shard).is_none());
}

#[test]
fn a_duet_is_decided_by_its_difference_and_not_by_policies() {
    let mut duet = record('F', &fail_after(2));
    let other = "tiles".to_owned();
    duet.plan[0].duet = Some(PlannedDuet { side: DuetSide::B, other, seed: 7 });
    assert!(PolicyJudge::of(&duet).is_none());
}

#[test]
fn an_inconclusive_run_does_to_the_exit_code_what_the_policy_says() {
    let warned = "an inconclusive verdict is only a warning; on_inconclusive = \"warn\"";
    let failed = "an inconclusive verdict counts as a failure; on_inconclusive = \"fail\"";
    for (word, decision, reason) in [
        ("exit-3", Decision::Inconclusive, ""),
        ("extend 1m", Decision::Inconclusive, ""),
        ("warn", Decision::Pass, warned),
        ("fail", Decision::Fail, failed),
    ] {
        let policy = GatePolicy { on_inconclusive: word.parse().unwrap(), ..GatePolicy::default() };
        assert_eq!(gate('I', "", &policy), (decision, reason.to_owned()));
    }
}

#[test]
fn a_run_that_was_cut_short_is_never_only_a_warning() {
    let policy = GatePolicy { on_inconclusive: OnInconclusive::Warn, ..GatePolicy::default() };
    let mut cut = record('I', &policy);
    cut.measurement.ending = RunEnding::Interrupted;
    let reason =
        "a run that was cut short is more than a warning; on_inconclusive = \"warn\"".to_owned();
    let decision = GateDecision { decision: Decision::Inconclusive, reason };
    assert_eq!(gate_after(&cut, &[]), Some(decision.clone()));
    let mut merged = record('I', &policy);
    let sharing = shard_of_two();
    let third = ShardRecord { shard: 3, ..sharing.parts[0].clone() };
    let parts = [sharing.parts.clone(), vec![third]].concat();
    merged.measurement.sharing = Some(ShardSharing { of: 3, parts, ..sharing });
    assert_eq!(gate_after(&merged, &[]), Some(decision));
}

#[test]
fn carried_evidence_makes_an_alarm_across_inconclusive_runs() {
    let policy = GatePolicy { carry: true, ..fail_after(2) };
    let carried = |evidence: &str, runs: &str| {
        format!("carried evidence {evidence} from {runs}, 400 makes an alarm; carry = true")
    };
    assert_eq!(gate('I', "", &policy), (Decision::Inconclusive, carried("5.3", "1 run")));
    assert_eq!(gate('I', "II", &policy), (Decision::Inconclusive, carried("153", "3 runs")));
    assert_eq!(gate('I', "IPII", &policy), (Decision::Inconclusive, carried("29", "2 runs")));
    assert_eq!(gate('I', "VVV", &policy), (Decision::Inconclusive, carried("5.3", "2 runs")));
    let alarm = "`tile` p95 < 300ms: the evidence of the last 4 runs is 815, and 400 makes an \
                 alarm; carry = true, fail_after = 2";
    assert_eq!(gate('I', "III", &policy), (Decision::Fail, alarm.to_owned()));
    assert_eq!(gate('F', "IIIP", &policy), (Decision::Fail, alarm.to_owned()));
}

#[test]
fn carried_evidence_that_cannot_be_read_fails_the_gate() {
    let policy = GatePolicy { carry: true, ..fail_after(2) };
    let reason =
        "the evidence of an earlier run cannot be read: run.json: cut off; carry = true".to_owned();
    assert_eq!(gate('I', "IX", &policy), (Decision::Fail, reason));
    assert_eq!(gate('F', "IX", &policy).0, Decision::Fail);
    let carried = "carried evidence 29 from 2 runs, 400 makes an alarm; carry = true".to_owned();
    assert_eq!(gate('I', "IPX", &policy), (Decision::Inconclusive, carried));
}

#[test]
fn a_single_run_makes_no_alarm_before_the_gate_may_fail() {
    let policy = GatePolicy { carry: true, ..fail_after(2) };
    let mut proven = record('F', &policy);
    let evidence = proven.verdict.scenarios[0].budgets[0].evidence.as_mut().unwrap();
    evidence.at_horizon.blocks = vec![(20, 20, 20)];
    let gate = gate_after(&proven, &earlier("P", &policy)).unwrap();
    assert_eq!(gate.decision, Decision::Pass);
    assert_eq!(gate.reason, "failed once; fail_after = 2");
}

/// While the target exceeds exactly as often as allowed, alarms are as rare as stated: on average
/// at least 400 runs apart for `fail_after = 2`. A run has one block of 20 requests.
#[test]
fn alarms_of_carried_evidence_are_as_rare_as_stated() {
    use rand::{Rng as _, SeedableRng as _};
    const RUNS: u32 = 40_000;
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(15);
    let factor = |over: u64| {
        let mut wealth = crate::verdict::evidence::BetWealth::new(
            crate::verdict::evidence::BetSide::Fail,
            crate::units::Ratio::new(0.05).unwrap(),
        );
        let count = crate::verdict::binomial::ExceedanceCount { over, of: 20 };
        wealth.bet(count, 1, 20.0);
        wealth.ln_evidence()
    };
    let factors: Vec<f64> = (0..=20).map(factor).collect();
    let (mut alarms, mut ln) = (0_u32, 0.0_f64);
    for _ in 0..RUNS {
        let over = (0..20).filter(|_| random.random_bool(0.05)).count();
        ln = ln.max(0.0) + factors[over];
        if ln >= 2.0 * 20.0_f64.ln() {
            (alarms, ln) = (alarms + 1, 0.0);
        }
    }
    assert!(alarms <= RUNS / 400, "{alarms}");
}

fn requiring(requirements: &[&str]) -> GatePolicy {
    let require = requirements.iter().map(|text| text.parse::<GateRequirement>().unwrap());
    GatePolicy { require: require.collect(), ..GatePolicy::default() }
}

#[test]
fn a_run_that_lacks_what_is_required_does_not_pass() {
    for (requirement, why) in [
        ("commit", "is not known: give --git-commit"),
        ("deploy", "is not known: give --deploy"),
        ("tag:team", "is not known: give --tag team=…"),
        ("services", "is neither a step nor a scenario of this run: name its file too"),
    ] {
        let reason = format!("`{requirement}` is required and {why}");
        let policy = requiring(&[requirement]);
        assert_eq!(gate('P', "", &policy), (Decision::Inconclusive, reason.clone()));
        let warned = GatePolicy { on_inconclusive: OnInconclusive::Warn, ..policy.clone() };
        assert_eq!(gate('I', "", &warned).0, Decision::Inconclusive);
        assert_eq!(gate('F', "", &policy), (Decision::Fail, reason));
    }
}

#[test]
fn a_run_that_has_what_is_required_passes() {
    let mut passed =
        record('P', &requiring(&["commit", "environment", "tag:team", "tile", "tiles"]));
    passed.provenance.git_commit = Some("3bb6c035".to_owned());
    for key in ["environment", "team"] {
        passed.provenance.tags.insert(key.to_owned(), "shop".to_owned());
    }
    assert_eq!(gate_after(&passed, &[]), None);
    passed.measurement.scenarios[0].requests[0].measured.tally.exchanges = 0;
    let reason = "`tile` is required and was not measured; \
                  `tiles` is required and its step `tile` was not measured";
    assert_eq!(gate_after(&passed, &[]).unwrap().reason, reason);
}

#[test]
fn each_scenario_follows_its_own_policy_and_the_worst_decides() {
    let mut record = record('F', &fail_after(2));
    let mut other = record.plan[0].clone();
    other.name = "app".to_owned();
    other.gate = GatePolicy { on_inconclusive: OnInconclusive::Warn, ..GatePolicy::default() };
    record.plan.push(other);
    let mut verdict = record.verdict.scenarios[0].clone();
    (verdict.scenario, verdict.decision) = ("app".to_owned(), Decision::Inconclusive);
    record.verdict.scenarios.push(verdict);
    let before = earlier("P", &fail_after(2));
    let decided = gate_after(&record, &before).unwrap();
    let reason = "tiles: failed once; fail_after = 2; \
                  app: an inconclusive verdict is only a warning; on_inconclusive = \"warn\"";
    assert_eq!((decided.decision, decided.reason.as_str()), (Decision::Pass, reason));
    record.plan[1].gate = GatePolicy::default();
    let decided = gate_after(&record, &before).unwrap();
    assert_eq!(decided.decision, Decision::Inconclusive);
}

#[test]
fn evidence_against_a_limit_that_differs_from_run_to_run_is_not_added_up() {
    let mut verdict = record('I', &GatePolicy::default()).verdict.scenarios.remove(0);
    assert_eq!(budget_log::ln_evidence(&verdict, 1).len(), 1);
    let budget = &mut verdict.budgets[0];
    budget.fail_evidence.clone_from(&budget.evidence);
    assert_eq!(budget_log::ln_evidence(&verdict, 1), []);
}
