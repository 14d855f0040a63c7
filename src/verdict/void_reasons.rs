//! Reasons not to trust the data: they turn a pass into inconclusive and never excuse a proven
//! fail.

use super::failures::remedy;
use super::phrases::list;
use crate::record::{
    BudgetVerdict, Decision, EvidenceLog, Failure, Measurement, RunEnding, ScenarioMeasurement,
    ShardSharing, Stage, VerdictReason,
};
use crate::units::format_duration;

/// Maximum number of shards in a sentence.
const SHOWN_SHARDS: usize = 8;

/// The reasons why a scenario's data cannot support a pass; empty if there are none.
pub(super) fn grounds(
    scenario: Option<&ScenarioMeasurement>,
    run: &Measurement,
) -> Vec<VerdictReason> {
    let shared = run.sharing.iter().flat_map(|sharing| [absent(sharing), repeated(sharing)]);
    let of_scenario = match scenario {
        Some(scenario) => [
            proxy_reason(scenario),
            defect_reason(scenario),
            limit_reason(scenario),
            unreleased(scenario),
            missing(scenario, &run.ending),
            abandoned(scenario, &run.ending),
        ],
        None => [Some(unmeasured()), None, None, None, None, None],
    };
    // An early end explains missing and abandoned arrivals, so it is listed before them.
    shared.chain([cut_short(run)]).chain(of_scenario).flatten().collect()
}

/// Turns a pass into inconclusive if there are grounds, and appends the first ground to its reason.
/// The first ground also replaces the reason of a budget without data.
pub(super) fn apply(
    mut verdict: BudgetVerdict,
    grounds: &[VerdictReason],
    run: &Measurement,
) -> BudgetVerdict {
    let Some(ground) = grounds.first() else { return verdict };
    match verdict.decision {
        Decision::Pass => {
            verdict.decision = Decision::Inconclusive;
            let what = format!("{}; but {}", verdict.reason.what, ground.what);
            verdict.reason = VerdictReason { what, next: ground.next.clone() };
        }
        Decision::Inconclusive if verdict.judged == 0 => verdict.reason = ground.clone(),
        // More time would not bring a missing shard.
        Decision::Inconclusive if lacks_shards(run) => verdict.reason.next.clone_from(&ground.next),
        Decision::Inconclusive | Decision::Fail => {}
    }
    verdict
}

fn lacks_shards(run: &Measurement) -> bool {
    run.sharing.as_ref().is_some_and(|sharing| !sharing.missing_shards().is_empty())
}

/// Whether the prober stopped because this scenario's target was down, which is a fail.
///
/// If several scenarios ran, this applies to those with an unanswered exchange, or to all if none
/// has one.
pub(super) fn target_is_down(scenario: Option<&ScenarioMeasurement>, run: &Measurement) -> bool {
    matches!(run.ending, RunEnding::TargetDown(_))
        && (scenario.is_none_or(met_silence) || !run.scenarios.iter().any(met_silence))
}

fn met_silence(scenario: &ScenarioMeasurement) -> bool {
    let stages =
        scenario.requests.iter().flat_map(|request| Stage::ALL.map(|stage| request.stage(stage)));
    stages
        .flat_map(|stage| &stage.tally.failures)
        .any(|(failure, count)| failure.is_without_answer() && *count > 0)
}

/// The shards of a distributed run that are missing from the record.
fn absent(sharing: &ShardSharing) -> Option<VerdictReason> {
    let missing = sharing.missing_shards();
    let (shards, are) = if missing.len() == 1 { ("shard", "is") } else { ("shards", "are") };
    let can_be_stored =
        |shard: &u32| sharing.lost.iter().any(|lost| lost.shard == *shard && lost.can_be_stored);
    let next = match &sharing.parts[..] {
        _ if missing.iter().all(can_be_stored) => {
            "store them with `tollgate sync` on their machines, and merge again"
        }
        // Only a merge knows of lost shards.
        [part] if part.clock.is_some() && sharing.lost.is_empty() => {
            "merge all shards: `tollgate merge --rendezvous NAME`"
        }
        [part, ..] if part.clock.is_some() => {
            "run it again with all shards, under another name for the rendezvous"
        }
        _ => "merge the runs of all shards: `tollgate merge RUN RUN…`",
    };
    let what =
        || format!("{shards} {} of {} {are} missing", list(&missing, SHOWN_SHARDS), sharing.of);
    (!missing.is_empty()).then(|| reason(what() + &why_lost(sharing, &missing), next))
}

