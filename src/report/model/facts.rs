//! The plan, the provenance and the method in words.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::record::{
    ConnectionCounts, LookupMeasurement, Measurement, PlannedScenario, RunEnding, RunRecord,
    ScenarioMeasurement, Verdict, in_utc,
};
use crate::units::{Ratio, format_duration};

use super::{DurationQuantiles, TableShape, words};

/// Maximum number of addresses listed by name.
const ADDRESSES: usize = 8;

/// One named fact about a run or a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct ReportFact {
    /// Name, such as `host`.
    pub(in crate::report) name: &'static str,
    /// Value in this run.
    pub(in crate::report) value: String,
}

/// A fact whose value is safe to display.
pub(in crate::report) fn fact(name: &'static str, value: &str) -> ReportFact {
    ReportFact { name, value: words::display(value, words::LINE) }
}

/// A moment to the minute.
pub(in crate::report) const MINUTE: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
const SECOND: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");

/// A moment in UTC.
pub(in crate::report) fn moment(at: OffsetDateTime, format: &[BorrowedFormatItem<'_>]) -> String {
    let utc = in_utc(at);
    utc.format(format).unwrap_or_else(|_| utc.to_string())
}

/// When the run started and how long it took.
pub(super) fn subtitle(record: &RunRecord) -> String {
    let started = moment(record.provenance.started, MINUTE);
    format!("{started} · {}", format_duration(record.measurement.elapsed))
}

/// The record's provenance.
pub(super) fn provenance(record: &RunRecord) -> Vec<ReportFact> {
    let from = &record.provenance;
    let host = &from.host;
    let machine = match host.cores as u64 {
        // Imported from a tool that did not record its machine.
        0 => host.name.clone(),
        cores => {
            format!("{} ({} {}, {})", host.name, host.os, host.arch, words::plural(cores, "core"))
        }
    };
    let mut facts = vec![
        fact("run", &record.id.to_string()),
        fact("started", &moment(from.started, SECOND)),
        fact("took", &format_duration(record.measurement.elapsed)),
        fact("ended", &ending(&record.measurement)),
        fact("command", &from.command.join(" ")),
        fact("host", &machine),
        fact("tollgate", &format!("{}, record format {}", from.tollgate, record.format)),
    ];
    let continues = &record.verdict.continues;
    facts.extend((!continues.is_empty()).then(|| {
        let ids: Vec<_> = continues.iter().map(ToString::to_string).collect();
        fact("continues", &ids.join(", "))
    }));
    facts.extend(from.git_commit.as_deref().map(|commit| fact("commit", commit)));
    facts.extend((!from.tags.is_empty()).then(|| fact("tags", &tags(&from.tags))));
    facts
}

/// Tags in one line: `environment=staging, deploy=41`.
pub(in crate::report) fn tags(tags: &BTreeMap<String, String>) -> String {
    tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}

fn ending(run: &Measurement) -> String {
    match &run.ending {
        RunEnding::Complete => "complete".to_owned(),
        RunEnding::SetupFailed(scenario) => {
            let measured = if run.has_measured() { "measured in part" } else { "not measured" };
            format!("{measured}: a setup step of `{scenario}` failed")
        }
        RunEnding::Interrupted => "interrupted: sent requests were allowed to end".to_owned(),
        RunEnding::TargetDown(why) => format!("stopped because the target is down: {why}"),
        RunEnding::ProvenEarly(early) => early.words(),
        RunEnding::SeenEnough => "ended once enough was seen".to_owned(),
        RunEnding::Recovered => "recovered from an unfinished run folder".to_owned(),
        RunEnding::Imported(missing) => format!("imported from another tool's files: {missing}"),
    }
}

/// Target, load, warm-up and connections of a scenario.
pub(super) fn of_scenario(
    planned: Option<&PlannedScenario>,
    measured: Option<&ScenarioMeasurement>,
) -> Vec<ReportFact> {
    let mut facts = Vec::new();
    if let Some(plan) = planned {
        facts.push(fact("target", &plan.base_url));
        facts.push(fact("load", &plan.load));
        facts.push(fact("warm-up", &plan.warmup));
        facts.push(fact("file", &plan.source));
        facts.extend(plan.data.as_ref().map(|data| fact("data", &data.words())));
        facts.extend(plan.draw.as_ref().map(|draw| fact("weights", &draw.words())));
    }
    if let Some(scenario) = measured {
        facts.push(fact("arrivals", &arrivals(scenario)));
        facts.push(fact("connections", &connections(scenario.connections)));
        facts.extend(
            (!scenario.protocols.is_empty())
                .then(|| fact("protocols", &scenario.protocols.join(", "))),
        );
        facts.extend(
            has_notable_addresses(scenario).then(|| fact("addresses", &addresses(scenario))),
        );
        facts.extend(
            (!scenario.lookups.is_empty())
                .then(|| fact("DNS lookups", &lookups(&scenario.lookups))),
        );
    }
    facts
}

fn arrivals(scenario: &ScenarioMeasurement) -> String {
    let mut parts = Vec::new();
    parts.extend(scenario.planned.map(|planned| format!("{} planned", words::count(planned))));
    parts.push(format!("{} released", words::count(scenario.released)));
    let others = [
        (scenario.ended_at_proxy(), "ended at the proxy"),
        (scenario.ended_at_limits(), "ended at a limit of tollgate"),
        (scenario.never_sent(), "never released by the prober"),
        (scenario.abandoned, "cut off"),
    ];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    parts.extend(others.map(|(count, what)| format!("{} {what}", words::count(count))));
    parts.join(", ")
}

fn connections(connections: ConnectionCounts) -> String {
    let mut text = format!("{} opened", words::count(connections.opened));
    if connections.reopened_after_idle_close > 0 {
        text += &format!(
            ", {} because the target closed the one before",
            words::count(connections.reopened_after_idle_close)
        );
    }
    if connections.replaced > 0 {
        text += &format!(
            ", {} in place of one that took no more requests",
            words::count(connections.replaced)
        );
    }
    if connections.failed > 0 {
        text += &format!(", {} could not be opened", words::count(connections.failed));
    }
    text
}

/// The connections that tollgate gave up, with the usual reason.
fn replaced(connections: ConnectionCounts) -> String {
    let replaced = words::plural(connections.replaced, "connection");
    format!(
        "{replaced} replaced after taking no more requests, usually because the target answers \
         before it reads a whole request"
    )
}

/// Connections and failed attempts by address.
fn addresses(scenario: &ScenarioMeasurement) -> String {
    let opened = by_address(&scenario.addresses, "connection");
    let failed = (!scenario.unreached.is_empty())
        .then(|| format!("unreachable: {}", by_address(&scenario.unreached, "attempt")));
    [opened]
        .into_iter()
        .filter(|opened| !opened.is_empty())
        .chain(failed)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Counts by address, the highest first.
fn by_address(counts: &BTreeMap<String, u64>, noun: &str) -> String {
    let mut all: Vec<(&String, &u64)> = counts.iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let named = all.iter().take(ADDRESSES).map(|(address, count)| {
        format!("{} ({})", words::name(address), words::plural(**count, noun))
    });
    let named: Vec<String> = named.collect();
    match all.len() - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// Whether more than one address was used or tried.
fn has_notable_addresses(scenario: &ScenarioMeasurement) -> bool {
    let some_unreached = !scenario.unreached.is_empty() && !scenario.addresses.is_empty();
    scenario.addresses.len() > 1 || some_unreached
}

fn lookups(lookups: &LookupMeasurement) -> String {
    let took = DurationQuantiles::of(Some(&lookups.took));
    let mut parts = vec![words::count(took.n)];
    if took.n > 0 {
        parts.push(format!("p50 {}, max {}", words::time(took.p50), words::time(took.max)));
    }
    parts.extend(
        (lookups.failed > 0).then(|| format!("{} more failed", words::count(lookups.failed))),
    );
    parts.join(", ")
}

/// Addresses, replaced connections and DNS lookups in one line; `None` if one address was used, no
/// connection was replaced and no lookup failed.
pub(super) fn address_summary(scenario: &ScenarioMeasurement) -> Option<String> {
    let mut parts = Vec::new();
    parts.extend(has_notable_addresses(scenario).then(|| addresses(scenario)));
    let has_lookups =
        !scenario.lookups.is_empty() && (!parts.is_empty() || scenario.lookups.failed > 0);
    parts.extend(has_lookups.then(|| format!("DNS lookups: {}", lookups(&scenario.lookups))));
    parts.extend((scenario.connections.replaced > 0).then(|| replaced(scenario.connections)));
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// How the figures were made; `confidence` is set if any budget was decided with one.
pub(super) fn method(verdict: &Verdict, shape: TableShape, confidence: Option<Ratio>) -> String {
    let latency = match shape {
        TableShape::Load => {
            "Latency starts when a request was due, so a stall is charged to every request it delayed. \
             Budgets rank failures above every latency; the columns p50 to max cover ok exchanges only."
        }
        TableShape::Checks => {
            "A step's time runs from when it was due to the last byte of its response, including retries and the \
             pauses between them. Budgets rank a failed step above every latency."
        }
    };
    let rule = confidence.map(|confidence| {
        format!(
            " The rule “{}” decides budgets at {} confidence on each side. The intervals shown are the matching \
             90 % intervals. {}",
            words::display(&verdict.rule, words::NAME),
            words::share(confidence),
            assumption(verdict),
        )
    });
    latency.to_owned() + &rule.unwrap_or_default()
}

/// What the error rate of a verdict depends on.
fn assumption(verdict: &Verdict) -> String {
    let budgets = verdict.scenarios.iter().flat_map(|scenario| &scenario.budgets);
    let horizons: BTreeSet<_> =
        budgets.filter_map(|budget| Some(budget.evidence.as_ref()?.at_horizon.length)).collect();
    if horizons.is_empty() {
        return "Both assume independent requests.".to_owned();
    }
    let horizons: Vec<_> = horizons.into_iter().map(format_duration).collect();
    format!(
        "A pass or a fail is wrong at most 1 time in 20, if latencies are not correlated for longer than the stall \
         horizon ({}). It says nothing about longer stalls or other times of day.",
        horizons.join(", ")
    )
}
