//! Advice after a URL was measured: its figures in words, and what to type next.

use std::fmt::Write as _;
use std::time::Duration;

use super::log::PEOPLE_ONLY;
use super::outputs::FinishedRun;
use super::results::scenario_figures;
use crate::record::{Dimension, RunRecord};
use crate::units::{Quantile, duration_literal};

/// Prints the figures in words, and what to type next. `budget_after` is the flags that go before a
/// latency budget; `None` if there is one already.
pub(super) fn print_advice(run: &FinishedRun, budget_after: Option<String>) {
    tracing::info!(target: PEOPLE_ONLY, "{}", advice(run, budget_after));
}

fn advice(run: &FinishedRun, budget_after: Option<String>) -> String {
    let record = &run.record;
    let mut text = "\nIn short\n".to_owned();
    for scenario in &record.measurement.scenarios {
        let _ = writeln!(text, "  {}: {}", scenario.name, scenario_figures(record, scenario));
    }
    let _ = write!(text, "\nNext\n  open {}/report.html\n", run.folder.display());
    let repeat = typed_command(&record.provenance.command);
    if let Some((flags, p95)) = budget_after.zip(p95(record)) {
        let ceiling = duration_literal(proposed_ceiling(p95));
        let _ = write!(
            text,
            "  {repeat} {flags}--budget 'p95 < {ceiling}'\n      add a latency budget: the p95 just measured, plus half\n"
        );
    }
    let _ = write!(
        text,
        "  {repeat} --print-scenario > scenario.toml\n      save this as a file, to add requests and expectations"
    );
    text
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
    fn a_word_is_quoted_if_a_shell_would_change_it() {
        assert_eq!(shell_quote("http://h/a"), "http://h/a");
        assert_eq!(shell_quote("p95 < 1s"), "'p95 < 1s'");
        assert_eq!(shell_quote("it's ${A}\u{1b}[1m"), r"'it'\''s ${A} [1m'");
        assert_eq!(shell_quote(""), "''");
    }
}