/// Why shards are missing, as the end of a sentence; empty if that is not known.
fn why_lost(sharing: &ShardSharing, missing: &[u32]) -> String {
    let lost: Vec<_> = sharing.lost.iter().filter(|lost| missing.contains(&lost.shard)).collect();
    match lost[..] {
        [] => String::new(),
        [lost] if missing.len() == 1 => format!(": {}", lost.words()),
        _ => {
            let shown = lost.iter().take(SHOWN_SHARDS);
            let words: Vec<_> =
                shown.map(|lost| format!("{}: {}", lost.shard, lost.words())).collect();
            let more = if lost.len() > SHOWN_SHARDS { "; …" } else { "" };
            format!(" ({}{more})", words.join("; "))
        }
    }
}

/// Shards that occur more than once. Only one copy is counted, and it may be the wrong one.
fn repeated(sharing: &ShardSharing) -> Option<VerdictReason> {
    let times =
        |times: &usize| if *times == 2 { "twice".to_owned() } else { format!("{times} times") };
    let repeated = sharing.repeated_shards();
    let (shard, often) = repeated.first()?;
    let more = match repeated.len() - 1 {
        0 => String::new(),
        1 => ", and 1 more is repeated".to_owned(),
        more => format!(", and {more} more are repeated"),
    };
    Some(reason(
        format!("shard {shard} of {} occurs {}{more}", sharing.of, times(often)),
        "merge one run of each shard: `tollgate merge RUN RUN…`",
    ))
}

fn unmeasured() -> VerdictReason {
    reason("the run has no measurement of this scenario".to_owned(), "run it again")
}

/// The failures at limits of tollgate itself, with the most frequent one.
fn limit_reason(scenario: &ScenarioMeasurement) -> Option<VerdictReason> {
    let what = "ended at a limit of tollgate itself, not of the target";
    own_failure_reason(scenario, Failure::OwnLimit, scenario.ended_at_limits(), what)
}

/// The failures by defects of tollgate, with the most frequent one.
fn defect_reason(scenario: &ScenarioMeasurement) -> Option<VerdictReason> {
    let count = scenario.ended_by_defects();
    let what = if count == 1 { format!("was {BY_DEFECT}") } else { format!("were {BY_DEFECT}") };
    own_failure_reason(scenario, Failure::Defect, count, &what)
        .or_else(|| unmeasured_defect(scenario))
}

const BY_DEFECT: &str = "ended by a defect of tollgate, not of the target";

/// A defect outside the measured stage; it may have changed what was measured. A failed setup has
/// its own reason.
fn unmeasured_defect(scenario: &ScenarioMeasurement) -> Option<VerdictReason> {
    let stages = scenario.requests.iter().flat_map(|request| [&request.cold, &request.warmup]);
    let warmup = stages
        .flat_map(|stage| stage.evidence.by_count())
        .map(|evidence| ("an exchange of the warm-up".to_owned(), evidence));
    let teardown = scenario
        .teardown
        .iter()
        .filter_map(|step| Some((format!("teardown step `{}`", step.name), step.failed.as_ref()?)));
    let (place, evidence) =
        warmup.chain(teardown).find(|(_, evidence)| evidence.failure == Failure::Defect)?;
    Some(VerdictReason {
        what: format!("{place} was {BY_DEFECT}: {}", evidence.description()),
        next: evidence.next.clone().unwrap_or_else(|| remedy(Failure::Defect).to_owned()),
    })
}

/// The arrivals that did not get past the proxy, with the most frequent reason.
fn proxy_reason(scenario: &ScenarioMeasurement) -> Option<VerdictReason> {
    let what = "ended at the proxy and did not reach the target";
    own_failure_reason(scenario, Failure::Proxy, scenario.ended_at_proxy(), what)
}

