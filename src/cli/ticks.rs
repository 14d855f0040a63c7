//! The same plan again and again, on a fixed grid of time; each tick is a run of its own.

use std::time::Duration;

use super::console::Output;
use super::evidence::Log;
use super::exit::{Exit, Problem};
use super::keeping::Keeper;
use super::log::LIFE;
use super::reporting::{self, Form};
use super::session::{self, Settings};
use super::signals::Signals;
use crate::engine::clock;
use crate::plan::Plan;
use crate::units::written;

/// Carries the plan out every `period`, so many times or until a signal comes; the exit is the worst of the ticks.
///
/// A run that cannot be carried out, or kept in its folder, ends the whole at once. One that could not be stored in the
/// database does not: it is marked, and `tollgate sync` sends it.
pub(super) fn repeat(
    plan: &Plan,
    settings: &Settings,
    keeper: &Keeper,
    log: &Log,
    period: Duration,
    times: Option<u64>,
) -> Result<Exit, Problem> {
    let signals = Signals::listen()?;
    let grid = Grid { period };
    let start = clock::now();
    let (mut tick, mut runs, mut worst) = (0, 0, Exit::Pass);
    loop {
        tracing::info!(target: LIFE, tick, "tick");
        let kept = session::carry_out(plan, settings, &signals)?;
        let is_alone = times == Some(1) && settings.console().output == Output::Text;
        let form = if is_alone { Form::Whole } else { Form::Line };
        let reported = reporting::report_on(&kept.record, &kept.folder, settings.console(), form);
        log.reported(&kept, reported)?;
        worst = worse(worst, log.of_run(&kept, keeper.keep(&kept)));
        runs += 1;
        if times.is_some_and(|times| runs >= times) || signals.asked_within(Duration::ZERO) {
            return Ok(worst);
        }
        let next = grid.next(clock::now() - start, tick);
        tell_skipped(next.tick - tick - 1, period);
        if signals.asked_within(next.wait) {
            return Ok(worst);
        }
        tick = next.tick;
    }
}

fn tell_skipped(skipped: u64, period: Duration) {
    if skipped > 0 {
        let ticks = if skipped == 1 { "tick" } else { "ticks" };
        tracing::warn!(
            skipped,
            "The run took longer than its period of {}: skipped {skipped} {ticks}",
            written(period)
        );
    }
}

/// A run that was to be stored and is not is worse than a fail, that is worse than what is inconclusive, and that is worse
/// than a pass.
fn worse(one: Exit, other: Exit) -> Exit {
    match (one, other) {
        (Exit::Internal, _) | (_, Exit::Internal) => Exit::Internal,
        (Exit::Fail, _) | (_, Exit::Fail) => Exit::Fail,
        (Exit::Inconclusive, _) | (_, Exit::Inconclusive) => Exit::Inconclusive,
        (one, _) => one,
    }
}

/// When ticks are due: at multiples of the period from the first start.
struct Grid {
    period: Duration,
}

/// The next tick, and how long it is until then.
#[derive(Debug, PartialEq, Eq)]
struct Next {
    tick: u64,
    wait: Duration,
}

impl Grid {
    /// The first tick after `last` that is not due before `elapsed`.
    fn next(&self, elapsed: Duration, last: u64) -> Next {
        let period = self.period.as_nanos().max(1);
        let due = u64::try_from(elapsed.as_nanos().div_ceil(period)).unwrap_or(u64::MAX);
        let tick = due.max(last + 1);
        let at = u64::try_from(period.saturating_mul(u128::from(tick))).unwrap_or(u64::MAX);
        Next { tick, wait: Duration::from_nanos(at).saturating_sub(elapsed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_stay_on_the_grid_and_those_that_a_run_overlaps_are_left_out() {
        let grid = Grid { period: Duration::from_secs(10) };
        for (elapsed, last, tick, wait) in [
            (0, 0, 1, 10),
            (3, 0, 1, 7),
            (10, 0, 1, 0),
            (11, 0, 2, 9),
            (35, 1, 4, 5),
            (19, 3, 4, 21),
        ] {
            let next = grid.next(Duration::from_secs(elapsed), last);
            assert_eq!(next, Next { tick, wait: Duration::from_secs(wait) }, "after {elapsed} s");
        }
    }

    #[test]
    fn the_exit_is_the_worst_of_the_ticks() {
        use Exit::{Fail, Inconclusive, Pass};
        for (exits, worst) in [
            (vec![Pass, Pass], Pass),
            (vec![Pass, Inconclusive, Pass], Inconclusive),
            (vec![Inconclusive, Fail, Pass], Fail),
            (vec![Fail, Inconclusive], Fail),
            (vec![Fail, Exit::Internal, Pass], Exit::Internal),
        ] {
            assert_eq!(exits.into_iter().fold(Pass, worse), worst);
        }
    }
}
