//! Days of series, and what is made of them.

use std::time::Duration;

use time::macros::{date, datetime};

use super::period_tests::{START, only, run, scope};
use super::*;
use crate::record::RunSummary;

/// The days of a series whose only request has these runs.
fn days(runs: Vec<RunSummary>, zone: &str) -> Vec<DaySum> {
    let scope = scope(START, 7, zone);
    let (mut series, _) = group_series(runs, &HistoryFilter::default(), &scope);
    series.remove(0).requests.remove(0).days
}

fn day(runs: Vec<RunSummary>) -> SeriesDay {
    let measured = |mut run: RunSummary| {
        let requests = std::mem::take(&mut run.requests);
        MeasuredRun { run: TrendRun::of(run), requests }
    };
    SeriesDay::of(START.date(), runs.into_iter().map(measured).collect(), &NamedZone::utc())
}

#[test]
fn a_day_has_the_sum_of_its_runs_and_of_each_hour() {
    let runs = vec![run(1, &[100; 20]), run(1, &[300; 10]), run(5, &[200; 20]), run(25, &[9; 3])];
    let days = days(runs, "UTC");
    let [first, second] = &days[..] else { panic!("{days:?}") };
    assert_eq!((first.day, first.runs, first.latency.count), (date!(2026 - 11 - 02), 2, 40));
    let hours: Vec<_> = first.hours.iter().map(|hour| (hour.hour, hour.latency.count)).collect();
    assert_eq!(hours, [(1, 20), (5, 20)]);
    assert_eq!((second.day, second.runs, second.latency.count), (date!(2026 - 11 - 03), 1, 3));
}

#[test]
fn an_hour_that_the_clock_repeats_is_one_hour() {
    let october = datetime!(2026-10-25 00:00 UTC);
    let repeated = |minutes: u64| RunSummary {
        started: october + Duration::from_mins(minutes),
        ..run(minutes, &[100; 5])
    };
    let days = days(vec![repeated(15), repeated(75), repeated(135)], "Europe/Berlin");
    let hours: Vec<_> = days[0].hours.iter().map(|hour| (hour.hour, hour.runs)).collect();
    assert_eq!(hours, [(2, 2), (3, 1)]);
}

#[test]
fn weeks_hours_and_points_hold_every_exchange_of_the_period() {
    for (days, every) in [(9, 1), (210, 24), (5_000, 500)] {
        let runs = (0..days * 24 / every).map(|at| run(at * every, &[100 + at % 7; 3])).collect();
        let history = only(runs, &scope(START, days, "America/New_York"));
        let all = history.period.latency.count();
        assert_eq!(all, 3 * (days * 24 / every));
        let points = history.bins.bins.iter().map(|bin| bin.latency.count).sum::<u64>();
        let weeks = history.weeks.iter().map(|week| week.latency.count).sum::<u64>();
        let hours = history.grid.days.iter().flat_map(|(_, hours)| hours);
        let hours = hours.map(|cell| cell.latency.count).sum::<u64>();
        assert_eq!((points, weeks, hours), (all, all, all), "{days} days");
        assert!(history.bins.bins.len() < 220, "{}", history.bins.bins.len());
    }
}

#[test]
fn a_day_in_which_the_period_starts_has_two_parts_and_neither_is_whole() {
    let scope = scope(START + Duration::from_hours(12), 7, "UTC");
    let (early, late) = (scope.part_of(START), scope.part_of(START + Duration::from_hours(12)));
    assert!(early < late && early.day == late.day);
    assert!(!scope.is_whole(early, None) && !scope.is_whole(late, None));
    let next = scope.part_of(START + Duration::from_hours(24));
    assert!(scope.is_whole(next, None));
    let last = scope.part_of(START + Duration::from_hours(7 * 24));
    assert!(!scope.is_whole(last, None));
    let before = scope.part_of(START - Duration::from_hours(24));
    assert!(scope.is_whole(before, None) && !scope.is_whole(before, Some(START)));
    let runs = vec![run(6, &[100; 20]), run(18, &[200; 30])];
    let history = only(runs, &scope);
    assert_eq!((history.previous.latency.count(), history.period.latency.count()), (20, 30));
}

#[test]
fn a_day_survives_a_round_trip_and_parts_that_do_not_fit_are_noticed() {
    let whole = day(vec![run(1, &[100; 20]), run(2, &[300; 10])]);
    let json = serde_json::to_string(&whole).unwrap();
    assert_eq!(serde_json::from_str::<SeriesDay>(&json).unwrap(), whole);
    assert!(whole.is_consistent());
    let spoilt: [fn(&mut SeriesDay); 6] = [
        |day| drop(day.runs.pop()),
        |day| day.day = date!(2026 - 11 - 03),
        |day| day.requests[0].sum.latency.count += 1,
        |day| day.requests[0].sum.hours[0].hour = 24,
        |day| drop(day.requests[0].sum.hours.pop()),
        |day| drop(day.requests[0].runs.pop()),
    ];
    for (at, spoil) in spoilt.into_iter().enumerate() {
        let mut day = whole.clone();
        spoil(&mut day);
        assert!(!day.is_consistent(), "{at}");
    }
}

#[test]
fn a_run_with_a_damaged_histogram_counts_nowhere_on_its_day() {
    let mut damaged = run(1, &[100; 20]);
    damaged.requests[0].figures.as_mut().unwrap().cold.hdr = vec![1, 2, 3];
    let day = day(vec![damaged, run(2, &[300; 10])]);
    assert_eq!((day.runs.len(), day.requests[0].sum.runs, day.left_out.len()), (2, 1, 1));
    assert_eq!(day.requests[0].sum.latency.count, 10);
    assert!(day.is_consistent());
}

#[test]
fn a_change_between_long_periods_has_an_interval_from_groups_of_days() {
    let value = |at: u64, scale: u64| (100 + at * 37 % 60) * scale / 100;
    let millis =
        |at: u64, scale| (0..10).map(|one| value(at * 10 + one, scale)).collect::<Vec<_>>();
    let period = |first: u64, scale| (first..first + 400).map(move |at| (at, millis(at, scale)));
    let all = period(0, 100).chain(period(400, 120));
    let runs = all.map(|(at, millis)| run(at * 6, &millis)).collect();
    let history = only(runs, &scope(START + Duration::from_hours(2_400), 100, "UTC"));
    let change = history.change(crate::units::Quantile::P50).unwrap();
    assert!((change.ratio() - 1.2).abs() < 0.02, "{change:?}");
    assert_eq!(change.is_clear(), Some(true), "{change:?}");
}
