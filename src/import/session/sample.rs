//! One recorded request.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::{Position, Url};

use crate::import::{CheckAnswer, CheckTool, ImportedArtifact};
use crate::record::in_utc;

/// One recorded request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedSample {
    /// When it was sent (UTC).
    pub at: OffsetDateTime,
    /// How well that is known.
    pub precision: TimePrecision,
    /// The requested URL without user information and fragment; `None` if it is not recorded.
    pub target: Option<Url>,
    /// How long it took.
    pub took: Duration,
    /// The budget that it was judged by, if one is recorded.
    pub budget: Option<Duration>,
    /// How it was answered.
    pub answer: RecordedAnswer,
    /// What the record says about it, on one line.
    pub note: String,
    /// Whether the time also holds the start of Node's `fetch`.
    pub includes_fetch_start: bool,
}

/// How well the time of a request is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimePrecision {
    /// As it is written.
    Exact,
    /// About then.
    Approximate,
    /// Then or earlier.
    NotLater,
}

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordedAnswer {
    /// With this status.
    Status(u16),
    /// Not at all.
    None,
    /// That is not recorded.
    NotRecorded,
}

impl RecordedSample {
    /// The request of an artifact.
    pub(super) fn of_artifact(artifact: &ImportedArtifact) -> Self {
        Self {
            at: artifact.started,
            precision: TimePrecision::Exact,
            target: Some(artifact.target.clone()),
            took: artifact.took,
            budget: Some(artifact.budget),
            answer: match artifact.answer {
                CheckAnswer::Status(status) => RecordedAnswer::Status(status),
                CheckAnswer::None => RecordedAnswer::None,
            },
            note: artifact.error.clone().unwrap_or_default(),
            includes_fetch_start: artifact.tool == CheckTool::Node,
        }
    }

    /// Whether its time is that of an answer as it was wanted, as far as that is recorded.
    pub(super) fn is_ok(&self) -> bool {
        matches!(self.answer, RecordedAnswer::Status(200..=299) | RecordedAnswer::NotRecorded)
    }

    /// The path and query of its target: `/app?mock=0`.
    pub(super) fn path(&self) -> Option<&str> {
        self.target.as_ref().map(|url| &url[Position::BeforePath..])
    }

    /// Scheme, host and port of its target.
    pub(super) fn base_url(&self) -> Option<String> {
        self.target.as_ref().map(|url| url[..Position::BeforePath].to_owned())
    }
}

/// A URL without user information and fragment; `None` if the text is not an HTTP URL.
pub(super) fn target_url(text: &str) -> Option<Url> {
    let mut url = Url::parse(text.trim()).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    url.set_fragment(None);
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(url)
}

/// Reads a time as people write it: `2025-10-11T02:08:37Z`, `2025-10-11T07:17Z (approx)`, `by
/// 2025-10-12T04:36Z`, `2025-10-12`. A time without a zone is UTC.
pub(super) fn read_time(text: &str) -> Option<(OffsetDateTime, TimePrecision)> {
    let lower = text.trim().to_ascii_lowercase();
    let (rest, is_limit) = match ["by ", "before ", "until ", "not later than "]
        .into_iter()
        .find_map(|word| lower.strip_prefix(word))
    {
        Some(rest) => (rest.trim(), true),
        None => (lower.as_str(), false),
    };
    let marks = [
        "(approx)",
        "(approx.)",
        "(approximately)",
        "approx.",
        "approx",
        "circa ",
        "ca. ",
        "about ",
        "~",
        "≈",
    ];
    let mut rest = rest.to_owned();
    let mut is_about = false;
    for mark in marks {
        if rest.contains(mark) {
            is_about = true;
            rest = rest.replace(mark, " ");
        }
    }
    let (time, is_whole) = whole_time(rest.trim())?;
    let precision = match (is_limit, is_about || !is_whole) {
        (true, _) => TimePrecision::NotLater,
        (false, true) => TimePrecision::Approximate,
        (false, false) => TimePrecision::Exact,
    };
    let time = in_utc(time);
    (time >= OffsetDateTime::UNIX_EPOCH).then_some((time, precision))
}

/// The time, and whether it is given to the second.
fn whole_time(text: &str) -> Option<(OffsetDateTime, bool)> {
    let text = text.to_ascii_uppercase().replacen(' ', "T", 1);
    let (date, rest) = text.split_once('T').unwrap_or((&text, "00:00"));
    // The date has hyphens too, so only the rest is searched for a zone.
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at_checked(zone_at)?;
    let zone = if zone.is_empty() { "Z" } else { zone };
    let is_whole = text.contains('T') && clock.matches(':').count() == 2;
    let clock =
        if clock.matches(':').count() == 1 { format!("{clock}:00") } else { clock.to_owned() };
    let time = OffsetDateTime::parse(&format!("{date}T{clock}{zone}"), &Rfc3339).ok()?;
    Some((time, is_whole))
}
