//! The period of a site, from the flags.

use std::time::Duration;

use time::OffsetDateTime;

use super::Args;
use crate::cli::exit::CommandError;
use crate::cli::history::TimeBound;
use crate::history::{HistoryScope, NamedZone};

const DAY: u64 = 86_400;

/// The period that the flags name.
pub(super) fn scope(args: &Args, now: OffsetDateTime) -> Result<HistoryScope, CommandError> {
    scope_of(args.since, args.until, &args.timezone, now)
}

fn scope_of(
    since: TimeBound,
    until: Option<TimeBound>,
    zone: &NamedZone,
    now: OffsetDateTime,
) -> Result<HistoryScope, CommandError> {
    let end = match until {
        Some(bound) => moment(bound, zone, now),
        None if is_short(since) => end_of_hour(now),
        None => end_of_day(zone, now),
    };
    let start = match since {
        TimeBound::Ago(age) => before(age, zone, end),
        bound => moment(bound, zone, now),
    };
    let start = start.max(OffsetDateTime::UNIX_EPOCH);
    if start >= end {
        return Err(CommandError::usage(
            "error: the period is empty: it ends before it starts\n  \
             Name an earlier --since or a later --until.",
        ));
    }
    let current = if is_short(since) { start_of_hour(now) } else { start_of_day(zone, now) };
    Ok(HistoryScope { since: start, until: end, over_until: end.min(current), zone: zone.clone() })
}

/// An age below two days, whose hours matter.
fn is_short(since: TimeBound) -> bool {
    matches!(since, TimeBound::Ago(age) if age.as_secs() < 2 * DAY)
}

/// A moment; a day is a local one.
fn moment(bound: TimeBound, zone: &NamedZone, now: OffsetDateTime) -> OffsetDateTime {
    match bound {
        TimeBound::Day(day) => zone.start_of_day(day),
        bound => bound.before(now),
    }
}

fn start_of_hour(now: OffsetDateTime) -> OffsetDateTime {
    let hour = now.unix_timestamp().div_euclid(3_600) * 3_600;
    OffsetDateTime::from_unix_timestamp(hour).unwrap_or(now)
}

fn end_of_hour(now: OffsetDateTime) -> OffsetDateTime {
    start_of_hour(now).checked_add(time::Duration::HOUR).unwrap_or(now)
}

fn start_of_day(zone: &NamedZone, now: OffsetDateTime) -> OffsetDateTime {
    zone.start_of_day(zone.local(now).date())
}

fn end_of_day(zone: &NamedZone, now: OffsetDateTime) -> OffsetDateTime {
    zone.local(now).date().next_day().map_or(now, |day| zone.start_of_day(day))
}

/// The moment an age before the end: whole days are days of the calendar, also where the clock
/// changes.
fn before(age: Duration, zone: &NamedZone, end: OffsetDateTime) -> OffsetDateTime {
    let days = i64::try_from(age.as_secs() / DAY).unwrap_or(i64::MAX);
    let local = zone.local(end);
    if age.as_secs().is_multiple_of(DAY) && local.time() == time::Time::MIDNIGHT {
        let first = local.date().checked_sub(time::Duration::days(days.min(4_000_000)));
        return first.map_or(OffsetDateTime::UNIX_EPOCH, |day| zone.start_of_day(day));
    }
    TimeBound::Ago(age).before(end)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn period(since: &str, until: Option<&str>, zone: &str) -> (OffsetDateTime, OffsetDateTime) {
        let bound = |text: &str| text.parse::<TimeBound>().unwrap();
        let now = datetime!(2026-11-24 12:34 UTC);
        let scope = scope_of(bound(since), until.map(bound), &zone.parse().unwrap(), now).unwrap();
        (scope.since, scope.until)
    }

    #[test]
    fn an_age_counts_whole_local_days_up_to_the_end_of_today() {
        assert_eq!(
            period("30d", None, "UTC"),
            (datetime!(2026-10-26 0:00 UTC), datetime!(2026-11-25 0:00 UTC))
        );
        // The clock went back on 25 October.
        assert_eq!(
            period("31d", None, "Europe/Berlin"),
            (datetime!(2026-10-24 22:00 UTC), datetime!(2026-11-24 23:00 UTC))
        );
        assert_eq!(
            period("12h", None, "UTC"),
            (datetime!(2026-11-24 1:00 UTC), datetime!(2026-11-24 13:00 UTC))
        );
    }

    #[test]
    fn the_current_day_or_hour_is_not_over() {
        let over = |since: &str, until: Option<&str>| {
            let bound = |text: &str| text.parse::<TimeBound>().unwrap();
            let now = datetime!(2026-11-24 12:34 UTC);
            let zone = "UTC".parse().unwrap();
            scope_of(bound(since), until.map(bound), &zone, now).unwrap().over_until
        };
        assert_eq!(over("30d", None), datetime!(2026-11-24 0:00 UTC));
        assert_eq!(over("12h", None), datetime!(2026-11-24 12:00 UTC));
        assert_eq!(over("7d", Some("2026-11-01")), datetime!(2026-11-01 0:00 UTC));
    }

    #[test]
    fn days_are_days_of_the_zone_and_an_age_counts_back_from_the_named_end() {
        assert_eq!(
            period("2026-10-01", Some("2026-11-01"), "Europe/Berlin"),
            (datetime!(2026-09-30 22:00 UTC), datetime!(2026-10-31 23:00 UTC))
        );
        assert_eq!(
            period("7d", Some("2026-11-01"), "UTC"),
            (datetime!(2026-10-25 0:00 UTC), datetime!(2026-11-01 0:00 UTC))
        );
    }

    #[test]
    fn a_period_that_ends_before_it_starts_is_refused() {
        let bound = |text: &str| text.parse::<TimeBound>().unwrap();
        let now = datetime!(2026-11-24 12:34 UTC);
        let empty =
            scope_of(bound("2026-11-02"), Some(bound("2026-11-01")), &NamedZone::utc(), now);
        assert!(empty.unwrap_err().to_string().contains("--until"));
        let (since, _) = period("9000000d", None, "UTC");
        assert_eq!(since, OffsetDateTime::UNIX_EPOCH);
    }
}
