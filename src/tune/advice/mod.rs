//! What to do, each line with the figures it rests on.
//!
//! A line is only given if the session has its figures, and if none of its attempts contradicts
//! it.

mod concurrency;
mod cpu_size;
mod machines;
mod warm_up;

#[cfg(test)]
mod tests;

use crate::record::session::{
    Advice, Attempt, ConfigurationOutcome, Difference, FigureKind, MachineFacts, SessionRecord,
    ThrottleOutcome,
};
use crate::tune::words;

/// What to do, most important first.
pub(super) fn advice(
    record: &SessionRecord,
    configurations: &[ConfigurationOutcome],
) -> Vec<Advice> {
    let own = configurations.first();
    let all = [
        cpu_size::size_against_quota(record),
        better_configuration(configurations),
        own.and_then(|own| machines::running_machines(record, own)),
        own.and_then(warm_up::requests_after_deploy),
        concurrency::limits(record),
        machines::keep_alive(record),
    ];
    all.into_iter().flatten().collect()
}

/// The attempts that completed, at any configuration.
pub(in crate::tune) fn completed(record: &SessionRecord) -> impl Iterator<Item = &Attempt> {
    record.attempts.iter().filter(|attempt| attempt.problem.is_none())
}

/// The completed attempts at the first configuration: the app as it is.
fn completed_as_it_is(record: &SessionRecord) -> impl Iterator<Item = &Attempt> {
    completed(record).filter(|attempt| attempt.configuration == 0)
}

/// The machine that answered an attempt, or all of them if that is not known.
fn machines_of(attempt: &Attempt) -> impl Iterator<Item = &MachineFacts> {
    let own = attempt.machine.as_deref();
    attempt.machines_before.iter().filter(move |facts| own.is_none_or(|id| facts.id == id))
}

/// The figures in which less is better whatever the app does.
const BETTER_IF_LESS: [FigureKind; 4] = [
    FigureKind::FirstAnswer,
    FigureKind::TimeToSteady,
    FigureKind::SteadyP50,
    FigureKind::SteadyP95,
];

/// The configuration that is clearly faster in some figure and clearly slower in none. One that
/// was throttled is not advised: its figures are those of the quota.
fn better_configuration(configurations: &[ConfigurationOutcome]) -> Option<Advice> {
    let better = configurations.get(1..)?.iter().filter_map(|one| {
        let clear = clear_differences(one);
        let is_slower = clear.iter().any(|(_, difference)| difference.estimate.value > 0.0);
        let is_throttled = matches!(one.throttle, ThrottleOutcome::Throttled { .. });
        (!clear.is_empty() && !is_slower && !is_throttled).then_some((one, clear))
    });
    let (best, clear) =
        better.min_by(|(_, one), (_, other)| total(one).total_cmp(&total(other)))?;
    let figures: Vec<String> = clear
        .iter()
        .map(|(kind, difference)| {
            format!("{} less in {}", words::size(*kind, &difference.estimate), words::spoken(*kind))
        })
        .collect();
    Some(Advice {
        what: format!("Apply `{}`.", best.name),
        because: format!(
            "in {} it took {} than `{}`",
            words::count(clear[0].1.estimate.restarts as usize, "round"),
            words::listed(&figures),
            configurations[0].name
        ),
    })
}

fn clear_differences(one: &ConfigurationOutcome) -> Vec<(FigureKind, Difference)> {
    one.figures
        .iter()
        .filter(|figure| BETTER_IF_LESS.contains(&figure.kind))
        .filter_map(|figure| Some((figure.kind, figure.difference.filter(|one| one.is_clear)?)))
        .collect()
}

fn total(clear: &[(FigureKind, Difference)]) -> f64 {
    clear.iter().map(|(_, difference)| difference.estimate.value).sum()
}
