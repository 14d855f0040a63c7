//! Steps that run once. After a failed setup, its shard measures nothing; a failed teardown is a
//! warning.

use super::failures::{advice, describe_evidence};
use crate::record::{
    Failure, FailureEvidence, Measurement, PlannedRequest, PlannedScenario, RunEnding,
    ScenarioMeasurement, StepRecord, VerdictReason, is_teardown_owed,
};

/// A failed setup step, which left all or part of the run unmeasured.
pub(super) struct SetupFailure {
    /// The reason, which names the step.
    pub(super) reason: VerdictReason,
    /// Whether the target caused it. Otherwise the run says nothing about the target.
    pub(super) is_of_target: bool,
    /// Whether other shards of a merged run were measured, so that there are figures to explain.
    pub(super) is_partial: bool,
}

impl SetupFailure {
    /// `None` if no setup failed. If the setup of another scenario failed, the target of this one
    /// is not to blame.
    pub(super) fn of(
        planned: &PlannedScenario,
        measured: Option<&ScenarioMeasurement>,
        run: &Measurement,
    ) -> Option<Self> {
        let RunEnding::SetupFailed(scenario) = &run.ending else { return None };
        let is_partial = run.has_measured();
        let steps = measured.map(|measured| measured.setup.as_slice()).unwrap_or_default();
        let Some((step, evidence)) = failures(&planned.setup, steps).next() else {
            let what = if is_partial { "part of the run was not" } else { "nothing was" };
            let reason = VerdictReason {
                what: format!("{what} measured, because a setup step of `{scenario}` failed"),
                next: String::new(),
            };
            return Some(Self { reason, is_of_target: false, is_partial });
        };
        let failed = match evidence.failure {
            Failure::NotConfigured | Failure::NotCaptured => "could not run",
            _ => "failed",
        };
        let reason = VerdictReason {
            what: format!(
                "setup step `{}` {failed}{}: {}",
                step.name,
                consequence(failures(&planned.setup, steps).count(), is_partial, run),
                describe_evidence(evidence)
            ),
            next: advice(evidence),
        };
        let is_of_target = evidence.failure.counts_against_target();
        Some(Self { reason, is_of_target, is_partial })
    }
}

/// What the failures of a setup prevented: each shard runs the setup, up to its first failure.
fn consequence(failures: usize, is_partial: bool, run: &Measurement) -> String {
    let lost = if failures == 1 {
        "so that shard's part of the load was not measured"
    } else {
        "so those shards' parts of the load were not measured"
    };
    match &run.sharing {
        Some(sharing) if is_partial => {
            format!(" in {failures} of {} shards, {lost}", sharing.of)
        }
        _ => ", so nothing was measured".to_owned(),
    }
}

/// A warning for each teardown step that failed or did not finish. Warnings change no decision: the
/// load was measured before.
pub(super) fn teardown_warnings(
    planned: &PlannedScenario,
    measured: Option<&ScenarioMeasurement>,
    run: &Measurement,
) -> Vec<VerdictReason> {
    let Some(measured) = measured.filter(|measured| is_owed(planned, measured, run)) else {
        return Vec::new();
    };
    let is_cut = matches!(run.ending, RunEnding::SetupFailed(_) | RunEnding::Interrupted);
    let failures = measured.teardown.iter().filter_map(|step| {
        let evidence = unaccepted(&planned.teardown, step)?;
        // A step that needs what the setup never created has nothing to remove.
        let is_void = is_cut && evidence.failure == Failure::NotCaptured;
        (!is_void).then(|| VerdictReason {
            what: format!("teardown step `{}`: {}", step.name, describe_evidence(evidence)),
            next: LEFT_BEHIND.to_owned(),
        })
    });
    let own = planned.teardown.iter().filter(|step| step.hop_of.is_none());
    let not_run = own.filter(|step| measured.teardown.iter().all(|ran| ran.name != step.name));
    let not_run = not_run.map(|step| VerdictReason {
        what: format!("teardown step `{}` did not finish", step.name),
        next: LEFT_BEHIND.to_owned(),
    });
    failures.chain(not_run).collect()
}

/// What to do after a teardown that failed.
const LEFT_BEHIND: &str = "look for what the setup left behind, and remove it by hand";

