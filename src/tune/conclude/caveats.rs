//! What a reader must know about the figures of a session.

use super::headline;
use crate::record::session::{
    ColdState, Configuration, ConfigurationOutcome, CurveEnd, SessionEnding, SessionRecord,
    StartKind, ThrottleOutcome,
};
use crate::tune::advice::completed;
use crate::tune::words::{count, listed};

/// One sentence for each thing that weakens what the figures say.
pub(super) fn caveats(
    record: &SessionRecord,
    configurations: &[ConfigurationOutcome],
) -> Vec<String> {
    let all = [
        unfinished(record),
        incomplete(record),
        unclassified(record, configurations),
        few_restarts(configurations),
        not_comparable(configurations),
        machines_not_known(record),
        starts_not_known(record),
        metrics_not_known(configurations),
    ];
    let added = added_machines(record);
    imported(record).into_iter().chain(added).chain(all.into_iter().flatten()).collect()
}

/// Where an imported session comes from, and what its records show and do not show.
fn imported(record: &SessionRecord) -> Vec<String> {
    let from = record.provenance.imported_from.iter();
    let origin = from.map(|from| {
        format!("The session was imported from {from}: nobody planned it as an experiment.")
    });
    let notes = record.provenance.import_notes.iter().skip(headline::NOTES_OF_IMPORT);
    origin.chain(notes.cloned()).collect()
}

/// Machines that commands of the plan added: nothing removes them, and they may have answered.
fn added_machines(record: &SessionRecord) -> Vec<String> {
    let app = record.plan.app.as_deref().unwrap_or("APP");
    let planned = record.plan.configurations.iter().enumerate();
    let of = |(index, configuration): (usize, &Configuration)| {
        let own = record.added_machines.iter().filter(|machine| machine.configuration == index);
        let (ids, named): (Vec<&str>, Vec<String>) = own
            .map(|machine| (machine.id.as_str(), format!("{} ({})", machine.id, machine.region)))
            .unzip();
        let (machines, were, they) = match ids.len() {
            0 => return None,
            1 => ("Machine", "was", "it"),
            _ => ("Machines", "were", "they"),
        };
        Some(format!(
            "{machines} {} {were} added by the command of `{}` and {were} not removed: {they} may \
             have answered requests since then. `fly machine destroy --force --app {app} {}` removes \
             {}.",
            listed(&named),
            configuration.name,
            ids.join(" "),
            if ids.len() == 1 { "it" } else { "them" }
        ))
    };
    planned.filter_map(of).collect()
}

fn unfinished(record: &SessionRecord) -> Option<String> {
    let planned = record.planned_attempts();
    let made = completed(record).count();
    let so_far = format!("{made} of {planned} attempts were completed");
    let said = match &record.ending {
        Some(SessionEnding::Complete) => return None,
        Some(SessionEnding::Interrupted) => format!("The session was interrupted: {so_far}."),
        Some(SessionEnding::Failed(why)) => {
            format!("The session could not go on ({why}): {so_far}.")
        }
        None => format!("The session is not finished: {so_far}."),
    };
    let resume = format!(" `--resume {}` goes on with it.", record.folder_name());
    Some(said + if record.can_be_resumed() { &resume } else { "" })
}

fn incomplete(record: &SessionRecord) -> Option<String> {
    let failed: Vec<u32> = record
        .attempts
        .iter()
        .filter(|attempt| attempt.problem.is_some())
        .map(|attempt| attempt.number)
        .collect();
    let (attempts, their) = match failed.len() {
        0 => return None,
        1 => ("Attempt", "its"),
        _ => ("Attempts", "their"),
    };
    Some(format!(
        "{attempts} {} did not complete; no estimate uses {their} figures.",
        listed(&failed)
    ))
}

