//! What follows from imported records, and what does not.

use std::collections::BTreeMap;
use std::time::Duration;

use super::TARGET_MARK;
use super::attempts::AttemptGroup;
use super::configuration::NOT_RECORDED;
use super::sample::{RecordedAnswer, RecordedSample, TimePrecision};
use crate::record::NODE_FETCH_START;
use crate::units::{Ratio, duration_literal, format_duration};
use crate::verdict::evidence::fewest_blocks;
use crate::verdict::upper_t_quantile;

/// The part of differences that a session may wrongly see, both sides together.
const ERROR: f64 = 0.1;
/// The probability with which a difference of the stated size is missed.
const MISS: f64 = 0.2;
/// The difference for which the necessary number of attempts is stated.
const WANTED: f64 = 0.1;

/// The budgets of the two kinds of the page, by the text in the query that identifies the kind.
const PAGE_BUDGETS: [(&str, Duration); 2] =
    [("mock=1", Duration::from_millis(300)), ("mock=0", Duration::from_millis(800))];

/// One sentence each: what the records show, which difference they could have shown, and then what
/// weakens both.
pub(super) fn notes(
    samples: &[RecordedSample],
    groups: &[AttemptGroup<'_>],
    names: &[String],
) -> Vec<String> {
    let all = [
        counted(samples, groups),
        Some(differences(groups, names)),
        within_budgets(samples),
        first_against_later(groups),
        order(groups, names),
        not_recorded(groups, names),
        Some(STARTS.to_owned()),
        redirects(samples),
        start_of_fetch(samples),
        misfits(samples),
        statuses(samples),
        targets(samples),
        times(samples),
    ];
    all.into_iter().flatten().collect()
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// How many requests of each page there are, and how long the answered ones took.
fn counted(samples: &[RecordedSample], groups: &[AttemptGroup<'_>]) -> Option<String> {
    let mut by_page: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.is_ok()) {
        by_page.entry(sample.path().unwrap_or("URL not recorded")).or_default().push(sample.took);
    }
    let answered: usize = by_page.values().map(Vec::len).sum();
    let left_out = match samples.len() - answered {
        0 => String::new(),
        other => format!("; {other} had no answer or another status, and enter no figure"),
    };
    let are_several = by_page.keys().filter(|page| page.starts_with('/')).count() > 1;
    let pages: Vec<String> = if are_several {
        by_page.iter_mut().map(|(page, times)| format!("`{page}`: {}", spread(times))).collect()
    } else {
        let mut all: Vec<Duration> = by_page.into_values().flatten().collect();
        if all.is_empty() { Vec::new() } else { vec![spread(&mut all)] }
    };
    (!pages.is_empty()).then(|| {
        let attempts = count(groups.len(), "attempt");
        format!("The records show, in {attempts}, {}{left_out}.", pages.join("; "))
    })
}

/// `12 answered requests that took 371 ms to 765 ms, half of them at most 468 ms`
fn spread(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |index: usize| format_duration(times.get(index).copied().unwrap_or_default());
    let requests = count(times.len(), "answered request");
    match times.len() {
        1 => format!("{requests} that took {}", at(0)),
        all => format!(
            "{requests} that took {} to {}, half of them at most {}",
            at(0),
            at(all - 1),
            at((all - 1) / 2)
        ),
    }
}

/// How many requests met the budget that they were judged by, and whether they are enough for a
/// p95.
fn within_budgets(samples: &[RecordedSample]) -> Option<String> {
    let mut by_budget: BTreeMap<Duration, (usize, usize)> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.is_ok()) {
        let Some(budget) = sample.budget else { continue };
        let (met, all) = by_budget.entry(budget).or_default();
        *met += usize::from(sample.took < budget);
        *all += 1;
    }
    let text = |(budget, (met, all)): (&Duration, &(usize, usize))| {
        format!("{met} of {all} were below {}", duration_literal(*budget))
    };
    let texts: Vec<String> = by_budget.iter().map(text).collect();
    (!texts.is_empty()).then(|| {
        let proof = too_few_for_p95(&by_budget).map(|few| format!(" {few}")).unwrap_or_default();
        format!("Of the answered requests {}.{proof}", texts.join(", and "))
    })
}

/// Which budgets too few requests were judged by to prove a p95, by the rule of verdicts; `None` if
/// all have enough.
fn too_few_for_p95(by_budget: &BTreeMap<Duration, (usize, usize)>) -> Option<String> {
    let needed = fewest_blocks(Ratio::of(1, 20))?;
    let is_few = |all: usize| (all as u64) < needed;
    let few: Vec<String> = by_budget
        .iter()
        .filter(|(_, (_, all))| is_few(*all))
        .map(|(budget, _)| duration_literal(*budget))
        .collect();
    let proof = format!("prove nothing about a p95, which needs at least {needed}.");
    match few.len() {
        0 => None,
        all if all == by_budget.len() => Some(format!("So few {proof}")),
        _ => Some(format!("Those judged by {} {proof}", few.join(" and "))),
    }
}

/// Whether the first request of an attempt was slower than the later ones, for each page: pages
/// differ in what they do.
fn first_against_later(groups: &[AttemptGroup<'_>]) -> Option<String> {
    let mut by_page: BTreeMap<Option<&str>, Vec<f64>> = BTreeMap::new();
    for group in groups {
        let page = group.samples.first().and_then(|sample| sample.path());
        if let Some(gap) = first_gap(group) {
            by_page.entry(page).or_default().push(gap);
        }
    }
    let are_several = by_page.len() > 1;
    let text = |(page, gaps): (Option<&str>, &Vec<f64>)| {
        let (times, size) = gap_words(gaps);
        let on = match page {
            _ if !are_several => String::new(),
            Some(page) => format!(" on `{page}`"),
            None => " without a recorded URL".to_owned(),
        };
        format!("in {times}{on} ({size})")
    };
    let texts: Vec<String> = by_page.iter().map(|(page, gaps)| text((*page, gaps))).collect();
    (!texts.is_empty()).then(|| {
        format!(
            "Compared with the mean of the later ones, the first request of an attempt was slower \
             {}. A cold machine, a cold cache and a new connection would all look like that.",
            texts.join("; ")
        )
    })
}

/// By how many seconds the first answered request of an attempt took longer than the mean of the
/// later ones; `None` without later ones.
fn first_gap(group: &AttemptGroup<'_>) -> Option<f64> {
    let mut times = group.samples.iter().filter(|sample| sample.is_ok()).map(|it| it.took);
    let first = times.next()?;
    let later: Vec<f64> = times.map(|took| took.as_secs_f64()).collect();
    let mean = later.iter().sum::<f64>() / later.len() as f64;
    (!later.is_empty()).then_some(first.as_secs_f64() - mean)
}

/// In how many attempts the first request took longer, and by how much in all of them: `2 of 3
/// attempts`, `20 ms faster to 152 ms slower`.
fn gap_words(gaps: &[f64]) -> (String, String) {
    let slower = gaps.iter().filter(|gap| **gap > 0.0).count();
    let signed = |gap: f64| {
        let size = Duration::try_from_secs_f64(gap.abs()).unwrap_or_default();
        format!("{} {}", format_duration(size), if gap < 0.0 { "faster" } else { "slower" })
    };
    let least = signed(gaps.iter().copied().fold(f64::INFINITY, f64::min));
    let most = signed(gaps.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    let size = if gaps.len() == 1 { most } else { format!("{least} to {most}") };
    (format!("{slower} of {}", count(gaps.len(), "attempt")), size)
}

/// The first answers of the attempts at each configuration, in seconds.
fn first_answers(groups: &[AttemptGroup<'_>], names: &[String]) -> Vec<Vec<f64>> {
    let of = |name: &String| {
        let own = groups.iter().filter(|group| group.configuration == *name);
        own.filter_map(AttemptGroup::first_answer).map(|took| took.as_secs_f64()).collect()
    };
    names.iter().map(of).collect()
}

/// Which difference between configurations of the same page could have been seen.
fn differences(groups: &[AttemptGroup<'_>], names: &[String]) -> String {
    let page = |name: &String| name.rsplit_once(TARGET_MARK).map(|(_, page)| page.to_owned());
    let mut by_page: BTreeMap<Option<String>, Vec<String>> = BTreeMap::new();
    for name in names {
        by_page.entry(page(name)).or_default().push(name.clone());
    }
    let comparable: Vec<Vec<String>> = by_page.into_values().filter(|own| own.len() > 1).collect();
    if comparable.is_empty() {
        return "No effect of a configuration can be concluded: only one is known, so nothing can be \
                compared."
            .to_owned();
    }
    let texts: Vec<String> = comparable.iter().map(|own| difference(groups, own)).collect();
    format!("No effect of a configuration can be concluded: {}", texts.join(" "))
}

/// Which difference between some configurations could have been seen.
fn difference(groups: &[AttemptGroup<'_>], names: &[String]) -> String {
    let values = first_answers(groups, names);
    let attempts: Vec<String> = names
        .iter()
        .zip(&values)
        .map(|(name, own)| format!("`{name}` has {}", count(own.len(), "attempt")))
        .collect();
    let attempts = attempts.join(", ");
    let Some(spread) = PooledSpread::of(&values) else {
        return format!(
            "no configuration was tried twice ({attempts}), so no difference can be distinguished \
             from chance."
        );
    };
    let is_any_unrecorded =
        names.iter().zip(&values).any(|(name, own)| name == NOT_RECORDED && own.len() > 1);
    let mut counts: Vec<usize> = values.iter().map(Vec::len).filter(|own| *own > 0).collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    let (Some(&most), Some(&next)) = (counts.first(), counts.get(1)) else {
        return format!("only one configuration has an answer ({attempts}).");
    };
    let seen = |seconds: f64| {
        format_duration(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    };
    format!(
        "{attempts}, and first answers of the same configuration spread by {} (standard deviation). \
         With so few, only a difference above {} would have been seen in 8 of 10 cases, even between \
         the two that were tried most. To see one of {} takes about {} attempts of each.{}",
        seen(spread.deviation),
        seen(spread.detectable(most, next)),
        seen(WANTED),
        spread.attempts_for(WANTED),
        if is_any_unrecorded {
            " Attempts whose configuration is not recorded may differ in it, and then spread more."
        } else {
            ""
        }
    )
}

/// The spread of attempts at the same configuration, over all configurations.
#[derive(Debug, Clone, Copy)]
struct PooledSpread {
    deviation: f64,
    degrees: usize,
}

impl PooledSpread {
    /// `None` if no configuration has two values.
    fn of(values: &[Vec<f64>]) -> Option<Self> {
        let mut squares = 0.0;
        let mut degrees = 0;
        for own in values.iter().filter(|own| own.len() > 1) {
            let mean = own.iter().sum::<f64>() / own.len() as f64;
            squares += own.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
            degrees += own.len() - 1;
        }
        (degrees > 0).then(|| Self { deviation: (squares / degrees as f64).sqrt(), degrees })
    }

    /// The difference of two means, of so many values each, that a two-sample t test shows with
    /// probability 1 − [`MISS`]. The sum of both t quantiles approximates the noncentral
    /// distribution.
    fn detectable(self, one: usize, other: usize) -> f64 {
        let quantiles =
            upper_t_quantile(self.degrees, ERROR / 2.0) + upper_t_quantile(self.degrees, MISS);
        self.deviation * quantiles * (1.0 / one as f64 + 1.0 / other as f64).sqrt()
    }

    /// How many values of each show a difference of this size.
    fn attempts_for(self, difference: f64) -> usize {
        let is_enough = |each: &usize| {
            let planned = Self { degrees: 2 * (each - 1), ..self };
            planned.detectable(*each, *each) <= difference
        };
        (2..10_000).find(is_enough).unwrap_or(10_000)
    }
}

/// Whether each configuration was tried in one stretch of time.
fn order(groups: &[AttemptGroup<'_>], names: &[String]) -> Option<String> {
    let mut runs: Vec<&str> = groups.iter().map(|group| group.configuration.as_str()).collect();
    runs.dedup();
    if names.len() < 2 {
        return None;
    }
    Some(if runs.len() == names.len() {
        "Each configuration was tried in one stretch, one after the other: its effect cannot be \
         told from that of the time of day, of other deploys, or of the order."
            .to_owned()
    } else {
        "Nothing randomised the order of the attempts: the time of day, other deploys or the order \
         itself may be the cause of any difference."
            .to_owned()
    })
}

fn not_recorded(groups: &[AttemptGroup<'_>], names: &[String]) -> Option<String> {
    let unknown =
        groups.iter().filter(|group| group.configuration.starts_with(NOT_RECORDED)).count();
    (unknown > 0 && names.len() > 1 || unknown == groups.len()).then(|| {
        format!(
            "For {} the configuration is not recorded; `--configuration 'NAME=FROM..TO'` states it.",
            count(unknown, "attempt")
        )
    })
}

const STARTS: &str = "Nothing says whether the machine booted, resumed or ran before a request, or \
    which one answered: no figure is that of a cold start.";

fn redirects(samples: &[RecordedSample]) -> Option<String> {
    samples.iter().any(RecordedSample::is_ok).then(|| {
        "Redirects were followed unseen and the page was not looked at: an answer may be that of \
         the login page. The parts of the time are not known, so that dns, tcp and tls, which no \
         machine changes, cannot be separated."
            .to_owned()
    })
}

fn start_of_fetch(samples: &[RecordedSample]) -> Option<String> {
    let old = samples.iter().filter(|sample| sample.includes_fetch_start).count();
    (old > 0).then(|| {
        format!(
            "{old} of {} times also hold {NODE_FETCH_START}, which no machine changes: take it off \
             before comparing them with times of other clients.",
            samples.len()
        )
    })
}

/// Requests that were judged by the budget of the other kind of page.
fn misfits(samples: &[RecordedSample]) -> Option<String> {
    let misfit = |sample: &&RecordedSample| {
        let (Some(budget), Some(path)) = (sample.budget, sample.path()) else { return false };
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let usual = PAGE_BUDGETS.iter().find(|(kind, _)| query.split('&').any(|it| it == *kind));
        usual.is_some_and(|(_, usual)| *usual != budget)
    };
    let wrong = samples.iter().filter(misfit).count();
    (wrong > 0).then(|| {
        format!(
            "{} judged by the budget of the other kind of page: 300ms is meant for `mock=1`, 800ms \
             for `mock=0`.",
            if wrong == 1 { "1 request was".to_owned() } else { format!("{wrong} requests were") }
        )
    })
}

fn statuses(samples: &[RecordedSample]) -> Option<String> {
    let unknown =
        samples.iter().filter(|sample| sample.answer == RecordedAnswer::NotRecorded).count();
    (unknown > 0).then(|| {
        format!(
            "For {} no status is recorded; they count as answered, and may have been errors.",
            count(unknown, "request")
        )
    })
}

fn targets(samples: &[RecordedSample]) -> Option<String> {
    let unknown = samples.iter().filter(|sample| sample.target.is_none()).count();
    (unknown > 0).then(|| {
        format!(
            "For {} the URL is not recorded; they may be of another page.",
            count(unknown, "request")
        )
    })
}

fn times(samples: &[RecordedSample]) -> Option<String> {
    let inexact = samples.iter().filter(|sample| sample.precision != TimePrecision::Exact).count();
    (inexact > 0).then(|| {
        format!(
            "The time of {} is approximate: their order, and which belong to one attempt, may be \
             wrong.",
            count(inexact, "request")
        )
    })
}
