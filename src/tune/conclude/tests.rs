//! What sessions conclude, on simulated attempts whose truth is known.

use super::*;
use crate::record::session::{
    AddedMachine, CurveClass, FigureKind, Finding, QuotaReading, SessionEnding, StartKind,
    ThrottleOutcome,
};
use crate::tune::simulation::{TruthTally, planted_figures, session};

fn concluded(record: &SessionRecord) -> SessionConclusion {
    let mut record = record.clone();
    conclude_with(&mut record, planted_figures);
    record.conclusion.unwrap()
}

/// A session that tries the app only as it is.
fn lone_session() -> SessionRecord {
    let mut record = session(1, false);
    record.attempts.retain(|attempt| attempt.configuration == 0);
    record.plan.configurations.truncate(1);
    record
}

fn has(texts: &[String], part: &str) -> bool {
    texts.iter().any(|text| text.contains(part))
}

/// 200 sessions: an interval that covers in 90 % of sessions does so in at least 86 % of them, two
/// standard deviations below. Each session has four means a figure, and so less chance.
#[test]
fn intervals_cover_the_truth_as_often_as_they_say() {
    let tally = TruthTally::of(200, planted_figures);
    for kind in [FigureKind::FirstAnswer, FigureKind::ConnectionSetup, FigureKind::SteadyP50] {
        let (mean, joint) = (tally.means[&kind].as_f64(), tally.differences[&kind].as_f64());
        let invented = tally.invented[&kind].as_f64();
        assert!(mean >= 0.87, "{kind}: {mean}");
        assert!(joint >= 0.86, "{kind}: {joint}");
        assert!(invented <= 0.1, "{kind}: {invented}");
    }
    assert!(tally.found.as_f64() >= 0.95, "{:?}", tally.found);
    assert!(tally.no_difference.as_f64() >= 0.9, "{:?}", tally.no_difference);
    assert!(tally.throttling_named.as_f64() >= 0.95, "{:?}", tally.throttling_named);
    assert!(tally.throttling_invented.as_f64() <= 0.05, "{:?}", tally.throttling_invented);
}

/// The whole way from samples to figures: nothing but the samples says when the app is steady.
#[test]
fn the_planted_steady_state_is_found_from_the_samples() {
    let mut record = lone_session();
    conclude(&mut record);
    let outcome = &record.conclusion.unwrap().configurations[0];
    assert_eq!(outcome.class, Some(CurveClass::WarmUp));
    let requests = outcome.figures.iter().find(|one| one.kind == FigureKind::RequestsToSteady);
    let requests = requests.unwrap().estimate.value;
    assert!((34.0..46.0).contains(&requests), "{requests}");
}

#[test]
fn another_machines_quota_is_not_that_of_the_one_that_answered() {
    let mut record = session(2, true);
    for attempt in &mut record.attempts {
        attempt.machine = Some("another".to_owned());
    }
    let outcomes = concluded(&record).configurations;
    let is_unknown = |one: &ThrottleOutcome| matches!(one, ThrottleOutcome::NotKnown { .. });
    assert!(outcomes.iter().all(|one| is_unknown(&one.throttle)), "{outcomes:#?}");
}

#[test]
fn a_session_answers_with_what_differs_what_does_not_and_what_was_throttled() {
    let conclusion = concluded(&session(2, true));
    let [faster, slower, unclear, throttled] = conclusion.headline.as_slice() else {
        panic!("{:#?}", conclusion.headline);
    };
    assert!(faster.starts_with("Clearly faster than `as it is`: `faster` by "), "{faster}");
    assert!(faster.ends_with(" ms) in steady p50."), "{faster}");
    assert!(slower.starts_with("Clearly slower than `as it is`: `throttled` by "), "{slower}");
    assert!(slower.ends_with(" s) in the first answer."), "{slower}");
    assert!(
        unclear.starts_with("No clear difference from `as it is`: `no different`"),
        "{unclear}"
    );
    let (_, seen) =
        unclear.split_once("; 8 of 10 such sessions would have seen one above ").unwrap();
    assert!(
        seen.contains(" in the first answer or ") && seen.ends_with(" in steady p50."),
        "{seen}"
    );
    assert!(throttled.starts_with("The CPU quota throttled `throttled` in "), "{throttled}");
}

#[test]
fn a_session_with_one_configuration_answers_with_its_figures() {
    let conclusion = concluded(&lone_session());
    let [first, steady] = conclusion.headline.as_slice() else {
        panic!("{:#?}", conclusion.headline);
    };
    assert!(first.starts_with("After a stop, the first answer took "), "{first}");
    assert!(
        steady.starts_with("It was steady after ") && steady.contains("requests ("),
        "{steady}"
    );
    assert_eq!(conclusion.configurations[0].class, Some(CurveClass::WarmUp));
    assert_eq!(conclusion.configurations[0].figures[0].difference, None);
}

#[test]
fn a_session_without_a_completed_attempt_says_nothing_about_the_app() {
    let mut record = session(1, false);
    for attempt in &mut record.attempts {
        attempt.problem = Some("the machine did not start".to_owned());
    }
    let none = concluded(&record);
    assert_eq!(none.headline, [headline::NOTHING]);
    assert!(none.advice.is_empty() && has(&none.caveats, "did not complete"), "{none:#?}");
    record.attempts.clear();
    record.ending = None;
    let begun = concluded(&record);
    assert_eq!(begun.headline, [headline::NOTHING]);
    assert!(has(&begun.caveats, "0 of 24 attempts were completed"), "{:?}", begun.caveats);
}

