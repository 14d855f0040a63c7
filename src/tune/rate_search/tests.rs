use super::*;

fn rate(per_second: f64) -> Rate {
    Rate::per_second(per_second).unwrap()
}

fn search(lowest: f64, limit: f64) -> RateSearch {
    let step = Duration::from_secs(30);
    RateSearch::new(SearchBounds::new(rate(lowest), rate(limit), step, 1.1).unwrap())
}

/// The answer, and every measurement as `rate decision`, of a search in which `judge` decides.
fn searched(
    mut search: RateSearch,
    judge: impl Fn(SearchStep) -> Decision,
) -> (RateInterval, Vec<String>) {
    let mut measured = Vec::new();
    loop {
        match search.next() {
            NextStep::Done(interval) => return (interval, measured),
            NextStep::Measure(step) => {
                let decision = judge(step);
                let longer = if step.continues { " longer" } else { "" };
                measured.push(format!("{}{longer} {decision}", step.rate));
                search.judged(decision, format!("because of {}", step.rate));
            }
        }
        assert!(measured.len() <= 2 * SearchBounds::MOST_STEPS, "it never ends");
    }
}

/// A target that holds its budget up to a rate.
fn up_to(capacity: f64) -> impl Fn(SearchStep) -> Decision {
    move |step| {
        if step.rate.as_per_second() <= capacity { Decision::Pass } else { Decision::Fail }
    }
}

#[test]
fn it_rises_until_a_rate_fails_then_narrows_the_interval_and_measures_its_lower_end_again() {
    let (interval, measured) = searched(search(20.0, 100.0), up_to(50.0));
    let expected = [
        "20/s pass",
        "29.9/s pass",
        "44.7/s pass",
        "66.9/s fail",
        "54.7/s fail",
        "49.4/s pass",
        "52/s fail",
        "49.4/s pass",
    ];
    assert_eq!(measured, expected);
    assert_eq!(interval.ending, SearchEnding::Found);
    assert_eq!(interval.within, Some(rate(49.4)));
    let over = interval.over.as_ref().unwrap();
    assert_eq!((over.rate, over.reason.as_str()), (rate(52.0), "because of 52/s"));
    assert_eq!(interval.confirmation, Some(Confirmation::Holds));
    assert_eq!(interval.answer(), "The largest rate within budget lies between 49.4/s and 52/s");
}

#[test]
fn every_capacity_ends_in_an_interval_that_holds_it_within_the_planned_steps() {
    for capacity in 1..400 {
        let capacity = f64::from(capacity) / 2.0;
        let begun = search(5.0, 150.0);
        let planned = begun.bounds.most_steps();
        let (interval, measured) = searched(begun, up_to(capacity));
        let within = interval.within.map_or(0.0, Rate::as_per_second);
        let over = interval.over.as_ref().map_or(f64::INFINITY, |over| over.rate.as_per_second());
        assert!(within <= capacity && capacity < over, "{capacity}: {interval:?}");
        assert!(measured.len() <= planned, "{capacity}: {measured:?}");
        match interval.ending {
            SearchEnding::Found => assert!(over / within <= 1.1 + 1e-9, "{capacity}"),
            SearchEnding::LimitHolds => assert!(capacity >= 150.0 && within >= 150.0),
            SearchEnding::LowestFails => assert!(capacity < 5.0),
            other => panic!("{capacity}: {other:?}"),
        }
    }
}

#[test]
fn no_step_is_above_the_limit_and_a_limit_that_holds_is_the_answer() {
    let judge = |step: SearchStep| {
        assert!(step.rate.as_per_second() <= 30.0, "{}", step.rate);
        up_to(1_000.0)(step)
    };
    let (interval, measured) = searched(search(10.0, 30.0), judge);
    assert_eq!(measured.last().map(String::as_str), Some("30/s pass"));
    assert_eq!((interval.ending, interval.within), (SearchEnding::LimitHolds, Some(rate(30.0))));
    assert!(interval.answer().contains("no higher rate was allowed"));
}

#[test]
fn if_not_even_the_lowest_rate_holds_nothing_else_is_measured() {
    let (interval, measured) = searched(search(10.0, 30.0), up_to(1.0));
    assert_eq!(measured, ["10/s fail"]);
    assert_eq!((interval.ending, interval.within), (SearchEnding::LowestFails, None));
    assert_eq!(interval.answer(), "Not even 10/s, the lowest rate, is within budget");
}