/// Curves that ended as steady, and whose steady state cannot be told from all their requests.
fn unclassified(record: &SessionRecord, configurations: &[ConfigurationOutcome]) -> Option<String> {
    let ended_steady = |number: u32| {
        let attempt = record.attempts.iter().find(|attempt| attempt.number == number);
        attempt.is_some_and(|attempt| attempt.curve_end == CurveEnd::Steady)
    };
    let curves = configurations.iter().flat_map(|one| &one.curves);
    let unclear = curves.filter(|curve| curve.steady_from.is_none());
    let mut numbers: Vec<u32> =
        unclear.map(|curve| curve.attempt).filter(|number| ended_steady(*number)).collect();
    numbers.sort_unstable();
    let (curve, attempt) = match numbers.len() {
        0 => return None,
        1 => ("The curve of attempt", "it"),
        _ => ("The curves of attempts", "they"),
    };
    Some(format!(
        "{curve} {} ended as steady, but where the steady state begins is not clear; {attempt} \
         enter{} no figure of the warm-up.",
        listed(&numbers),
        if numbers.len() == 1 { "s" } else { "" }
    ))
}

fn few_restarts(configurations: &[ConfigurationOutcome]) -> Option<String> {
    let few: Vec<String> = configurations
        .iter()
        .filter(|one| one.restarts < 2)
        .map(|one| format!("`{}`", one.name))
        .collect();
    (!few.is_empty()).then(|| {
        let have = if few.len() == 1 { "has" } else { "have" };
        format!("{} {have} fewer than two restarts, so there is no interval.", listed(&few))
    })
}

/// Configurations with restarts of their own, but in other rounds than the first one.
fn not_comparable(configurations: &[ConfigurationOutcome]) -> Option<String> {
    let first = configurations.first().filter(|first| first.restarts > 1)?;
    let apart: Vec<String> = configurations[1..]
        .iter()
        .filter(|one| one.restarts > 1 && one.figures.iter().all(|f| f.difference.is_none()))
        .map(|one| format!("`{}`", one.name))
        .collect();
    (!apart.is_empty()).then(|| {
        let share = if apart.len() == 1 { "shares" } else { "share" };
        format!(
            "{} {share} fewer than two rounds with `{}`, so they cannot be compared: whatever else \
             changed between the rounds would count as a difference.",
            listed(&apart),
            first.name
        )
    })
}

fn machines_not_known(record: &SessionRecord) -> Option<String> {
    record.plan.app.as_ref()?;
    let unknown = completed(record).filter(|attempt| attempt.machine.is_none()).count();
    (unknown > 0).then(|| {
        format!("It is not known which machine answered in {}.", count(unknown, "attempt"))
    })
}

fn starts_not_known(record: &SessionRecord) -> Option<String> {
    if record.plan.cold == ColdState::None {
        return None;
    }
    let unknown: Vec<_> =
        completed(record).filter(|attempt| attempt.start == StartKind::Unknown).collect();
    let doubted = unknown.iter().filter(|attempt| attempt.start_by_events.is_some()).count();
    let because = match doubted {
        0 => String::new(),
        _ => format!(
            " In {doubted} of them, latency does not confirm what the machine's events show."
        ),
    };
    (!unknown.is_empty()).then(|| {
        format!(
            "It is not known whether the machine booted, resumed or ran in {}.{because}",
            count(unknown.len(), "attempt")
        )
    })
}

fn metrics_not_known(configurations: &[ConfigurationOutcome]) -> Option<String> {
    let unknown: Vec<&ConfigurationOutcome> = configurations
        .iter()
        .filter(|one| one.restarts > 0)
        .filter(|one| matches!(one.throttle, ThrottleOutcome::NotKnown { .. }))
        .collect();
    let ThrottleOutcome::NotKnown { why } = &unknown.first()?.throttle else { return None };
    let names: Vec<String> = unknown.iter().map(|one| format!("`{}`", one.name)).collect();
    Some(format!(
        "Whether the CPU quota throttled {} is not known: {}.",
        listed(&names),
        why.trim_end_matches('.')
    ))
}
