//! Reads and checks an artifact.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::{Position, Url};
use uuid::Uuid;

use super::super::{ImportError, identity};
use super::redaction::redact_credentials;
use crate::library_text::describe_url;
use crate::record::{NODE_CHECK, OWN_CHECK, in_utc};

/// Maximum duration of a request and of its budget.
const LONGEST: Duration = Duration::from_hours(24);
/// Maximum size of an artifact in bytes; a typical one has 200.
const MOST_BYTES: usize = 1 << 20;
/// Maximum number of characters in a target.
const MOST_OF_TARGET: usize = 2_000;

/// The content of one artifact of `synthetic-check`.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedArtifact {
    /// Its timestamp, which counts as the start of the request (UTC).
    pub(in crate::import) started: OffsetDateTime,
    /// The requested URL, without user name, password and fragment.
    pub(in crate::import) target: Url,
    /// The budget of the check.
    pub(in crate::import) budget: Duration,
    /// From the start to the answer's headers, or to the failure.
    pub(in crate::import) took: Duration,
    /// How the request was answered.
    pub(in crate::import) answer: CheckAnswer,
    /// The check's error message.
    pub(in crate::import) error: Option<String>,
    /// What wrote it.
    pub(in crate::import) tool: CheckTool,
}

/// What wrote an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckTool {
    /// The old check, `synthetic-check.mjs`, or a tollgate before artifacts had the field `tool`.
    Node,
    /// `tollgate synthetic-check`.
    Tollgate,
}

impl CheckTool {
    /// What the field `tool` begins with in tollgate's own artifacts; a version follows.
    pub const MARK: &str = "tollgate ";

    /// The name of its series of runs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Node => NODE_CHECK,
            Self::Tollgate => OWN_CHECK,
        }
    }

    /// The command that wrote the artifact.
    pub(super) fn command(self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Node => &["synthetic-check.mjs"],
            Self::Tollgate => &["tollgate", "synthetic-check"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}

/// How the request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckAnswer {
    /// An answer with this status.
    Status(u16),
    /// No answer.
    None,
}

/// The file's fields; others are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactFile {
    timestamp: String,
    target: String,
    budget_ms: f64,
    duration_ms: f64,
    #[serde(deserialize_with = "may_be_null")]
    status: Option<u16>,
    ok: bool,
    #[serde(deserialize_with = "may_be_null")]
    error: Option<String>,
    /// Missing in artifacts of the old check.
    #[serde(default)]
    tool: serde_json::Value,
}

/// Reads a field that may be `null` but not missing.
fn may_be_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Option::deserialize(from)
}

impl ImportedArtifact {
    /// Reads an artifact, or returns every mistake in it. Neither result holds the user name or
    /// password of the target.
    pub fn read(bytes: &[u8]) -> Result<Self, Vec<ImportError>> {
        if bytes.len() > MOST_BYTES {
            return Err(vec![ImportError::of_file(
                "is larger than 1 MiB, and no artifact of synthetic-check",
            )]);
        }
        let written: ArtifactFile =
            serde_json::from_slice(bytes).map_err(|error| vec![unreadable(&error)])?;
        written.checked()
    }

    /// How the request was answered.
    pub fn answer(&self) -> CheckAnswer {
        self.answer
    }

    /// What wrote the artifact.
    pub fn tool(&self) -> CheckTool {
        self.tool
    }

    /// The run's id. It depends on the content of the artifact, not on its formatting.
    pub(super) fn id(&self) -> Uuid {
        let status = match self.answer {
            CheckAnswer::Status(status) => status,
            CheckAnswer::None => 0,
        };
        let cause = self.error.as_ref().map_or("null".to_owned(), |error| format!("{error:?}"));
        let content = format!(
            "{} {} {} {} {status} {cause}",
            self.started.unix_timestamp_nanos(),
            self.target,
            self.budget.as_nanos(),
            self.took.as_nanos(),
        );
        identity::id(self.started, &[self.tool.name().as_bytes(), content.as_bytes()])
    }

    /// Scheme, host and port of the target.
    pub(super) fn base_url(&self) -> String {
        self.target[..Position::BeforePath].to_owned()
    }

