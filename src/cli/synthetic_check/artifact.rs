//! The artifact, the line and the rule of the old check; pure.
//!
//! The format is that of `synthetic-check.mjs`: JSON indented by two spaces without a final line
//! break. A further field, `tool`, tells its figures from those of the old check, which also hold
//! the start of Node's `fetch`. `tollgate import synthetic-check` reads it.

use std::time::Duration;

use serde::Serialize;
use serde_json::Number;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::record::in_utc;

/// As `Date.prototype.toISOString` writes it.
const ISO: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The value of `tool`; see [`CheckTool::MARK`](crate::import::CheckTool::MARK).
const TOOL: &str = concat!("tollgate ", env!("CARGO_PKG_VERSION"));

/// One finished check; the artifact's fields in their order.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckArtifact {
    timestamp: String,
    target: String,
    budget_ms: Number,
    duration_ms: Number,
    /// `None` without an answer.
    pub(super) status: Option<u16>,
    /// Whether the status is 2xx; the duration does not matter.
    ok: bool,
    /// The message of Node's `fetch`, which is the same for every cause.
    error: Option<&'static str>,
    /// The name and version of this program.
    tool: &'static str,
    #[serde(skip)]
    pub(super) passes: bool,
}

impl CheckArtifact {
    /// Applies the old rule, 2xx within the budget; `budget` is in milliseconds.
    pub(super) fn new(
        started: OffsetDateTime,
        target: String,
        budget: f64,
        took: Duration,
        status: Option<u16>,
    ) -> Self {
        // `toFixed(2)`, rounded from whole nanoseconds so that halves go up.
        let duration = ((took.as_nanos() + 5_000) / 10_000) as f64 / 100.0;
        let ok = status.is_some_and(|status| (200..300).contains(&status));
        Self {
            timestamp: iso(started),
            target,
            budget_ms: javascript_millis(budget),
            duration_ms: javascript_millis(duration),
            status,
            ok,
            error: status.is_none().then_some("fetch failed"),
            tool: TOOL,
            passes: ok && duration <= budget,
        }
    }

    /// The artifact's text.
    pub(super) fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// The line on stdout.
    pub(super) fn line(&self, path: &str) -> String {
        let Self { target, budget_ms, duration_ms, .. } = self;
        let status = self.status.map_or_else(|| "null".to_owned(), |status| status.to_string());
        format!(
            "[synthetic-check] {target} status={status} duration={duration_ms}ms \
             budget={budget_ms}ms artifact={path}"
        )
    }
}

/// The default file name: `synthetic-check-2025-10-10T18-36-10.398Z.json`.
pub(super) fn artifact_name(started: OffsetDateTime) -> String {
    format!("synthetic-check-{}.json", iso(started).replace(':', "-"))
}

fn iso(at: OffsetDateTime) -> String {
    // Formatting fails only for a format that is not text.
    in_utc(at).format(ISO).unwrap_or_default()
}

/// Milliseconds as JavaScript writes a number: `300`, `280.3`.
fn javascript_millis(millis: f64) -> Number {
    // Exact for whole numbers up to 2^53; larger ones keep their decimal form.
    #[expect(clippy::cast_possible_truncation, reason = "within the bounds checked first")]
    if millis.fract() == 0.0 && millis.abs() <= 9_007_199_254_740_992.0 {
        return (millis as i64).into();
    }
    Number::from_f64(millis).unwrap_or_else(|| 0.into())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::import::{CheckAnswer, CheckTool, ImportedArtifact};

    const STARTED: OffsetDateTime = datetime!(2025-10-10 18:36:10.398_999 UTC);

    fn checked(took: Duration, status: Option<u16>) -> CheckArtifact {
        let target = "https://hotdash-staging.fly.dev/app?mock=0".to_owned();
        CheckArtifact::new(STARTED, target, 300.0, took, status)
    }

    /// Records that the old check wrote.
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
    fn an_artifact_is_what_the_old_check_wrote_and_the_name_of_the_tool() {
        let marked = |old: &str| {
            old.replace(
                "\n}",
                &format!(",\n  \"tool\": \"tollgate {}\"\n}}", env!("CARGO_PKG_VERSION")),
            )
        };
        let answered = checked(Duration::from_nanos(560_514_999), Some(200)).json().unwrap();
        assert_eq!(answered, marked(ANSWERED));
        let failed = checked(Duration::from_micros(280_295), None).json().unwrap();
        assert_eq!(failed, marked(FAILED));
        let read = |text: &str| {
            let read = ImportedArtifact::read(text.as_bytes()).unwrap();
            (read.tool(), read.answer())
        };
        assert_eq!(read(ANSWERED), (CheckTool::Node, CheckAnswer::Status(200)));
        assert_eq!(read(&answered), (CheckTool::Tollgate, CheckAnswer::Status(200)));
        assert_eq!(read(&failed), (CheckTool::Tollgate, CheckAnswer::None));
        assert_eq!(artifact_name(STARTED), "synthetic-check-2025-10-10T18-36-10.398Z.json");
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
    fn the_rule_is_an_answer_of_2xx_within_the_budget_as_it_is_written() {
        let judged = |micros, status| {
            let checked = checked(Duration::from_micros(micros), status);
            (checked.ok, checked.passes)
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
        for (millis, text) in [(300.0, "300"), (250.5, "250.5"), (59.54, "59.54"), (0.0, "0")] {
            assert_eq!(javascript_millis(millis).to_string(), text);
        }
    }
}
