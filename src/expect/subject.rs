//! The subject of checks and captures: a response or the rows of a query, decoded and parsed only
//! on demand.

use std::borrow::Cow;

use serde_json::Value;

use super::content::{self, DecodeFailure};
use super::response::ResponseView;
use super::{describe, document, events};
use crate::record::Failure;
use crate::units::ByteSize;

/// Why a subject does not meet an expectation.
pub(super) enum CheckFailure {
    /// The decoded body is above the limit.
    TooLarge,
    /// The kind of failure, and what was found.
    Mismatch(Failure, String),
}

/// A failure of anything except the status.
pub(super) fn unexpected(found: impl Into<String>) -> CheckFailure {
    CheckFailure::Mismatch(Failure::Unexpected, found.into())
}

/// A response or rows, in the form that a check needs.
pub(super) struct CheckSubject<'a> {
    source: SubjectSource<'a>,
    content: Option<Cow<'a, [u8]>>,
    document: Option<Result<Value, String>>,
}

enum SubjectSource<'a> {
    /// A response, and the limit of its content.
    Answer(ResponseView<'a>, ByteSize),
    Rows(&'a [Value]),
}

impl<'a> CheckSubject<'a> {
    pub(super) fn of_answer(answer: &ResponseView<'a>, limit: ByteSize) -> Self {
        Self { source: SubjectSource::Answer(*answer, limit), content: None, document: None }
    }

    pub(super) fn of_rows(rows: &'a [Value]) -> Self {
        Self { source: SubjectSource::Rows(rows), content: None, document: None }
    }

    /// The response; rows have no status, URL and headers.
    pub(super) fn answer(&self) -> Result<&ResponseView<'a>, CheckFailure> {
        match &self.source {
            SubjectSource::Answer(answer, _) => Ok(answer),
            SubjectSource::Rows(_) => {
                Err(unexpected("rows, which have no status, URL and headers"))
            }
        }
    }

    /// The rows; a response has none.
    pub(super) fn rows(&self) -> Result<&'a [Value], CheckFailure> {
        match self.source {
            SubjectSource::Answer(..) => Err(unexpected("an answer over HTTP, which has no rows")),
            SubjectSource::Rows(rows) => Ok(rows),
        }
    }

    /// The content of the response, or the rows as compact JSON.
    pub(super) fn content(&mut self) -> Result<&[u8], CheckFailure> {
        let content = match self.content.take() {
            Some(content) => content,
            None => self.source.content()?,
        };
        Ok(self.content.insert(content))
    }

    /// How large the content is: `the 2,345 bytes of the body`.
    pub(super) fn size(&mut self) -> Result<String, CheckFailure> {
        let of = match self.source {
            SubjectSource::Answer(..) => "body",
            SubjectSource::Rows(_) => "rows",
        };
        Ok(format!("the {} of the {of}", describe::format_bytes(self.content()?.len())))
    }

    /// The content as a JSON document: the data of the last event of an event stream, or the array
    /// of rows.
    pub(super) fn document(&mut self) -> Result<&Value, CheckFailure> {
        let document = match self.document.take() {
            Some(document) => document,
            None => self.parse_document()?,
        };
        self.document.insert(document).as_ref().map_err(|found| unexpected(found.as_str()))
    }

    fn parse_document(&mut self) -> Result<Result<Value, String>, CheckFailure> {
        let is_stream = match &self.source {
            SubjectSource::Rows(rows) => return Ok(Ok(Value::Array(rows.to_vec()))),
            SubjectSource::Answer(answer, _) => events::is_event_stream(answer.headers),
        };
        let content = self.content()?;
        if !is_stream {
            return Ok(document::parse(content));
        }
        let size = describe::format_bytes(content.len());
        let nothing = || format!("{size} of events that have no data");
        Ok(events::last_data(content)
            .ok_or_else(nothing)
            .and_then(|data| document::parse(data.as_bytes())))
    }
}

impl<'a> SubjectSource<'a> {
    fn content(&self) -> Result<Cow<'a, [u8]>, CheckFailure> {
        match self {
            Self::Answer(answer, limit) => {
                content::decode(answer, *limit).map_err(|undecoded| match undecoded {
                    DecodeFailure::TooLarge => CheckFailure::TooLarge,
                    DecodeFailure::Malformed(found) => unexpected(found),
                })
            }
            // JSON values with string keys always serialize.
            Self::Rows(rows) => Ok(Cow::Owned(serde_json::to_vec(rows).unwrap_or_default())),
        }
    }
}