    /// The target's path with its query.
    pub(super) fn path(&self) -> &str {
        &self.target[Position::BeforePath..]
    }
}

impl ArtifactFile {
    fn checked(self) -> Result<ImportedArtifact, Vec<ImportError>> {
        let mut mistakes = Vec::new();
        let mut note = |field: &str, why: String| {
            mistakes.push(ImportError::of_file(format!("`{field}` {why}")));
        };
        let started = timestamp(&self.timestamp).map_err(|why| note("timestamp", why)).ok();
        let target = target(&self.target).map_err(|why| note("target", why)).ok();
        let budget = budget(self.budget_ms).map_err(|why| note("budgetMs", why)).ok();
        let took = duration(self.duration_ms).map_err(|why| note("durationMs", why)).ok();
        let answer = answer(self.status, self.ok).map_err(|why| note("status", why)).ok();
        let all = (started, target, budget, took, answer);
        let (Some(started), Some(target), Some(budget), Some(took), Some(answer)) = all else {
            return Err(mistakes);
        };
        let error = self.error.map(|error| redact_credentials(&error, &self.target));
        let is_ours = self.tool.as_str().is_some_and(|tool| tool.starts_with(CheckTool::MARK));
        let writer = if is_ours { CheckTool::Tollgate } else { CheckTool::Node };
        Ok(ImportedArtifact { started, target, budget, took, answer, error, tool: writer })
    }
}

fn unreadable(error: &serde_json::Error) -> ImportError {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    let what = redact_credentials(what, "");
    let place = (error.line() > 0).then(|| (error.line(), Some(error.column())));
    let what = match error.classify() {
        serde_json::error::Category::Data => format!("not an artifact of synthetic-check: {what}"),
        _ => format!("not JSON: {what}"),
    };
    ImportError { location: place, what }
}

fn timestamp(text: &str) -> Result<OffsetDateTime, String> {
    let remedy = "it is written as 2025-10-10T02:50:25.442Z";
    let time =
        OffsetDateTime::parse(text, &Rfc3339).map_err(|_| format!("is no time; {remedy}"))?;
    let time = in_utc(time);
    if time < OffsetDateTime::UNIX_EPOCH {
        Err(format!("is before 1970; {remedy}"))
    } else {
        Ok(time)
    }
}

/// Parses the target and removes user name, password and fragment. An error never shows the text.
fn target(text: &str) -> Result<Url, String> {
    let remedy = "it is written as https://example.org/app?mock=1";
    if text.len() > MOST_OF_TARGET {
        return Err(format!("is longer than {MOST_OF_TARGET} bytes"));
    }
    let mut url = Url::parse(text)
        .map_err(|error| format!("is no URL: {}; {remedy}", describe_url(error)))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("is a URL of another scheme than http and https; {remedy}"));
    }
    url.set_fragment(None);
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    cleared.map(|()| url).map_err(|()| format!("has no host; {remedy}"))
}

fn budget(millis: f64) -> Result<Duration, String> {
    match duration(millis)? {
        budget if budget < Duration::from_micros(1) => Err("is less than a microsecond".to_owned()),
        budget => Ok(budget),
    }
}

fn duration(millis: f64) -> Result<Duration, String> {
    let duration =
        Duration::try_from_secs_f64(millis / 1e3).ok().filter(|duration| *duration <= LONGEST);
    duration
        .ok_or_else(|| format!("is {millis}; it is a number of milliseconds from 0 to 24 hours"))
}

/// The answer, if its status agrees with `ok`.
fn answer(status: Option<u16>, ok: bool) -> Result<CheckAnswer, String> {
    match status {
        None if ok => Err("is null though `ok` is true; an answer has a status".to_owned()),
        None => Ok(CheckAnswer::None),
        Some(status @ 100..=599) if ok == (200..=299).contains(&status) => {
            Ok(CheckAnswer::Status(status))
        }
        Some(status @ 100..=599) => Err(format!("is {status} though `ok` is {ok}")),
        Some(status) => Err(format!("is {status}; it is a number from 100 to 599, or null")),
    }
}
