use proptest::prelude::*;

use super::*;

fn rate(per_second: f64) -> Rate {
    Rate::per_second(per_second).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ramp(millis: u64, to: f64) -> RampStep {
    RampStep { duration: Duration::from_millis(millis), to: Rate::per_second(to).ok() }
}

#[test]
fn a_constant_schedule_starts_at_once_and_ends_before_its_end() {
    let schedule = Schedule::constant(rate(20.0), seconds(40));
    assert_eq!(schedule.count(), 800);
    assert_eq!(schedule.due(0), Some(Duration::ZERO));
    assert_eq!(schedule.due(1), Some(Duration::from_millis(50)));
    assert_eq!(schedule.due(799), Some(Duration::from_millis(39_950)));
    assert_eq!(schedule.due(800), None);
    assert_eq!(schedule.count_before(seconds(1)), 20);
    assert_eq!(schedule.count_before(Duration::from_millis(1001)), 21);
    assert_eq!(schedule.peak(), rate(20.0));
}

#[test]
fn the_arrivals_of_each_batch_are_due_at_its_start() {
    let single = Schedule::constant(rate(10_000.0), seconds(2));
    let batches = single.clone().in_batches(Duration::from_millis(1));
    let due: Vec<_> = batches.arrivals(Shard { index: 1, of: 2 }).take(10).collect();
    let at = |index: u64| (index, Duration::from_millis(index / 10));
    assert_eq!(due, [1, 3, 5, 7, 9, 11, 13, 15, 17, 19].map(at));
    assert_eq!(batches.due(19_999), Some(Duration::from_millis(1_999)));
    assert_eq!((batches.count(), batches.duration()), (single.count(), single.duration()));
}

#[test]
fn random_arrivals_keep_their_number_in_batches() {
    let single = Schedule::poisson(7, &Schedule::constant(rate(50.0), seconds(20)));
    let batches = single.clone().in_batches(Duration::from_millis(10));
    let due = |schedule: &Schedule| schedule.arrivals(Shard::WHOLE).collect::<Vec<_>>();
    assert_eq!(due(&single).len(), due(&batches).len());
    for ((_, alone), (index, together)) in due(&single).into_iter().zip(due(&batches)) {
        assert_eq!(batches.due(index), Some(together));
        assert!(together <= alone && alone < together + Duration::from_millis(10));
        assert_eq!(together.as_nanos() % 10_000_000, 0);
    }
}

#[test]
fn a_day_at_an_odd_rate_does_not_drift() {
    let schedule = Schedule::constant(rate(3.0), Schedule::MAX_DURATION);
    assert_eq!(schedule.count(), 3 * 86_400);
    for hour in 0..24 {
        assert_eq!(schedule.due(hour * 3 * 3600), Some(seconds(hour * 3600)));
    }
}

#[test]
fn the_highest_rate_for_a_day_neither_overflows_nor_drifts() {
    let schedule = Schedule::constant(rate(Rate::MAX_PER_SECOND), Duration::MAX);
    assert_eq!(schedule.duration(), Schedule::MAX_DURATION);
    assert_eq!(schedule.count(), 86_400_000_000);
    assert_eq!(
        schedule.due(86_399_999_999),
        Some(Schedule::MAX_DURATION.saturating_sub(Duration::from_micros(1)))
    );
}

#[test]
fn fractional_rates_give_the_expected_counts() {
    for (per_hour, hours, count) in [(5.0, 24, 120), (7.0, 3, 21), (90.0 * 60.0, 1, 5400)] {
        let schedule = Schedule::constant(rate(per_hour / 3600.0), Duration::from_hours(hours));
        assert_eq!(schedule.count(), count);
    }
    assert_eq!(Schedule::constant(rate(5.0 / 3600.0), seconds(40)).count(), 1);
    assert_eq!(Schedule::once().count(), 1);
}

#[test]
fn a_ramp_from_nothing_follows_the_square_root() {
    let schedule = Schedule::ramping(None, &[ramp(10_000, 20.0)]).unwrap();
    assert_eq!(schedule.count(), 100);
    assert_eq!(schedule.due(1), Some(seconds(1)));
    assert_eq!(schedule.due(4), Some(seconds(2)));
    assert_eq!(schedule.due(81), Some(seconds(9)));
}

#[test]
fn a_ramp_step_of_zero_length_jumps_and_one_without_arrivals_pauses() {
    let stages =
        [ramp(1_000, 10.0), ramp(0, 0.0), ramp(5_000, 0.0), ramp(0, 10.0), ramp(1_000, 10.0)];
    let schedule = Schedule::ramping(Some(rate(10.0)), &stages).unwrap();
    assert_eq!(schedule.count(), 20);
    assert_eq!(schedule.due(9), Some(Duration::from_millis(900)));
    assert_eq!(schedule.due(10), Some(seconds(6)));
    assert_eq!(schedule.count_before(seconds(3)), 10);
}

#[test]
fn ramps_without_any_arrival_are_refused() {
    assert!(Schedule::ramping(None, &[]).is_err());
    assert!(Schedule::ramping(None, &[ramp(1_000, 0.0)]).is_err());
    assert!(Schedule::ramping(None, &[ramp(90_000_000, 1.0)]).is_err());
}

#[test]
fn a_seed_always_gives_the_same_arrivals_and_another_seed_gives_others() {
    let constant = Schedule::constant(rate(100.0), seconds(10));
    let first = |seed| {
        Schedule::poisson(seed, &constant).arrivals(Shard::WHOLE).take(50).collect::<Vec<_>>()
    };
    assert_eq!(first(7), first(7));
    assert_ne!(first(7), first(8));
}

#[test]
fn poisson_gaps_vary_like_an_exponential_distribution() {
    let schedule = Schedule::poisson(1, &Schedule::constant(rate(1_000.0), seconds(100)));
    let due: Vec<f64> = schedule.arrivals(Shard::WHOLE).map(|(_, due)| due.as_secs_f64()).collect();
    let gaps: Vec<f64> = due.windows(2).map(|pair| (pair[1] - pair[0]) * 1_000.0).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    assert!((mean - 1.0).abs() < 0.02, "mean {mean}");
    assert!((variance - 1.0).abs() < 0.05, "variance {variance}");
    let longer = gaps.iter().filter(|&&gap| gap > 1.0).count() as f64 / gaps.len() as f64;
    assert!((longer - (-1.0_f64).exp()).abs() < 0.01, "share of gaps above the mean {longer}");
}

#[test]
fn poisson_counts_of_seconds_vary_as_much_as_their_mean() {
    let schedule = Schedule::poisson(3, &Schedule::constant(rate(50.0), seconds(2_000)));
    let counts: Vec<f64> = (0..2_000)
        .map(|second| {
            (schedule.count_before(seconds(second + 1)) - schedule.count_before(seconds(second)))
                as f64
        })
        .collect();
    let mean = counts.iter().sum::<f64>() / 2_000.0;
    let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 2_000.0;
    assert!((mean - 50.0).abs() < 0.7, "mean {mean}");
    assert!((variance - 50.0).abs() < 6.0, "variance {variance}");
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let stage =
        (0_u64..4_000, 0_u32..400).prop_map(|(millis, to)| ramp(millis, f64::from(to) / 2.0));
    let ramping = (0_u32..200, prop::collection::vec(stage, 1..5))
        .prop_filter_map("no arrivals", |(start, stages)| {
            Schedule::ramping(Rate::per_second(f64::from(start)).ok(), &stages).ok()
        });
    let constant = (1_u32..4_000, 1_u64..9_000).prop_map(|(tenths, millis)| {
        Schedule::constant(rate(f64::from(tenths) / 10.0), Duration::from_millis(millis))
    });
    let regular = prop_oneof![ramping, constant];
    let alone = (regular, prop::option::of(any::<u64>())).prop_map(|(regular, seed)| match seed {
        Some(seed) => Schedule::poisson(seed, &regular),
        None => regular,
    });
    (alone, prop::option::of(100_u64..10_000)).prop_map(|(alone, micros)| match micros {
        Some(micros) => alone.in_batches(Duration::from_micros(micros)),
        None => alone,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arrivals_are_in_order_within_the_stage_and_are_counted(schedule in schedules()) {
        let arrivals: Vec<_> = schedule.arrivals(Shard::WHOLE).collect();
        prop_assert_eq!(arrivals.len() as u64, schedule.count());
        prop_assert!(arrivals.is_sorted_by_key(|&(_, due)| due));
        prop_assert!(arrivals.iter().map(|&(index, _)| index).eq(0..schedule.count()));
        prop_assert!(arrivals.iter().all(|&(_, due)| due < schedule.duration()));
    }

    #[test]
    fn due_agrees_with_arrivals_and_nothing_is_due_past_the_end(schedule in schedules()) {
        for (index, due) in schedule.arrivals(Shard::WHOLE).step_by(7) {
            prop_assert_eq!(schedule.due(index), Some(due));
        }
        prop_assert_eq!(schedule.due(schedule.count()), None);
        prop_assert_eq!(schedule.due(u64::MAX), None);
    }

    #[test]
    fn shards_partition_the_arrivals(schedule in schedules(), of in 1_u32..=1_000) {
        let mut together: Vec<_> =
            (0..of).flat_map(|index| schedule.arrivals(Shard { index, of })).collect();
        together.sort_by_key(|&(index, _)| index);
        prop_assert!(together.into_iter().eq(schedule.arrivals(Shard::WHOLE)));
    }

    #[test]
    fn count_before_agrees_with_the_arrivals(
        schedule in schedules(),
        at: prop::sample::Index,
        nanos in 0_u64..3,
    ) {
        let all = usize::try_from(schedule.count()).unwrap();
        let near = schedule.due(at.index(all + 1) as u64).unwrap_or(schedule.duration());
        let offset = (near + Duration::from_nanos(nanos)).saturating_sub(Duration::from_nanos(1));
        let counted = schedule.arrivals(Shard::WHOLE).filter(|&(_, due)| due < offset).count() as u64;
        prop_assert_eq!(schedule.count_before(offset), counted);
    }

    #[test]
    fn no_second_of_a_regular_schedule_holds_more_than_its_peak(schedule in schedules()) {
        prop_assume!(schedule.blocks.is_none() && schedule.batch_period.is_none());
        for second in 0..=schedule.duration().as_secs() {
            let within = schedule.count_before(seconds(second + 1)) - schedule.count_before(seconds(second));
            prop_assert!(within as f64 <= schedule.peak().as_per_second() + 1.0);
        }
    }
}
