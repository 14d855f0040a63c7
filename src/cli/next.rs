//! What a first measurement of a URL says in words, and what to type next.

use std::fmt::Write as _;
use std::time::Duration;

use super::log::SCREEN;
use super::reporting::in_words;
use super::session::Kept;
use crate::record::{Dimension, RunRecord};
use crate::units::{Quantile, written};

/// Tells the figures in words, and what to type next; a budget on the latency goes after the flags that it needs.
pub(super) fn tell(kept: &Kept, budget_after: Option<String>) {
    tracing::info!(target: SCREEN, "{}", text(kept, budget_after));
}

fn text(kept: &Kept, budget_after: Option<String>) -> String {
    let record = &kept.record;
    let mut text = "\nIn short\n".to_owned();
    for scenario in &record.measurement.scenarios {
        let _ = writeln!(text, "  {}: {}", scenario.name, in_words(record, scenario));
    }
    let _ = write!(text, "\nNext\n  open {}/report.html\n", kept.folder.display());
    let again = again(&record.provenance.command);
    if let Some((flags, p95)) = budget_after.zip(p95(record)) {
        let ceiling = written(roomy(p95));
        let _ = write!(
            text,
            "  {again} {flags}--budget 'p95 < {ceiling}'\n      hold it to a latency: the p95 seen now \
             and half as much again\n"
        );
    }
    let _ = write!(
        text,
        "  {again} --print-scenario > scenario.toml\n      keep this as a file, to add requests and expectations to it"
    );
    text
}

/// The command as it was typed, secrets left out, fit for a shell.
fn again(command: &[String]) -> String {
    command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''").replace(char::is_control, " "))
}

/// The p95 of the first request, failures left out.
fn p95(record: &RunRecord) -> Option<Duration> {
    let request = record.measurement.scenarios.first()?.requests.first()?;
    request.measured.series.quantile(Dimension::Latency, Quantile::P95)
}

/// Half as much again, rounded up to two digits of a unit that is written whole.
fn roomy(seen: Duration) -> Duration {
    let millis = (seen.as_secs_f64() * 1.5e3).max(1.0);
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
    fn the_budget_proposed_is_round_and_above_what_was_seen() {
        for (seen_us, proposed) in [
            (200, "1ms"),
            (1_100, "2ms"),
            (72_100, "110ms"),
            (412_000, "620ms"),
            (1_900_000, "2s 900ms"),
        ] {
            assert_eq!(written(roomy(Duration::from_micros(seen_us))), proposed);
        }
    }

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_it_otherwise() {
        assert_eq!(quoted("http://h/a"), "http://h/a");
        assert_eq!(quoted("p95 < 1s"), "'p95 < 1s'");
        assert_eq!(quoted("it's ${A}\u{1b}[1m"), r"'it'\''s ${A} [1m'");
        assert_eq!(quoted(""), "''");
    }
}
