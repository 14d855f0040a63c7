//! Findings about one configuration, each with the figures it rests on.

use std::time::Duration;

use super::restart::Restart;
use crate::record::session::{Attempt, CurveClass, ExchangeSample, Finding, SessionRecord};
use crate::tune::first_answer::FirstAnswerSplit;
use crate::tune::words::{count, listed};
use crate::units::format_duration;

/// The share of available memory below which a finding names it: the kernel then reclaims pages
/// while requests wait.
const LOW_MEMORY: f64 = 0.1;

/// The findings about a configuration, most important first.
pub(super) fn findings(record: &SessionRecord, restarts: &[Restart<'_>]) -> Vec<Finding> {
    let all = [
        throttled(restarts),
        machines_part(restarts),
        never_steady(record, restarts),
        failed_requests(restarts),
        low_memory(restarts),
    ];
    all.into_iter().flatten().collect()
}

/// Which attempts the quota held back.
fn throttled(restarts: &[Restart<'_>]) -> Option<Finding> {
    let attempts: Vec<&Attempt> =
        restarts.iter().map(|one| one.attempt).filter(|one| one.is_throttled()).collect();
    let longest = attempts.iter().filter_map(|one| one.throttled_time()).max()?;
    let numbers: Vec<u32> = attempts.iter().map(|attempt| attempt.number).collect();
    let (attempt, were, their) = match numbers.len() {
        1 => ("Attempt", "was", "its"),
        _ => ("Attempts", "were", "their"),
    };
    let up_to = if numbers.len() == 1 { "for" } else { "for up to" };
    Some(Finding {
        what: format!(
            "{attempt} {} {were} throttled {up_to} {}: the CPU quota decided {their} figures.",
            listed(&numbers),
            format_duration(longest)
        ),
        because: balances(&attempts),
    })
}

/// What was left of the balance in throttled attempts.
fn balances(attempts: &[&Attempt]) -> String {
    let before =
        attempts.iter().filter_map(|one| one.most_throttled_cpu()?.balance_before_us).min();
    let after = attempts.iter().filter_map(|one| one.most_throttled_cpu()?.balance_after_us).min();
    let shown = |micros: u64| format_duration(Duration::from_micros(micros));
    let metric = "fly_instance_cpu_throttle rose";
    match (before, after) {
        (Some(before), Some(after)) => format!(
            "{metric}; the smallest balance was {} before an attempt and {} after one",
            shown(before),
            shown(after)
        ),
        (None, Some(after)) => format!("{metric}; the smallest balance was {}", shown(after)),
        _ => metric.to_owned(),
    }
}

/// The share of the first answer below which its rest is not worth a sentence.
const LEAST_REST: f64 = 0.01;

/// How much of the first answer a machine could change.
fn machines_part(restarts: &[Restart<'_>]) -> Option<Finding> {
    let split = FirstAnswerSplit::of(restarts.iter().map(|restart| restart.attempt))?;
    if split.total.saturating_sub(split.machine) < split.total.mul_f64(LEAST_REST) {
        return None;
    }
    let part = |(name, time): &(&str, Duration)| format!("{name} {}", format_duration(*time));
    let parts: Vec<String> = split.connection.iter().map(part).collect();
    let connection = if parts.is_empty() { "no connection".to_owned() } else { parts.join(", ") };
    let prober = (split.prober >= Duration::from_millis(1))
        .then(|| format!(", lag and wait of tollgate {}", format_duration(split.prober)));
    Some(Finding {
        what: format!("Of the first answer, {split}."),
        because: format!(
            "the rest: {connection} (redirects included){}, mean over {}",
            prober.unwrap_or_default(),
            count(split.restarts as usize, "restart")
        ),
    })
}

/// In how many restarts the curve did not become steady.
fn never_steady(record: &SessionRecord, restarts: &[Restart<'_>]) -> Option<Finding> {
    let is_never = |one: &&Restart<'_>| one.figures.class == Some(CurveClass::NoSteadyState);
    let never = restarts.iter().filter(is_never).count();
    let known = restarts.iter().filter(|one| one.figures.class.is_some()).count();
    (never > 0).then(|| Finding {
        what: format!("{never} of {} reached no steady state.", count(known, "restart")),
        because: format!(
            "the curves sent {}/s for up to {}",
            record.plan.curve_rate,
            format_duration(record.plan.curve_limit)
        ),
    })
}

/// Requests that got no right answer.
fn failed_requests(restarts: &[Restart<'_>]) -> Option<Finding> {
    let failed = |samples: &[ExchangeSample]| {
        samples.iter().filter(|sample| sample.failure.is_some()).count()
    };
    let sum = |of: &dyn Fn(&Attempt) -> usize| restarts.iter().map(|one| of(one.attempt)).sum();
    let first: usize = sum(&|attempt| failed(&attempt.first));
    let curve: usize = sum(&|attempt| failed(&attempt.curve));
    let of_first: usize = sum(&|attempt| attempt.first.len());
    let of_curve: usize = sum(&|attempt| attempt.curve.len());
    (first + curve > 0).then(|| Finding {
        what: format!("{} failed while the app warmed up.", count(first + curve, "request")),
        because: format!(
            "{first} of {} and {curve} of {of_curve} requests of the curves",
            count(of_first, "first request")
        ),
    })
}

/// The smallest share of memory that was available, if it is small.
fn low_memory(restarts: &[Restart<'_>]) -> Option<Finding> {
    let shares = restarts.iter().filter_map(|one| one.attempt.own_cpu()?.1.memory_available);
    let least = shares.fold(f64::INFINITY, f64::min);
    (least < LOW_MEMORY).then(|| Finding {
        what: "Memory was nearly used up.".to_owned(),
        because: format!("at the lowest, {:.0} % of it was available", least * 100.0),
    })
}
