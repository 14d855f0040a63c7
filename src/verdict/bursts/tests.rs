use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// A run of `seconds` with `rate` exchanges a second. `is_slow` says which exceed, from the time at
/// which they are due, in seconds.
fn timeline(seconds: u64, rate: u64, mut is_slow: impl FnMut(f64) -> bool) -> ExceedanceTimeline {
    let mut timeline = ExceedanceTimeline::default();
    for second in 0..seconds {
        let due = |at: u64| second as f64 + (at as f64 + 0.5) / rate as f64;
        let over = (0..rate).filter(|&at| is_slow(due(at))).count() as u64;
        timeline.add(Duration::from_secs(second), ExceedanceCount { over, of: rate });
    }
    timeline
}

fn pattern(seconds: u64, rate: u64, is_slow: impl FnMut(f64) -> bool) -> Option<ExceedancePattern> {
    ExceedancePattern::of(&timeline(seconds, rate, is_slow))
}

/// Whether `at` is in the first `length` seconds of a period.
fn in_period(at: f64, period: f64, offset: f64, length: f64) -> bool {
    at >= offset && (at - offset) % period < length
}

#[test]
fn periodic_freezes_have_their_period_and_length_wherever_they_begin() {
    for (rate, period, offset, length) in
        [(23, 10.0, 9.2, 0.7), (23, 10.0, 9.8, 0.7), (100, 5.0, 0.3, 1.4), (5, 10.0, 3.0, 2.0)]
    {
        let found = pattern(60, rate, |at| in_period(at, period, offset, length));
        let Some(ExceedancePattern::Periodic {
            bursts,
            period: found_period,
            length: found_length,
        }) = found
        else {
            panic!("{period} {offset}: {found:?}")
        };
        assert!(bursts >= 5, "{bursts}");
        assert!((found_period.as_secs_f64() - period).abs() < 0.3, "{found_period:?}");
        assert!((found_length.as_secs_f64() - length).abs() < 0.25, "{found_length:?}");
    }
}

#[test]
fn pauses_shorter_than_a_second_are_seen_as_short() {
    let found = pattern(40, 50, |at| in_period(at, 2.0, 1.0, 0.2));
    let Some(ExceedancePattern::Periodic { period, length, .. }) = found else {
        panic!("{found:?}")
    };
    assert_eq!(period, Duration::from_secs(2));
    assert_eq!(length, Duration::from_millis(200));
}

#[test]
fn freezes_among_other_slow_requests_keep_their_period() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let found = pattern(120, 50, |at| in_period(at, 10.0, 4.0, 0.8) || random.random_bool(0.02));
    let Some(ExceedancePattern::Periodic { period, .. }) = found else { panic!("{found:?}") };
    assert!(period.abs_diff(Duration::from_secs(10)) < Duration::from_millis(300), "{period:?}");
}

#[test]
fn a_missing_freeze_does_not_hide_the_period() {
    let found = pattern(80, 20, |at| in_period(at, 10.0, 5.0, 1.0) && !(35.0..36.0).contains(&at));
    let Some(ExceedancePattern::Periodic { period, bursts: 7, .. }) = found else {
        panic!("{found:?}")
    };
    assert_eq!(period, Duration::from_secs(10));
}

#[test]
fn one_long_freeze_is_one_burst() {
    assert_eq!(
        pattern(40, 20, |at| (12.0..19.0).contains(&at)),
        Some(ExceedancePattern::Single {
            start: Duration::from_secs(12),
            length: Duration::from_secs(7)
        })
    );
}

#[test]
fn freezes_at_irregular_times_are_counted_and_have_no_period() {
    let starts = [3.0, 8.0, 31.0, 37.0, 55.0];
    let found =
        pattern(60, 20, |at| starts.iter().any(|start| (*start..start + 1.0).contains(&at)));
    assert_eq!(
        found,
        Some(ExceedancePattern::Repeated { bursts: 5, longest: Duration::from_secs(1) })
    );
    let two = pattern(40, 20, |at| in_period(at, 20.0, 5.0, 1.0));
    assert!(matches!(two, Some(ExceedancePattern::Repeated { bursts: 2, .. })), "{two:?}");
}

#[test]
fn a_cold_start_is_at_the_start() {
    assert_eq!(
        pattern(40, 20, |at| at < 4.0),
        Some(ExceedancePattern::AtStart { length: Duration::from_secs(4) })
    );
}

#[test]
fn a_target_that_stops_keeping_up_exceeds_until_the_end() {
    let found = pattern(40, 20, |at| at > 25.0);
    let Some(ExceedancePattern::UntilEnd { start, share }) = found else { panic!("{found:?}") };
    assert_eq!((start, share.over), (Duration::from_secs(25), 300));
}

#[test]
fn a_queue_that_grows_is_seen_to_grow_and_a_slow_warm_up_to_shrink() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let growing = pattern(60, 20, |at| random.random_bool((at / 60.0) * 0.6));
    assert!(matches!(growing, Some(ExceedancePattern::Growing { .. })), "{growing:?}");
    let shrinking = pattern(60, 20, |at| random.random_bool((1.0 - at / 60.0) * 0.6));
    assert!(matches!(shrinking, Some(ExceedancePattern::Shrinking { .. })), "{shrinking:?}");
}

#[test]
fn slowness_throughout_is_steady() {
    assert_eq!(pattern(40, 20, |_| true), Some(ExceedancePattern::Steady));
    let every_third = pattern(40, 21, |at| (at * 7.0).fract() < 1.0 / 3.0);
    assert_eq!(every_third, Some(ExceedancePattern::Steady));
}

#[test]
fn too_few_exceedances_have_no_pattern() {
    assert_eq!(pattern(40, 20, |_| false), None);
    assert_eq!(pattern(40, 20, |at| (3.0..3.1).contains(&at)), None);
    assert_eq!(ExceedancePattern::of(&ExceedanceTimeline::default()), None);
}

#[test]
fn slowness_by_chance_is_seldom_called_a_burst() {
    let mut random = ChaCha8Rng::seed_from_u64(14);
    for (rate, share) in [(5, 0.03), (20, 0.05), (20, 0.3), (100, 0.01), (1, 0.1)] {
        let runs = 300;
        let is_steady_or_none = |found| matches!(found, None | Some(ExceedancePattern::Steady));
        let wrong = (0..runs)
            .filter(|_| !is_steady_or_none(pattern(40, rate, |_| random.random_bool(share))))
            .count();
        assert!(wrong * 100 <= runs * 3, "{rate}/s, {share}: {wrong} of {runs}");
    }
}