/// The arrivals that ended by a failure of the prober's own side, with its most frequent evidence;
/// `None` if there are none.
fn own_failure_reason(
    scenario: &ScenarioMeasurement,
    failure: Failure,
    count: u64,
    what: &str,
) -> Option<VerdictReason> {
    let mut log = EvidenceLog::default();
    for request in &scenario.requests {
        let evidence = request.measured.evidence.by_count().into_iter();
        let own = evidence.filter(|evidence| evidence.failure == failure);
        own.cloned().for_each(|evidence| log.add(evidence));
    }
    let by_count = log.by_count();
    let leading = by_count.first().filter(|_| count > 0)?;
    let due = scenario.released + scenario.unreleased;
    let next = leading.next.clone().unwrap_or_else(|| remedy(failure).to_owned());
    let what =
        format!("{count} of the {due} arrivals that were due {what}: {}", leading.description());
    Some(VerdictReason { what, next })
}

fn unreleased(scenario: &ScenarioMeasurement) -> Option<VerdictReason> {
    let unreleased = scenario.never_sent();
    (unreleased > 0).then(|| {
        let due = scenario.released + scenario.unreleased;
        reason(
            format!("the prober could not send {unreleased} of the {due} arrivals that were due"),
            "run it again from a machine with idle cores, or at a lower rate",
        )
    })
}

/// Arrivals of a complete run that no record accounts for: a shard is missing.
fn missing(scenario: &ScenarioMeasurement, ending: &RunEnding) -> Option<VerdictReason> {
    let planned = scenario.planned.filter(|_| *ending == RunEnding::Complete)?;
    let missing = planned.saturating_sub(scenario.released + scenario.unreleased);
    (missing > 0).then(|| {
        reason(
            format!("{missing} of {planned} planned arrivals are missing from the measurement"),
            "run it again; if several machines shared the run, merge the missing shard",
        )
    })
}

/// Arrivals that the end cut off. They do not prevent the pass of a run that ended early: every
/// arrival before the proof was settled, and later ones were not needed.
fn abandoned(scenario: &ScenarioMeasurement, ending: &RunEnding) -> Option<VerdictReason> {
    let is_needed = match ending {
        RunEnding::ProvenEarly(early) => {
            early.breach.as_ref().is_some_and(|breach| breach.scenario != scenario.name)
        }
        _ => true,
    };
    (scenario.abandoned > 0 && is_needed).then(|| {
        let what = match scenario.abandoned {
            1 => "1 arrival was still in progress when the run ended".to_owned(),
            all => {
                format!("{all} arrivals were still in progress when the run ended")
            }
        };
        reason(what, "run it again and let it finish")
    })
}

/// What to do about a target that was clearly down, if nothing is known of its failures.
pub(super) const TARGET_DOWN_ADVICE: &str =
    "check that the target runs and is reachable from here, then run it again";

fn cut_short(run: &Measurement) -> Option<VerdictReason> {
    match &run.ending {
        RunEnding::Complete
        | RunEnding::SetupFailed(_)
        | RunEnding::ProvenEarly(_)
        | RunEnding::SeenEnough => None,
        RunEnding::Interrupted => {
            // Before the measured stage, a shard may have waited for the others for long.
            let measured = run.elapsed.saturating_sub(run.measured_from);
            let after = if run.ended_in_warmup() { run.elapsed } else { measured };
            Some(reason(
                format!(
                    "the run was interrupted after {}{}",
                    format_duration(after),
                    in_warmup(run)
                ),
                "run it again and let it finish",
            ))
        }
        RunEnding::TargetDown(why) => Some(reason(
            format!("the run stopped because the target was clearly down: {why}"),
            TARGET_DOWN_ADVICE,
        )),
        RunEnding::Recovered => Some(reason(
            format!(
                "the record was recovered from a run that stopped before it was written completely{}",
                in_warmup(run)
            ),
            "run it again and let it finish",
        )),
        RunEnding::Imported(untold) => Some(reason(
            format!("the record was imported, and {untold}"),
            "measure it with tollgate: `tollgate run`",
        )),
    }
}

/// The clause for a run that ended during its warm-up.
fn in_warmup(run: &Measurement) -> &'static str {
    if run.ended_in_warmup() {
        ", during its warm-up: the measured stage never started"
    } else {
        ""
    }
}

fn reason(what: String, next: &str) -> VerdictReason {
    VerdictReason { what, next: next.to_owned() }
}
