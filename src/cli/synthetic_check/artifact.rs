//! The artifact and the line of the old check, and its rule; pure.
//!
//! The format is that of the records of `synthetic-check.mjs`: JSON of two spaces without a line break at its end, numbers
//! as JavaScript writes them. `tollgate import synthetic-check` reads it.

use std::time::Duration;

use serde::Serialize;
use serde_json::Number;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::budget::ENDLESS;

/// What the old check notes of every request without an answer, whatever the cause.
const FETCH_FAILED: &str = "fetch failed";

/// As `Date.prototype.toISOString` writes it.
const ISO: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// One check as the old one tells of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checked {
    /// When it began (UTC).
    pub(super) started: OffsetDateTime,
    /// The URL that was asked for.
    pub(super) target: String,
    /// The longest that may pass.
    pub(super) budget: Duration,
    /// From the start to the answer's headers, or to the failure.
    pub(super) took: Duration,
    /// The answer's status; `None` where there was no answer.
    pub(super) status: Option<u16>,
}

/// The artifact's fields in their order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    timestamp: String,
    target: &'a str,
    budget_ms: Option<Number>,
    duration_ms: Number,
    status: Option<u16>,
    ok: bool,
    error: Option<&'a str>,
}

impl Checked {
    /// Whether the old check ends with 0: an answer of 2xx within the budget.
    pub(super) fn passes(&self) -> bool {
        self.is_ok() && hundredths(self.took) <= self.budget
    }

    /// Whether the answer is one of success, as `response.ok` says; the time has no part in it.
    pub(super) fn is_ok(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// The artifact, without a line break at its end.
    pub(super) fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(&Written {
            timestamp: iso(self.started),
            target: &self.target,
            // JSON has no infinity, for which JavaScript writes `null`.
            budget_ms: (self.budget != ENDLESS).then(|| millis(self.budget)),
            duration_ms: millis(hundredths(self.took)),
            status: self.status,
            ok: self.is_ok(),
            error: self.status.is_none().then_some(FETCH_FAILED),
        })
    }

    /// The line on stdout; `path` is where the artifact is.
    pub(super) fn line(&self, path: &str) -> String {
        let status = self.status.map_or("null".to_owned(), |status| status.to_string());
        let took = millis(hundredths(self.took));
        let budget = if self.budget == ENDLESS {
            "Infinity".to_owned()
        } else {
            millis(self.budget).to_string()
        };
        let target = &self.target;
        format!(
            "[synthetic-check] {target} status={status} duration={took}ms budget={budget}ms artifact={path}"
        )
    }
}

/// The artifact's name where none is asked for: `synthetic-check-2025-10-10T18-36-10.398Z.json`.
pub(super) fn name(started: OffsetDateTime) -> String {
    format!("synthetic-check-{}.json", iso(started).replace(':', "-"))
}

fn iso(at: OffsetDateTime) -> String {
    // Only a format that is no text fails, and this one is.
    at.to_offset(time::UtcOffset::UTC).format(ISO).unwrap_or_default()
}

/// A duration to the hundredth of a millisecond, as it is written.
pub(super) fn hundredths(duration: Duration) -> Duration {
    const STEP: Duration = Duration::from_micros(10);
    let steps = (duration + STEP / 2).as_nanos() / STEP.as_nanos();
    STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}

/// Milliseconds as JavaScript writes a number: `300`, `280.3`.
pub(super) fn millis(duration: Duration) -> Number {
    let nanos = duration.as_nanos();
    match u64::try_from(nanos / 1_000_000) {
        Ok(whole) if nanos.is_multiple_of(1_000_000) => whole.into(),
        _ => Number::from_f64(nanos as f64 / 1e6).unwrap_or_else(|| 0.into()),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::import::{Answer, Artifact};

    fn checked(took: Duration, status: Option<u16>) -> Checked {
        let target = "https://hotdash-staging.fly.dev/app?mock=0".to_owned();
        let started = datetime!(2025-10-10 18:36:10.398_999 UTC);
        Checked { started, target, budget: Duration::from_millis(300), took, status }
    }

    /// Records of the old check, as it wrote them.
    const ANSWERED: &str = r#"{
  "timestamp": "2025-10-10T18:36:10.398Z",
  "target": "https://hotdash-staging.fly.dev/app?mock=0",
  "budgetMs": 300,
  "durationMs": 560.51,
  "status": 200,
  "ok": true,
  "error": null
}"#;
    const FAILED: &str = r#"{
  "timestamp": "2025-10-10T18:36:10.398Z",
  "target": "https://hotdash-staging.fly.dev/app?mock=0",
  "budgetMs": 300,
  "durationMs": 280.3,
  "status": null,
  "ok": false,
  "error": "fetch failed"
}"#;

    #[test]
    fn an_artifact_is_to_the_letter_what_the_old_check_wrote_and_is_read_by_the_import() {
        let answered = checked(Duration::from_nanos(560_514_999), Some(200));
        assert_eq!(answered.json().unwrap(), ANSWERED);
        let failed = checked(Duration::from_micros(280_295), None);
        assert_eq!(failed.json().unwrap(), FAILED);
        let read = |text: &str| Artifact::read(text.as_bytes()).unwrap().answer();
        assert_eq!([read(ANSWERED), read(FAILED)], [Answer::Status(200), Answer::None]);
        assert_eq!(name(answered.started), "synthetic-check-2025-10-10T18-36-10.398Z.json");
    }

    #[test]
    fn a_line_has_the_numbers_of_the_artifact() {
        let line = checked(Duration::from_millis(62), Some(410)).line("a/b.json");
        let url = "https://hotdash-staging.fly.dev/app?mock=0";
        let expected = format!(
            "[synthetic-check] {url} status=410 duration=62ms budget=300ms artifact=a/b.json"
        );
        assert_eq!(line, expected);
        assert!(checked(Duration::ZERO, None).line("x").contains("status=null duration=0ms"));
    }

    #[test]
    fn a_budget_without_end_is_written_as_javascript_writes_infinity() {
        let checked = Checked { budget: ENDLESS, ..checked(Duration::from_hours(9), Some(200)) };
        assert!(checked.passes() && checked.line("x").contains(" budget=Infinityms "));
        assert!(checked.json().unwrap().contains("\n  \"budgetMs\": null,\n"));
    }

    #[test]
    fn the_rule_is_an_answer_of_2xx_within_the_budget_as_it_is_written() {
        let judged = |micros, status| {
            let checked = checked(Duration::from_micros(micros), status);
            (checked.is_ok(), checked.passes())
        };
        assert_eq!(judged(300_000, Some(200)), (true, true));
        assert_eq!(judged(300_004, Some(204)), (true, true));
        assert_eq!(judged(300_005, Some(200)), (true, false));
        assert_eq!(judged(1_000, Some(302)), (false, false));
        assert_eq!(judged(1_000, Some(410)), (false, false));
        assert_eq!(judged(1_000, None), (false, false));
    }

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        for (micros, text) in [(300_000, "300"), (250_500, "250.5"), (59_540, "59.54"), (0, "0")] {
            assert_eq!(millis(Duration::from_micros(micros)).to_string(), text);
        }
        assert_eq!(millis(hundredths(Duration::from_hours(11))).to_string(), "39600000");
    }
}