#[test]
fn an_attempt_that_failed_enters_no_estimate_and_one_that_was_repeated_counts_once() {
    let mut record = lone_session();
    let before = concluded(&record);
    let mut failed = record.attempts[2].clone();
    failed.problem = Some("interrupted".to_owned());
    failed.number = 99;
    failed.first[0].latency *= 100;
    record.attempts.push(failed);
    record.attempts.push(record.attempts[2].clone());
    let after = concluded(&record);
    assert_eq!(after.configurations[0].restarts, 6);
    assert_eq!(after.configurations[0].figures, before.configurations[0].figures);
    assert!(has(&after.caveats, "Attempt 99 did not complete"), "{:?}", after.caveats);
}

#[test]
fn without_metrics_the_quota_is_not_called_free() {
    let mut record = session(1, false);
    for attempt in &mut record.attempts {
        attempt.quota = QuotaReading::NotKnown("FLY_ORG is not set".to_owned());
    }
    let conclusion = concluded(&record);
    for outcome in &conclusion.configurations {
        let why = "FLY_ORG is not set".to_owned();
        assert_eq!(outcome.throttle, ThrottleOutcome::NotKnown { why });
    }
    assert!(has(&conclusion.caveats, "is not known: FLY_ORG is not set."), "{conclusion:#?}");
}

#[test]
fn throttled_attempts_are_named_with_how_long() {
    let conclusion = concluded(&session(2, true));
    let throttled = &conclusion.configurations[3];
    let finding = &throttled.findings[0].what;
    assert!(finding.contains("throttled for up to "), "{finding}");
    assert!(
        finding.ends_with("the CPU quota decided its figures.")
            || finding.ends_with("the CPU quota decided their figures."),
        "{finding}"
    );
    let others = conclusion.configurations[..3].iter();
    assert!(others.flat_map(|one| &one.findings).all(|one| !one.what.contains("throttled")));
}

#[test]
fn what_no_size_changes_in_the_first_answer_is_a_finding_of_each_configuration() {
    let conclusion = concluded(&session(1, false));
    for outcome in &conclusion.configurations {
        let is_split = |one: &&Finding| one.what.starts_with("Of the first answer, at most ");
        let finding = outcome.findings.iter().find(is_split).unwrap();
        assert!(
            finding.what.ends_with(" ms are the machine's; no size changes the rest."),
            "{finding:?}"
        );
        let because = &finding.because;
        assert!(because.starts_with("the rest: dns "), "{because}");
        assert!(
            because.contains(", tcp ") && because.ends_with(", mean over 6 restarts"),
            "{because}"
        );
    }
}

#[test]
fn a_start_that_latency_does_not_confirm_is_a_caveat() {
    let mut record = lone_session();
    record.attempts.iter_mut().for_each(|attempt| attempt.start = StartKind::Resumed);
    conclude_with(&mut record, planted_figures);
    assert!(record.attempts.iter().all(|attempt| attempt.start == StartKind::Unknown));
    let caveats = record.conclusion.unwrap().caveats;
    assert!(has(&caveats, "booted, resumed or ran in 6 attempts. In 6 of them"), "{caveats:?}");
}

#[test]
fn machines_that_a_command_added_are_named_with_what_removes_them() {
    let mut record = session(1, false);
    let machine =
        |id: &str| AddedMachine { id: id.to_owned(), region: "ord".to_owned(), configuration: 1 };
    record.added_machines = vec![machine("a1"), machine("b2")];
    let caveats = concluded(&record).caveats;
    let named = "Machines a1 (ord) and b2 (ord) were added by the command of `faster`";
    let remedy = "`fly machine destroy --force --app simulated a1 b2` removes them.";
    assert!(has(&caveats, named) && has(&caveats, remedy), "{caveats:?}");
}

#[test]
fn configurations_of_different_rounds_are_not_compared() {
    let mut record = session(1, false);
    record.attempts.retain(|attempt| (attempt.configuration == 0) == (attempt.round > 3));
    record.ending = Some(SessionEnding::Interrupted);
    let conclusion = concluded(&record);
    let figures = conclusion.configurations.iter().flat_map(|one| &one.figures);
    assert!(figures.clone().all(|figure| figure.difference.is_none()));
    assert!(has(&conclusion.caveats, "cannot be compared"), "{:?}", conclusion.caveats);
    assert!(has(&conclusion.caveats, "was interrupted: 12 of 24"), "{:?}", conclusion.caveats);
}

#[test]
fn one_restart_each_has_figures_and_no_intervals() {
    let mut record = session(1, false);
    record.attempts.retain(|attempt| attempt.round == 1);
    let conclusion = concluded(&record);
    let figures = conclusion.configurations.iter().flat_map(|one| &one.figures);
    assert!(figures.clone().all(|one| one.estimate.interval.is_none() && one.difference.is_none()));
    assert!(has(&conclusion.headline, "fewer than two rounds"), "{:?}", conclusion.headline);
    assert!(has(&conclusion.caveats, "there is no interval"), "{:?}", conclusion.caveats);
}

#[test]
fn failed_requests_are_counted() {
    let mut record = lone_session();
    record.attempts[0].curve[3].failure = Some(crate::record::Failure::TimedOut);
    let conclusion = concluded(&record);
    let found = conclusion.configurations[0].findings.iter();
    let failed = found.filter(|one| one.what.starts_with("1 request failed")).count();
    assert_eq!(failed, 1, "{:#?}", conclusion.configurations[0].findings);
}
