//! Advice after a URL was measured: its figures in words, and what to type next.

use std::fmt::Write as _;
use std::time::Duration;

use super::log::PEOPLE_ONLY;
use super::outputs::FinishedRun;
use super::results::scenario_figures;
use crate::plan::{BlockNeeds, Plan};
use crate::record::{Budget, Decision, Dimension, RunRecord, without_length};
use crate::units::{Quantile, duration_literal};
use crate::verdict::{continuation_obstacle, more_time};

/// Prints the figures in words, and what to type next. `budget_after` is the flags that go before a
/// latency budget; `None` if there is one already.
pub(super) fn print_advice(run: &FinishedRun, plan: &Plan, budget_after: Option<String>) {
    tracing::info!(target: PEOPLE_ONLY, "{}", advice(run, plan, budget_after));
}

/// Prints how to go on with a run that lacks nothing except evidence.
pub(super) fn print_continuation(run: &FinishedRun, plan: &Plan) {
    if let Some(advice) = continuation_advice(run, plan) {
        tracing::info!(target: PEOPLE_ONLY, "{advice}");
    }
}

fn continuation_advice(run: &FinishedRun, plan: &Plan) -> Option<String> {
    let record = &run.record;
    if plan.shard_plan.is_some() || continuation_obstacle(record).is_some() {
        return None;
    }
    let more = whole_seconds(more_time(record)?.max(Duration::from_secs(1)));
    let typed = with_flag(&record.provenance.command, "--continue", &record.name());
    // A load without a length in its words has none that a flag could change.
    let has_length = |load: &str| without_length(load) != load;
    let is_constant = record.plan.iter().all(|planned| has_length(&planned.load));
    let typed = if is_constant { with_duration(&typed, more) } else { typed_command(&typed) };
    Some(format!(
        "\nTo go on with the evidence of this run\n  {typed}\n      about {} more would settle it; \
         both runs then decide together",
        duration_literal(more)
    ))
}

fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}

fn advice(run: &FinishedRun, plan: &Plan, budget_after: Option<String>) -> String {
    let record = &run.record;
    let mut text = "\nIn short\n".to_owned();
    for scenario in &record.measurement.scenarios {
        let _ = writeln!(text, "  {}: {}", scenario.name, scenario_figures(record, scenario));
    }
    text += "\nNext\n";
    text += &open_report(run);
    let typed = &record.provenance.command;
    let added = budget_after.zip(p95(record)).map(|(flags, p95)| {
        let budget = format!("p95 < {}", duration_literal(proposed_ceiling(p95)));
        (format!(" {flags}--budget '{budget}'"), budget)
    });
    let longer =
        longer_duration(run, plan, added.as_ref().and_then(|(_, budget)| budget.parse().ok()));
    let repeat = longer.map_or_else(|| typed_command(typed), |time| with_duration(typed, time));
    if let Some((flags, _)) = &added {
        let _ = write!(
            text,
            "  {repeat}{flags}\n      add a latency budget: the p95 just measured, plus half\n"
        );
    } else if longer.is_some() {
        let _ = writeln!(text, "  {repeat}");
    }
    if longer.is_some() {
        text += "      measure long enough for a pass: a shorter run has too few blocks of time\n";
    }
    let _ = write!(
        text,
        "  {repeat} --print-scenario > scenario.toml\n      save this as a file, to add requests and expectations"
    );
    text
}

/// The line that says how to look at a run's report; empty if the run has none.
pub(super) fn open_report(run: &FinishedRun) -> String {
    let line = |page| format!("  open {}/{page}\n", run.folder.display());
    run.reports.page().map(line).unwrap_or_default()
}