/// Whether there was something to tear down, as far as the record shows.
fn is_owed(planned: &PlannedScenario, measured: &ScenarioMeasurement, run: &Measurement) -> bool {
    match run.ending {
        // Only the record of the whole run says which steps ran.
        RunEnding::Recovered => true,
        RunEnding::Imported(_) => false,
        _ => {
            let began = !matches!(run.ending, RunEnding::SetupFailed(_)) || run.has_measured();
            is_teardown_owed(!planned.setup.is_empty(), &measured.setup, began)
        }
    }
}

/// The steps that failed in a way that they do not accept.
fn failures<'a>(
    planned: &[PlannedRequest],
    steps: &'a [StepRecord],
) -> impl Iterator<Item = (&'a StepRecord, &'a FailureEvidence)> {
    steps.iter().filter_map(|step| Some((step, unaccepted(planned, step)?)))
}

/// How a step failed, unless it accepts that.
fn unaccepted<'a>(planned: &[PlannedRequest], step: &'a StepRecord) -> Option<&'a FailureEvidence> {
    let plan = planned.iter().find(|plan| plan.name == step.name);
    let accepts = |failure| plan.is_some_and(|plan| plan.accepts.contains(&failure));
    step.failed.as_ref().filter(|evidence| !accepts(evidence.failure))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;
    use crate::record::{Decision, ScenarioVerdict, ShardRecord, ShardSharing, StageMeasurement};
    use crate::verdict::fixture::{FixtureRequest, run, scenario};
    use crate::verdict::judge;

    fn failed(failure: Failure, expected: &str, seen: &str) -> FailureEvidence {
        let (expected, seen) = (expected.to_owned(), seen.to_owned());
        FailureEvidence {
            failure,
            phase: None,
            expected,
            seen,
            next: None,
            idle: None,
            count: 1,
            detail: None,
        }
    }

    fn step(name: &str, failed: Option<FailureEvidence>) -> StepRecord {
        let tries =
            u32::from(failed.as_ref().is_none_or(|evidence| !evidence.failure.is_not_judged()));
        StepRecord { name: name.to_owned(), took: Duration::from_millis(20), tries, failed }
    }

    /// Judges a run whose setup ended in this way before anything was measured.
    fn after_setup(failure: Option<FailureEvidence>, accepts: &[Failure]) -> ScenarioVerdict {
        let page = FixtureRequest::new("page", &["p95 < 300ms", "errors = 0"]);
        let (mut plan, mut measurement) = run(vec![scenario("shop", &[page])]);
        plan[0].setup = vec![PlannedRequest {
            name: "log in".to_owned(),
            accepts: accepts.to_vec(),
            ..plan[0].requests[0].clone()
        }];
        measurement.scenarios[0].setup = vec![step("log in", failure)];
        measurement.ending = RunEnding::SetupFailed("shop".to_owned());
        judge(&plan, &measurement).scenarios.remove(0)
    }

    #[test]
    fn a_setup_that_the_target_refuses_fails_and_names_the_step() {
        let verdict = after_setup(Some(failed(Failure::Status, "status = 200", "401")), &[]);
        assert_eq!(verdict.decision, Decision::Fail);
        assert_eq!(verdict.reasons.len(), 1);
        assert_eq!(
            verdict.reasons[0].what,
            "setup step `log in` failed, so nothing was measured: unexpected status, 401 instead of status = 200"
        );
        assert!(verdict.reasons[0].next.contains("credentials"));
        assert!(verdict.budgets.iter().all(|budget| budget.decision == Decision::Inconclusive));
    }

    #[test]
    fn a_setup_that_the_target_did_not_cause_to_fail_is_inconclusive() {
        for (failure, words) in [
            (Failure::NotConfigured, "could not run, so nothing was measured: not configured"),
            (Failure::Absent, "failed, so nothing was measured: absent"),
            (Failure::Prober, "failed, so nothing was measured: prober at fault"),
            (Failure::Defect, "failed, so nothing was measured: defect of tollgate"),
        ] {
            let verdict = after_setup(Some(failed(failure, "", "variable `KEY` is not set")), &[]);
            assert_eq!(verdict.decision, Decision::Inconclusive);
            assert!(verdict.reasons[0].what.contains(words), "{}", verdict.reasons[0].what);
        }
    }

    #[test]
    fn a_setup_of_another_scenario_is_not_blamed_on_this_target() {
        let verdict = after_setup(None, &[]);
        assert_eq!(verdict.decision, Decision::Inconclusive);
        assert_eq!(
            verdict.reasons[0].what,
            "nothing was measured, because a setup step of `shop` failed"
        );
    }

    /// A merged run of two shards: the setup of one failed, the other measured 20 exchanges.
    fn merged(failure: Failure) -> ScenarioVerdict {
        let page = FixtureRequest::new("page", &["p95 < 300ms", "errors = 0"]).took(&[1_000; 20]);
        let (mut plan, mut measurement) = run(vec![scenario("shop", &[page])]);
        plan[0].setup =
            vec![PlannedRequest { name: "log in".to_owned(), ..plan[0].requests[0].clone() }];
        let evidence = failed(failure, "status = 200", "401");
        measurement.scenarios[0].setup = vec![step("log in", Some(evidence)), step("log in", None)];
        measurement.ending = RunEnding::SetupFailed("shop".to_owned());
        let shard =
            |shard| ShardRecord { shard, run: Uuid::nil(), host: "probe".to_owned(), clock: None };
        let start = OffsetDateTime::UNIX_EPOCH;
        measurement.sharing = Some(ShardSharing {
            of: 2,
            start,
            parts: [1, 2].map(shard).to_vec(),
            lost: Vec::new(),
        });
        judge(&plan, &measurement).scenarios.remove(0)
    }

    #[test]
    fn a_setup_that_failed_in_one_shard_says_that_the_other_shards_measured() {
        let verdict = merged(Failure::Status);
        assert_eq!(verdict.decision, Decision::Fail);
        assert_eq!(
            verdict.reasons[0].what,
            "setup step `log in` failed in 1 of 2 shards, so that shard's part of the load was not \
             measured: unexpected status, 401 instead of status = 200"
        );
        assert!(verdict.budgets.iter().all(|budget| budget.judged == 20));
        assert_eq!(merged(Failure::OwnLimit).decision, Decision::Inconclusive);
    }

    /// The warnings of a run whose teardown ended in this way.
    fn after_teardown(ending: RunEnding, teardown: Vec<StepRecord>) -> (Decision, Vec<String>) {
        let page = FixtureRequest::new("page", &["errors = 0"]).took(&[1_000; 20]);
        let (mut plan, mut measurement) = run(vec![scenario("shop", &[page])]);
        let planned =
            |name: &str| PlannedRequest { name: name.to_owned(), ..plan[0].requests[0].clone() };
        let steps = ["remove", "log out"].map(planned);
        plan[0].teardown = steps.to_vec();
        measurement.scenarios[0].teardown = teardown;
        if matches!(ending, RunEnding::SetupFailed(_)) {
            measurement.scenarios[0].requests[0].measured = StageMeasurement::default();
        }
        measurement.ending = ending;
        let warnings = teardown_warnings(&plan[0], Some(&measurement.scenarios[0]), &measurement);
        let decision = judge(&plan, &measurement).decision;
        (decision, warnings.into_iter().map(|warning| warning.what).collect())
    }

    #[test]
    fn a_failed_teardown_warns_and_changes_no_decision() {
        let gone = failed(Failure::Status, "status = 204", "500");
        let (decision, warnings) = after_teardown(
            RunEnding::Complete,
            vec![step("remove", Some(gone)), step("log out", None)],
        );
        assert_eq!(decision, Decision::Pass);
        assert_eq!(
            warnings,
            ["teardown step `remove`: unexpected status, 500 instead of status = 204"]
        );
    }

    #[test]
    fn a_teardown_that_did_not_run_is_warned_of() {
        for ending in [RunEnding::Interrupted, RunEnding::Recovered] {
            let (_, warnings) = after_teardown(ending, vec![step("remove", None)]);
            assert_eq!(warnings, ["teardown step `log out` did not finish"]);
        }
        let never_begun = RunEnding::SetupFailed("other".to_owned());
        assert!(after_teardown(never_begun, Vec::new()).1.is_empty());
    }
}
