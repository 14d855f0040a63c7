//! Steps that run once: a failed setup prevents the measurement, a failed teardown is a warning.

use super::failures::{advice, describe_evidence};
use crate::record::{
    Failure, FailureEvidence, Measurement, PlannedRequest, PlannedScenario, RunEnding,
    ScenarioMeasurement, StepRecord, VerdictReason,
};

/// Why nothing was measured: a step of a setup failed.
pub(super) struct SetupFailure {
    /// The reason, which names the step.
    pub(super) reason: VerdictReason,
    /// Whether the target caused it. Otherwise the run says nothing about the target.
    pub(super) is_of_target: bool,
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
        let steps = measured.map(|measured| measured.setup.as_slice()).unwrap_or_default();
        let Some((step, evidence)) = first_failure(&planned.setup, steps) else {
            let reason = VerdictReason {
                what: format!("nothing was measured, because a setup step of `{scenario}` failed"),
                next: String::new(),
            };
            return Some(Self { reason, is_of_target: false });
        };
        let failed = match evidence.failure {
            Failure::NotConfigured | Failure::NotCaptured => "could not run",
            _ => "failed",
        };
        let reason = VerdictReason {
            what: format!(
                "setup step `{}` {failed}, so nothing was measured: {}",
                step.name,
                describe_evidence(evidence)
            ),
            next: advice(evidence),
        };
        Some(Self { reason, is_of_target: evidence.failure.counts_against_target() })
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

/// Whether there was something to tear down: a step of the setup was sent, or without a setup the
/// load began.
fn is_owed(planned: &PlannedScenario, measured: &ScenarioMeasurement, run: &Measurement) -> bool {
    match run.ending {
        // Only the record of the whole run says which steps ran.
        RunEnding::Recovered => true,
        RunEnding::Imported(_) => false,
        RunEnding::SetupFailed(_) if planned.setup.is_empty() => false,
        _ => planned.setup.is_empty() || measured.setup.iter().any(|step| step.tries > 0),
    }
}

/// The first step that failed in a way that it does not accept.
fn first_failure<'a>(
    planned: &[PlannedRequest],
    steps: &'a [StepRecord],
) -> Option<(&'a StepRecord, &'a FailureEvidence)> {
    steps.iter().find_map(|step| Some((step, unaccepted(planned, step)?)))
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

    use super::*;
    use crate::record::{Decision, ScenarioVerdict};
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

    /// The warnings of a run whose teardown ended in this way.
    fn after_teardown(ending: RunEnding, teardown: Vec<StepRecord>) -> (Decision, Vec<String>) {
        let page = FixtureRequest::new("page", &["errors = 0"]).took(&[1_000; 20]);
        let (mut plan, mut measurement) = run(vec![scenario("shop", &[page])]);
        let planned =
            |name: &str| PlannedRequest { name: name.to_owned(), ..plan[0].requests[0].clone() };
        let steps = ["remove", "log out"].map(planned);
        plan[0].teardown = steps.to_vec();
        measurement.scenarios[0].teardown = teardown;
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
