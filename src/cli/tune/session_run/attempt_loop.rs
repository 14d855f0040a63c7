//! Makes the attempts of a session, one after the other.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::exit::CommandError;
use crate::cli::tune::attempt::{AttemptContext, ManagedApp};
use crate::cli::tune::reports;
use crate::cli::tune::session_facts::note_size;
use crate::record::session::{AddedMachine, Attempt, SessionEnding, SessionRecord};
use crate::store::SessionFolder;
use crate::tune::conclude::conclude;
use crate::tune::plan_file::SessionPlan;
use crate::tune::rounds::{PlannedAttempt, planned_attempts, remaining_attempts};
use crate::units::{Quantile, format_duration};

/// So many attempts in a row without a result end a session.
const MAX_PROBLEMS: usize = 3;

/// Makes every attempt that is left, and keeps the session's folder up to date.
pub(super) fn make_attempts(
    context: &AttemptContext<'_>,
    folder: &SessionFolder,
    record: &mut SessionRecord,
    mut app: ManagedApp<'_, '_>,
) -> Result<SessionEnding, CommandError> {
    let plan = context.plan;
    let planned = planned_attempts(plan.configurations.len(), plan.rounds, plan.seed);
    let left = remaining_attempts(&planned, &record.attempts);
    let (count, mut problems) = (planned.len(), 0);
    for (index, next) in left.iter().enumerate() {
        if context.signals.stops_within(Duration::ZERO) {
            return Ok(SessionEnding::Interrupted);
        }
        announce(plan, *next, count - left.len() + index + 1, count);
        let number = record.attempts.last().map_or(0, |last| last.number) + 1;
        let borrowed = app.as_mut().map(|(machines, store)| (&mut **machines, &mut **store));
        let attempt = context.make(number, *next, borrowed)?;
        if let Some((machines, _)) = &app {
            note_added(record, machines.added());
        }
        report_attempt(&attempt);
        problems = if attempt.problem.is_some() { problems + 1 } else { 0 };
        note_size(record, &attempt);
        let why = attempt.problem.clone();
        let steady_run = attempt.steady.as_ref().map(|steady| steady.run_name.clone());
        record.attempts.push(attempt);
        conclude(record);
        reports::write_session(folder, record)?;
        let run_file = |run| context.flags.runs_dir().join(run).join("run.json");
        let files: Vec<PathBuf> = steady_run.map(run_file).into_iter().collect();
        context.evidence.append_attempt(record, number, &files);
        if why.is_some() && context.signals.stops_within(Duration::ZERO) {
            return Ok(SessionEnding::Interrupted);
        }
        if let Some(why) = why.filter(|_| problems >= MAX_PROBLEMS) {
            let why =
                format!("{MAX_PROBLEMS} attempts in a row had no result; the last one: {why}");
            return Ok(SessionEnding::Failed(why));
        }
    }
    Ok(SessionEnding::Complete)
}

/// Notes the machines that commands added, so that a session that is killed later names them.
fn note_added(record: &mut SessionRecord, added: &[AddedMachine]) {
    for machine in added {
        if !record.added_machines.contains(machine) {
            record.added_machines.push(machine.clone());
        }
    }
}

fn announce(plan: &SessionPlan, next: PlannedAttempt, number: usize, count: usize) {
    let configuration = &plan.configurations[next.configuration].name;
    tracing::info!(
        attempt = number,
        round = next.round,
        configuration,
        "Attempt {number} of {count}: {configuration} (round {})",
        next.round
    );
}

/// One line about an attempt that has ended.
fn report_attempt(attempt: &Attempt) {
    if let Some(problem) = &attempt.problem {
        tracing::warn!("  no result: {problem}");
        return;
    }
    let answered = attempt.first.iter().find(|sample| sample.failure.is_none());
    let first = answered.map(|sample| format_duration(sample.due + sample.latency));
    let steady = attempt
        .steady
        .as_ref()
        .and_then(|steady| Some(format_duration(steady.latency.quantile(Quantile::P50)?)));
    tracing::info!(
        "  first answer {}, {} requests until the curve ended, steady p50 {}",
        first.unwrap_or_else(|| "none".to_owned()),
        attempt.curve.len(),
        steady.unwrap_or_else(|| "unknown".to_owned())
    );
}
