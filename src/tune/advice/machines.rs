//! Which machines should stay up.

use std::time::Duration;

use super::{completed, completed_as_it_is, machines_of};
use crate::record::Dimension;
use crate::record::session::{
    Advice, Attempt, ColdState, ConfigurationOutcome, FigureKind, MachineFacts, SessionRecord,
    StartKind,
};
use crate::tune::words;
use crate::units::{duration_literal, format_duration};

/// The fewest attempts from which the effect of a pause is concluded.
const FEWEST: usize = 3;

/// Keeping a machine running, if the proxy stops it and its first answer then breaks the budget.
pub(super) fn running_machines(
    record: &SessionRecord,
    own: &ConfigurationOutcome,
) -> Option<Advice> {
    let ceiling = lowest_ceiling(record)?;
    let kind = FigureKind::FirstAnswer;
    let first = own.figure(kind)?;
    let (low, _) = first.estimate.interval?;
    let is_cold = completed_as_it_is(record)
        .all(|attempt| matches!(attempt.start, StartKind::Booted | StartKind::Resumed));
    let stops = completed_as_it_is(record).flat_map(machines_of).any(may_stop);
    (is_cold && stops && low > ceiling.as_secs_f64()).then(|| Advice {
        what: "Set `min_machines_running = 1` or more, so that no visitor waits for a start. It \
               holds in the primary region only."
            .to_owned(),
        because: format!(
            "the first answer of `{}` takes {} and the budget is {}; the proxy stops idle machines \
             and keeps none running",
            own.name,
            words::estimate(kind, &first.estimate),
            format_duration(ceiling)
        ),
    })
}

/// The lowest ceiling of a budget on the whole latency.
fn lowest_ceiling(record: &SessionRecord) -> Option<Duration> {
    let ceilings = record.plan.budgets.iter().filter_map(|budget| {
        let (dimension, ceiling) = budget.ceiling()?;
        (dimension == Dimension::Latency).then_some(ceiling)
    });
    ceilings.min()
}

/// Whether the proxy stops a machine and keeps none running.
fn may_stop(machine: &MachineFacts) -> bool {
    matches!(machine.autostop.as_str(), "stop" | "suspend")
        && machine.min_machines_running == Some(0)
}

/// An interval of requests that keeps a machine up, if every pause of that length left it running,
/// although the proxy stops idle machines.
pub(super) fn keep_alive(record: &SessionRecord) -> Option<Advice> {
    let ColdState::Idle { pause } = record.plan.cold else { return None };
    let attempts: Vec<&Attempt> = completed(record).collect();
    let kept = attempts.iter().filter(|attempt| attempt.start == StartKind::Ran).count();
    let all_may_stop = attempts.iter().all(|attempt| machines_of(attempt).any(may_stop));
    (kept == attempts.len() && kept >= FEWEST && all_may_stop).then(|| Advice {
        what: format!(
            "A request every {} keeps the machine running. Send it from outside: Fly stopped a \
             machine that sent requests to itself.",
            duration_literal(pause)
        ),
        because: format!(
            "the machine still ran after all of {} of that length, and the proxy may stop it",
            words::count(kept, "pause")
        ),
    })
}
