//! Signs that the wall clock is wrong: certificates and the start of shards depend on it.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::macros::format_description;

use super::MACHINE;
use crate::engine::clock::{self, Instant};
use crate::record::checkup::CheckFinding;
use crate::record::in_utc;
use crate::units::format_duration;

/// A wall clock that moves this far against the monotonic one in half a second was set. A slewed
/// clock moves by at most a quarter of a millisecond.
const STEP: Duration = Duration::from_millis(10);

/// How far in the future this program's file may have been written: file servers have their own
/// clocks.
const AHEAD: Duration = Duration::from_mins(1);

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
struct ClockReading {
    monotonic: Instant,
    wall: OffsetDateTime,
    /// How long it took to read them.
    blur: Duration,
}

impl ClockReading {
    fn now() -> Self {
        let (monotonic, wall) = (clock::now(), clock::wall_clock());
        Self { monotonic, wall, blur: clock::now() - monotonic }
    }
}

/// A watch over the clocks since some moment.
pub(super) struct ClockWatch(ClockReading);

impl ClockWatch {
    pub(super) fn start() -> Self {
        Self(ClockReading::now())
    }

    pub(super) fn stop(self) -> ClockCheck {
        let (before, after) = (self.0, ClockReading::now());
        let wall = Duration::try_from(after.wall - before.wall).unwrap_or_default();
        let moved = wall.abs_diff(after.monotonic - before.monotonic);
        let moved = moved.saturating_sub(before.blur + after.blur);
        ClockCheck { now: after.wall, moved, program: program_written() }
    }
}

/// When this program's file was written.
fn program_written() -> Option<OffsetDateTime> {
    let file = std::env::current_exe().and_then(std::fs::metadata);
    file.and_then(|file| file.modified()).ok().map(|written: SystemTime| written.into())
}

/// Result of watching the clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockCheck {
    now: OffsetDateTime,
    /// How far the wall clock moved against the monotonic one.
    moved: Duration,
    /// When this program's file was written.
    program: Option<OffsetDateTime>,
}

impl ClockCheck {
    pub(super) fn finding(&self) -> CheckFinding {
        let format = |at: OffsetDateTime| {
            let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
            in_utc(at).format(format).unwrap_or_else(|_| at.to_string())
        };
        let now = format(self.now);
        let found = |what| CheckFinding::ok(MACHINE, "clock", what);
        let remedy = "let it be synchronised (chrony, systemd-timesyncd)";
        if let Some(program) = self.program.filter(|program| *program > self.now + AHEAD) {
            return found(format!("{now}, but this program was written at {}", format(program)))
                .warn(remedy);
        }
        if self.moved >= STEP {
            return found(format!(
                "{now}; it was set by {} while it was watched",
                format_duration(self.moved)
            ))
            .warn(remedy);
        }
        found(format!(
            "{now}; it kept step with the monotonic clock (not compared with a time server)"
        ))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::record::checkup::CheckState;

    fn state_of(moved: u64, program: Option<OffsetDateTime>) -> CheckState {
        let now = datetime!(2026-11-24 15:00 UTC);
        ClockCheck { now, moved: Duration::from_millis(moved), program }.finding().state
    }

    #[test]
    fn a_clock_that_is_set_or_behind_its_own_program_is_doubted() {
        assert_eq!(state_of(0, None), CheckState::Ok);
        assert_eq!(state_of(9, Some(datetime!(2026-11-24 15:00:59 UTC))), CheckState::Ok);
        assert_eq!(state_of(10, None), CheckState::Warn);
        assert_eq!(state_of(0, Some(datetime!(2026-11-24 15:02 UTC))), CheckState::Warn);
    }
}
