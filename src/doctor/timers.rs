//! How late timers fire, and whether this machine stalls.

use std::time::Duration;

use super::{MACHINE, percent};
use crate::engine::probe::{STANDSTILL, TimerLateness};
use crate::record::Histogram;
use crate::record::checkup::CheckFinding;
use crate::units::format_duration;

/// Lateness that spoils figures if no plan sets a ceiling: a tenth of 100 ms.
const SPOILS: Duration = Duration::from_millis(10);

/// The prober's own lateness may be at most a ceiling divided by this. More could decide a verdict
/// by itself.
const PART_OF_CEILING: u32 = 10;

/// Shares of the time above which standstills affect a p99 and a p90.
const TOUCHES_P99: f64 = 0.01;
const TOUCHES_P90: f64 = 0.1;

const REMEDY: &str = "stop other programs here, or probe from a dedicated machine";

/// Findings about timers, judged against the plan's tightest ceiling.
pub(super) fn findings(timers: &TimerLateness, tightest: Option<Duration>) -> [CheckFinding; 2] {
    [lag(&timers.lag, tightest), standstills(&timers.hiccups, tightest)]
}

/// The lateness that spoils figures.
fn spoiling(tightest: Option<Duration>) -> Duration {
    tightest.map_or(SPOILS, |ceiling| (ceiling / PART_OF_CEILING).max(STANDSTILL))
}

fn lag(lag: &Histogram, tightest: Option<Duration>) -> CheckFinding {
    let at = |share| lag.at_share(share).unwrap_or_default();
    let (p50, p99, max) = (at(0.5), at(0.99), lag.max().unwrap_or_default());
    let what = format!(
        "p50 {}, p99 {}, max {} late, over {} timers",
        format_duration(p50),
        format_duration(p99),
        format_duration(max),
        lag.count()
    );
    let found = |what| CheckFinding::ok(MACHINE, "timer lag", what);
    if p99 >= spoiling(tightest) {
        let comparison = tightest.map_or(String::new(), |ceiling| {
            format!(
                "; that is a tenth and more of the tightest ceiling, {}",
                format_duration(ceiling)
            )
        });
        found(format!("{what}{comparison}")).fail(REMEDY)
    } else if p99 >= STANDSTILL {
        found(format!("{what}; each request is sent as late as that")).warn(REMEDY)
    } else {
        found(what)
    }
}

fn standstills(hiccups: &Histogram, tightest: Option<Duration>) -> CheckFinding {
    let found = |what| CheckFinding::ok(MACHINE, "standstills", what);
    let watched = super::WATCHED;
    let (count, share) = standing(hiccups, STANDSTILL);
    if count == 0 {
        return found(format!(
            "none of {} and longer in {}",
            format_duration(STANDSTILL),
            format_duration(watched)
        ));
    }
    let what = format!(
        "{count} of {} and longer, {} at most, {} of {}",
        format_duration(STANDSTILL),
        format_duration(hiccups.max().unwrap_or_default()),
        percent(share),
        format_duration(watched)
    );
    let stamped = || format!("{what}; answers that arrive during one get a late timestamp");
    if standing(hiccups, spoiling(tightest)).1 >= TOUCHES_P90 {
        found(stamped()).fail(REMEDY)
    } else if share >= TOUCHES_P99 {
        found(stamped()).warn(REMEDY)
    } else {
        found(what)
    }
}

/// The number of hiccups of at least `least`, and their share of the time.
fn standing(hiccups: &Histogram, least: Duration) -> (u64, f64) {
    let long = || hiccups.steps().filter(|(late, _)| *late >= least);
    let stood: f64 = long().map(|(late, count)| late.as_secs_f64() * count as f64).sum();
    (long().map(|(_, count)| count).sum(), stood / super::WATCHED.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::checkup::CheckState;

    fn all_late(millis: f64, count: u32) -> Histogram {
        let mut histogram = Histogram::default();
        (0..count).for_each(|_| histogram.record(Duration::from_secs_f64(millis / 1e3)));
        histogram
    }

    #[test]
    fn lag_is_compared_with_the_tightest_ceiling() {
        for (millis, tightest, state) in [
            (0.2, None, CheckState::Ok),
            (3.5, None, CheckState::Warn),
            (10.5, None, CheckState::Fail),
            (10.5, Some(300), CheckState::Warn),
            (31.0, Some(300), CheckState::Fail),
            (0.9, Some(5), CheckState::Ok),
            (3.5, Some(5), CheckState::Fail),
        ] {
            let finding = lag(&all_late(millis, 100), tightest.map(Duration::from_millis));
            assert_eq!(finding.state, state, "{millis} ms beside {tightest:?}");
            assert_eq!(finding.remedy.is_none(), state == CheckState::Ok);
        }
    }

    #[test]
    fn standstills_are_judged_by_their_share_and_short_ones_by_the_tightest_ceiling() {
        for (millis, count, tightest, state) in [
            (0.9, 500, None, CheckState::Ok),
            (4.0, 1, None, CheckState::Ok),
            (6.0, 1, None, CheckState::Warn),
            (8.0, 40, None, CheckState::Warn),
            (8.0, 40, Some(60), CheckState::Fail),
            (60.0, 1, None, CheckState::Fail),
            (60.0, 1, Some(1_000), CheckState::Warn),
        ] {
            let finding =
                standstills(&all_late(millis, count), tightest.map(Duration::from_millis));
            assert_eq!(finding.state, state, "{count} of {millis} ms beside {tightest:?}");
        }
        let text = standstills(&all_late(60.0, 1), None).what;
        assert!(
            text.starts_with("1 of ") && text.contains("60 ms at most, 12.0 % of 500 ms"),
            "{text}"
        );
    }
}
