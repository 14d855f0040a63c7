//! Repeats a plan on a fixed grid of time. Each tick is a separate run.

use std::time::Duration;

use super::alert;
use super::baseline::RunBaseline;
use super::console::OutputFormat;
use super::evidence::EvidenceFile;
use super::exit::{CommandError, ExitStatus};
use super::extension::ExtendablePlan;
use super::gate::{self, HistoryPlace};
use super::log::PROGRAMS_ONLY;
use super::outputs::OutputDestinations;
use super::results::{self, ResultForm};
use super::session::{ReferencedRuns, RunFlags};
use super::signals::RunSignals;
use crate::engine::clock;
use crate::units::duration_literal;

/// Runs the plan every `period`, `times` times or until a signal. The exit is the worst of the
/// ticks.
///
/// A run that fails, or cannot be written to its folder, ends the command at once. A failed upload
/// does not: the run is marked, and `tollgate sync` uploads it.
pub(super) fn repeat(
    plan: &ExtendablePlan,
    flags: &RunFlags,
    baseline: Option<&RunBaseline>,
    destinations: &OutputDestinations,
    evidence: &EvidenceFile,
    (period, times): (Duration, Option<u64>),
) -> Result<ExitStatus, CommandError> {
    let signals = RunSignals::listen()?;
    let history = HistoryPlace { runs_dir: flags.runs_dir(), database: destinations.database() };
    let grid = TickGrid { period };
    let start = clock::now();
    let (mut tick, mut runs, mut worst) = (0, 0, ExitStatus::Pass);
    loop {
        tracing::info!(target: PROGRAMS_ONLY, tick, "tick");
        let referenced = ReferencedRuns { baseline, history: Some(history), ..Default::default() };
        let run = gate::apply_policies(plan.execute(flags, &signals, referenced)?, &history);
        let is_alone = times == Some(1) && flags.console().output == OutputFormat::Text;
        let form = if is_alone { ResultForm::Full } else { ResultForm::Line };
        let (delivery, reported) =
            results::report_run(&run, flags.console(), form, || destinations.send(&run));
        worst = worse(worst, evidence.append_run(&run, delivery, reported.as_ref().err()));
        alert::send_alerts(&plan.plan, &run, &history);
        reported?;
        runs += 1;
        if times.is_some_and(|times| runs >= times) || signals.stops_within(Duration::ZERO) {
            return Ok(worst);
        }
        let next = grid.next(clock::now() - start, tick);
        warn_skipped(next.tick - tick - 1, period);
        if signals.stops_within(next.wait) {
            return Ok(worst);
        }
        tick = next.tick;
    }
}

fn warn_skipped(skipped: u64, period: Duration) {
    if skipped > 0 {
        let ticks = if skipped == 1 { "tick" } else { "ticks" };
        tracing::warn!(
            skipped,
            "The run took longer than its period of {}: skipped {skipped} {ticks}",
            duration_literal(period)
        );
    }
}

/// From worst to best: a required upload that failed, fail, inconclusive, pass.
fn worse(one: ExitStatus, other: ExitStatus) -> ExitStatus {
    match (one, other) {
        (ExitStatus::Internal, _) | (_, ExitStatus::Internal) => ExitStatus::Internal,
        (ExitStatus::Fail, _) | (_, ExitStatus::Fail) => ExitStatus::Fail,
        (ExitStatus::Inconclusive, _) | (_, ExitStatus::Inconclusive) => ExitStatus::Inconclusive,
        (one, _) => one,
    }
}

/// When ticks are due: at multiples of the period, counted from the first start.
struct TickGrid {
    period: Duration,
}

/// The next tick, and the wait until it is due.
#[derive(Debug, PartialEq, Eq)]
struct NextTick {
    tick: u64,
    wait: Duration,
}

impl TickGrid {
    /// The first tick after `last` that is due at `elapsed` or later.
    fn next(&self, elapsed: Duration, last: u64) -> NextTick {
        let period = self.period.as_nanos().max(1);
        let due = u64::try_from(elapsed.as_nanos().div_ceil(period)).unwrap_or(u64::MAX);
        let tick = due.max(last + 1);
        let at = u64::try_from(period.saturating_mul(u128::from(tick))).unwrap_or(u64::MAX);
        NextTick { tick, wait: Duration::from_nanos(at).saturating_sub(elapsed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_stay_on_the_grid_and_a_long_run_skips_those_it_overlaps() {
        let grid = TickGrid { period: Duration::from_secs(10) };
        for (elapsed, last, tick, wait) in [
            (0, 0, 1, 10),
            (3, 0, 1, 7),
            (10, 0, 1, 0),
            (11, 0, 2, 9),
            (35, 1, 4, 5),
            (19, 3, 4, 21),
        ] {
            let next = grid.next(Duration::from_secs(elapsed), last);
            assert_eq!(
                next,
                NextTick { tick, wait: Duration::from_secs(wait) },
                "after {elapsed} s"
            );
        }
    }

    #[test]
    fn the_exit_is_the_worst_of_the_ticks() {
        use ExitStatus::{Fail, Inconclusive, Pass};
        for (exits, worst) in [
            (vec![Pass, Pass], Pass),
            (vec![Pass, Inconclusive, Pass], Inconclusive),
            (vec![Inconclusive, Fail, Pass], Fail),
            (vec![Fail, Inconclusive], Fail),
            (vec![Fail, ExitStatus::Internal, Pass], ExitStatus::Internal),
        ] {
            assert_eq!(exits.into_iter().fold(Pass, worse), worst);
        }
    }
}
