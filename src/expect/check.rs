//! What one expectation checks.

use http::{HeaderName, HeaderValue, StatusCode};
use memchr::memmem::Finder;
use url::Url;

use super::json::JsonExpectation;
use super::pattern::TextPattern;
use super::response::{ResponseView, header_text};
use super::subject::{CheckFailure, CheckSubject, unexpected};
use super::{describe, rows};
use crate::record::Failure;

/// What one expectation checks.
#[derive(Clone)]
pub enum ResponseCheck {
    /// The status is one of these.
    Status(Vec<StatusCode>),
    /// The status is 401 or 403. A 2xx status is [`Failure::Admitted`].
    Denied,
    /// The response comes from this URL.
    FinalUrl(Url),
    /// The response comes from this URL with any query.
    FinalPlace(Url),
    /// A header has exactly this value; of several headers with the name, at least one.
    Header(HeaderName, HeaderValue),
    /// The pattern matches in the value of a header; of several headers with the name, in at least
    /// one.
    HeaderMatches(HeaderName, TextPattern),
    /// There are exactly this many rows.
    Rows(u64),
    /// There are at least this many rows.
    RowsAtLeast(u64),
    /// The body contains the text.
    Contains(Finder<'static>),
    /// The body does not contain the text.
    Lacks(Finder<'static>),
    /// The pattern matches in the body.
    BodyMatches(TextPattern),
    /// The body is JSON with the expected value at a pointer.
    Json(JsonExpectation),
}

impl ResponseCheck {
    /// The body contains `text`.
    pub fn contains(text: &str) -> Self {
        Self::Contains(Finder::new(text).into_owned())
    }

    /// The body does not contain `text`.
    pub fn lacks(text: &str) -> Self {
        Self::Lacks(Finder::new(text).into_owned())
    }

    pub(super) fn is_of_status(&self) -> bool {
        matches!(self, Self::Status(_) | Self::Denied)
    }

    pub(super) fn is_of_body(&self) -> bool {
        matches!(self, Self::Contains(_) | Self::Lacks(_) | Self::BodyMatches(_) | Self::Json(_))
    }

    /// The order of judging: status, URL, headers, number of rows, content.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Status(_) | Self::Denied => 0,
            Self::FinalUrl(_) | Self::FinalPlace(_) => 1,
            Self::Header(..) | Self::HeaderMatches(..) => 2,
            Self::Rows(_) | Self::RowsAtLeast(_) => 3,
            Self::Contains(_) | Self::Lacks(_) | Self::BodyMatches(_) | Self::Json(_) => 4,
        }
    }

    /// Judges the subject. A check of something that the subject does not have fails.
    pub(super) fn judge(
        &self,
        subject: &mut CheckSubject<'_>,
        is_sensitive: bool,
    ) -> Result<(), CheckFailure> {
        match self {
            Self::Status(expected) => check_status(subject.answer()?, expected, is_sensitive),
            Self::Denied if subject.rows().is_ok() => Err(admission("the statement was executed")),
            Self::Denied => check_denied(subject.answer()?, is_sensitive),
            Self::FinalUrl(expected) => check_final_url(
                subject.answer()?,
                expected,
                |found| found == expected,
                is_sensitive,
            ),
            Self::FinalPlace(expected) => {
                let is_there = |found: &Url| {
                    found.origin() == expected.origin() && found.path() == expected.path()
                };
                check_final_url(subject.answer()?, expected, is_there, is_sensitive)
            }
            Self::Header(name, value) => {
                let is_value = |found: &HeaderValue| {
                    found == value || header_text(found).as_bytes() == value.as_bytes()
                };
                check_header(subject.answer()?, name, is_value, is_sensitive)
            }
            Self::HeaderMatches(name, pattern) => check_header(
                subject.answer()?,
                name,
                |found| {
                    pattern.is_in(found.as_bytes()) || pattern.is_in(header_text(found).as_bytes())
                },
                is_sensitive,
            ),
            Self::Rows(count) => check_row_count(subject, |rows| rows == *count, is_sensitive),
            Self::RowsAtLeast(least) => {
                check_row_count(subject, |rows| rows >= *least, is_sensitive)
            }
            Self::Contains(text) => {
                check_content(subject, |content| text.find(content).is_some(), "not in")
            }
            Self::Lacks(text) => {
                check_content(subject, |content| text.find(content).is_none(), "in")
            }
            Self::BodyMatches(pattern) => {
                check_content(subject, |content| pattern.is_in(content), "no match in")
            }
            Self::Json(expectation) => {
                expectation.judge(subject.document()?, is_sensitive).map_err(unexpected)
            }
        }
    }
}

fn check_status(
    answer: &ResponseView<'_>,
    expected: &[StatusCode],
    is_sensitive: bool,
) -> Result<(), CheckFailure> {
    if expected.contains(&answer.status) {
        return Ok(());
    }
    let (failure, found) = describe::describe_status(answer, is_sensitive);
    Err(CheckFailure::Mismatch(failure, found))
}

fn check_denied(answer: &ResponseView<'_>, is_sensitive: bool) -> Result<(), CheckFailure> {
    if answer.status.is_success() {
        return Err(admission(answer.status.as_str()));
    }
    check_status(answer, &[StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN], is_sensitive)
}

fn admission(found: &str) -> CheckFailure {
    CheckFailure::Mismatch(Failure::Admitted, found.to_owned())
}

fn check_final_url(
    answer: &ResponseView<'_>,
    expected: &Url,
    is_expected: impl Fn(&Url) -> bool,
    is_sensitive: bool,
) -> Result<(), CheckFailure> {
    match answer.url {
        found if is_expected(found) => Ok(()),
        _ if is_sensitive => Err(unexpected("another URL")),
        found => Err(unexpected(describe::describe_url(found, expected))),
    }
}

fn check_header(
    answer: &ResponseView<'_>,
    name: &HeaderName,
    is_expected: impl Fn(&HeaderValue) -> bool,
    is_sensitive: bool,
) -> Result<(), CheckFailure> {
    if answer.headers.get_all(name).iter().any(is_expected) {
        return Ok(());
    }
    Err(unexpected(describe::describe_header(answer, name, is_sensitive)))
}

fn check_row_count(
    subject: &CheckSubject<'_>,
    is_expected: impl Fn(u64) -> bool,
    is_sensitive: bool,
) -> Result<(), CheckFailure> {
    let rows = subject.rows()?;
    if is_expected(rows.len() as u64) {
        return Ok(());
    }
    Err(unexpected(rows::describe_rows(rows, is_sensitive)))
}

/// Checks a condition on the content. The error says what is wrong and how large the content is.
fn check_content(
    subject: &mut CheckSubject<'_>,
    is_expected: impl Fn(&[u8]) -> bool,
    otherwise: &str,
) -> Result<(), CheckFailure> {
    if is_expected(subject.content()?) {
        return Ok(());
    }
    Err(unexpected(format!("{otherwise} {}", subject.size()?)))
}