#[test]
fn an_inconclusive_step_is_measured_longer_once_and_adds_to_its_evidence() {
    let judge = |step: SearchStep| {
        if !step.continues && step.rate == rate(20.0) {
            Decision::Inconclusive
        } else {
            up_to(25.0)(step)
        }
    };
    let mut begun = search(20.0, 30.0);
    begun.judged(Decision::Inconclusive, String::new());
    let NextStep::Measure(step) = begun.next() else { panic!("done") };
    assert_eq!((step.number, step.duration, step.continues), (1, Duration::from_mins(1), true));
    let (interval, measured) = searched(search(20.0, 30.0), judge);
    assert_eq!(measured[..2], ["20/s inconclusive", "20/s longer pass"]);
    assert_eq!(interval.ending, SearchEnding::Found);
}

/// Undecided between 40/s and 50/s.
fn with_grey_zone(step: SearchStep) -> Decision {
    match step.rate.as_per_second() {
        rate if rate < 40.0 => Decision::Pass,
        rate if rate < 50.0 => Decision::Inconclusive,
        _ => Decision::Fail,
    }
}

#[test]
fn a_rate_that_stays_undecided_counts_as_neither_and_widens_the_interval() {
    let (interval, _) = searched(search(20.0, 100.0), with_grey_zone);
    assert_eq!(interval.ending, SearchEnding::Found);
    let within = interval.within.unwrap().as_per_second();
    let over = interval.over.as_ref().unwrap().rate.as_per_second();
    assert!((36.0..40.0).contains(&within) && (50.0..56.0).contains(&over), "{interval:?}");
    assert!(!interval.undecided.is_empty());
    let reasons = interval.reasons().join("\n");
    assert!(reasons.contains("undecided at 44.7/s, so the interval is wider"), "{reasons}");
}

#[test]
fn two_undecided_rates_in_a_row_end_the_way_up() {
    let judge = |step: SearchStep| match step.rate.as_per_second() {
        rate if rate < 25.0 => Decision::Pass,
        _ => Decision::Inconclusive,
    };
    let (interval, measured) = searched(search(20.0, 1_000.0), judge);
    assert!(!measured.iter().any(|step| step.starts_with("100")), "{measured:?}");
    assert_eq!((interval.ending, interval.over.is_none()), (SearchEnding::Undecided, true));
    assert!(interval.answer().contains("no rate is proven over it"), "{}", interval.answer());
}

#[test]
fn nothing_but_undecided_rates_prove_nothing() {
    let (interval, measured) = searched(search(20.0, 1_000.0), |_| Decision::Inconclusive);
    assert_eq!(measured.len(), 4);
    assert_eq!((interval.ending, interval.within), (SearchEnding::Undecided, None));
}

#[test]
fn a_target_that_gets_slower_with_time_has_no_rate_that_holds_for_long() {
    // A CPU quota that is used up: everything holds until the fifth step, and nothing after it.
    let judge = |step: SearchStep| if step.number < 5 { up_to(60.0)(step) } else { Decision::Fail };
    let (interval, measured) = searched(search(20.0, 100.0), judge);
    assert_eq!(measured.last().map(String::as_str), Some("44.7/s fail"));
    assert_eq!((interval.ending, interval.within), (SearchEnding::NoLongerHolds, None));
    assert_eq!(
        interval.answer(),
        "No rate holds for long: 44.7/s was within budget at first and over it at the end"
    );
    assert!(interval.reasons()[0].starts_with("44.7/s at the end: because of"));
}

#[test]
fn a_rate_that_is_not_confirmed_leaves_the_lower_end_to_the_one_below_it() {
    let judge = |step: SearchStep| match step.purpose {
        StepPurpose::Confirm => Decision::Inconclusive,
        _ => up_to(50.0)(step),
    };
    let (interval, _) = searched(search(20.0, 100.0), judge);
    assert_eq!((interval.ending, interval.within), (SearchEnding::Found, Some(rate(44.7))));
    let reason = interval.reasons().pop().unwrap();
    assert!(reason.starts_with("49.4/s was within budget at first and undecided"), "{reason}");
}

#[test]
fn an_interrupted_search_has_the_interval_so_far() {
    let mut begun = search(20.0, 100.0);
    begun.judged(Decision::Pass, String::new());
    let interval = begun.interrupted();
    assert_eq!((interval.ending, interval.within), (SearchEnding::Interrupted, Some(rate(20.0))));
    assert!(interval.answer().starts_with("Interrupted: so far 20/s is within budget"));
}

#[test]
fn the_interval_reads_as_json() {
    let (interval, _) = searched(search(10.0, 30.0), up_to(12.0));
    let json = serde_json::to_value(&interval).unwrap();
    assert_eq!(json["ending"], "found");
    assert!((json["within"].as_f64().unwrap() - 12.0).abs() < 1e-9, "{json}");
    assert_eq!(json["confirmation"]["result"], "holds");
}