/// How long the plan should measure, so that a target that meets the budgets of every scenario and
/// the `added` one passes in most runs; `None` if the plan can pass as it is, or failed.
fn longer_duration(run: &FinishedRun, plan: &Plan, added: Option<Budget>) -> Option<Duration> {
    let decision = run.record.verdict.decision;
    let undecided = decision == Decision::Inconclusive;
    let needs = plan.scenarios.iter().flat_map(|scenario| {
        let own = scenario.shown.requests.iter().flat_map(|request| &request.budgets);
        own.chain(&added).filter_map(|budget| BlockNeeds::of(scenario, budget)).collect::<Vec<_>>()
    });
    let needs: Vec<_> = needs.collect();
    let is_short = |needs: &BlockNeeds| {
        let is_scarce = needs.planned.is_some_and(|planned| planned < needs.recommended);
        needs.is_hopeless() || (undecided && is_scarce)
    };
    // More time does not help a target that fails.
    (decision != Decision::Fail && needs.iter().any(is_short)).then_some(())?;
    let longest = needs.iter().map(|needs| needs.time(needs.recommended)).max()?;
    Some(whole_seconds(longest))
}

/// The typed command with another `--duration`.
fn with_duration(command: &[String], duration: Duration) -> String {
    let value = duration_literal(duration).replace(' ', "");
    typed_command(&with_flag(command, "--duration", &value))
}

/// The typed command with another value of a flag.
fn with_flag(command: &[String], flag: &str, value: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = command.iter();
    while let Some(word) = rest.next() {
        let has_value = word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='));
        if word == flag {
            rest.next();
        } else if !has_value {
            words.push(word.clone());
        }
    }
    words.extend([flag.to_owned(), value.to_owned()]);
    words
}

/// The command as it was typed, without secrets, quoted for a shell.
fn typed_command(command: &[String]) -> String {
    command.iter().map(|word| shell_quote(word)).collect::<Vec<_>>().join(" ")
}

/// Quotes a word for a shell.
pub(super) fn shell_quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''").replace(char::is_control, " "))
}

/// The p95 of the first request, without failures.
fn p95(record: &RunRecord) -> Option<Duration> {
    let request = record.measurement.scenarios.first()?.requests.first()?;
    request.measured.series.quantile(Dimension::Latency, Quantile::P95)
}

/// One and a half times a latency, rounded up to two digits of whole milliseconds.
fn proposed_ceiling(measured: Duration) -> Duration {
    let millis = (measured.as_secs_f64() * 1.5e3).max(1.0);
    let step = 10_f64.powf((millis.log10().floor() - 1.0).max(0.0));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most a timeout's milliseconds"
    )]
    let rounded = ((millis / step).ceil() * step) as u64;
    Duration::from_millis(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proposed_budget_is_round_and_above_the_measured_p95() {
        for (measured_us, proposed) in [
            (200, "1ms"),
            (1_100, "2ms"),
            (72_100, "110ms"),
            (412_000, "620ms"),
            (1_900_000, "2s 900ms"),
        ] {
            assert_eq!(
                duration_literal(proposed_ceiling(Duration::from_micros(measured_us))),
                proposed
            );
        }
    }

    #[test]
    fn a_longer_duration_replaces_the_typed_one() {
        for typed in [
            &["tollgate", "run", "http://h/", "--duration", "5s", "--rate", "20/s"][..],
            &["tollgate", "run", "http://h/", "--duration=5s", "--rate", "20/s"],
            &["tollgate", "run", "http://h/", "--rate", "20/s"],
        ] {
            let typed: Vec<String> = typed.iter().map(ToString::to_string).collect();
            assert_eq!(
                with_duration(&typed, Duration::from_secs(90)),
                "tollgate run http://h/ --rate 20/s --duration 1m30s"
            );
        }
    }

    #[test]
    fn a_word_is_quoted_if_a_shell_would_change_it() {
        assert_eq!(shell_quote("http://h/a"), "http://h/a");
        assert_eq!(shell_quote("p95 < 1s"), "'p95 < 1s'");
        assert_eq!(shell_quote("it's ${A}\u{1b}[1m"), r"'it'\''s ${A} [1m'");
        assert_eq!(shell_quote(""), "''");
    }
}
