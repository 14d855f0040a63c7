//! What an answer must be: expectations as pure functions of a response.

mod content;
mod json;
mod seen;
mod server_timing;

use std::borrow::Cow;
use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use memchr::memmem::Finder;
use serde_json::Value;
use url::Url;

use crate::record::Failure;
use crate::units::ByteSize;

use content::Undecoded;

pub use json::JsonExpectation;
pub use server_timing::{Metric, SERVER_TIMING, server_timings};

/// An answer as expectations see it.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Its status.
    pub status: StatusCode,
    /// The URL it came from: where redirects were followed, the last one's.
    pub url: &'a Url,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, complete and as it came, encoded or not; empty where [`Expectations::needs_body`] is false.
    pub body: &'a [u8],
}

/// The first expectation that an answer does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// What kind of failure it is: a status, a redirect, or another unexpected answer.
    pub failure: Failure,
    /// The expectation, as the scenario writes it: `status = 200`.
    pub expected: String,
    /// What was seen instead, at most [`Unmet::SEEN_LIMIT`] characters, without query strings or bodies. It may
    /// echo a secret: blot it before it is shown, and cut it only then.
    pub seen: String,
}

impl Unmet {
    /// The most characters that `seen` holds. More than is ever shown, so that no secret is cut in two before it can
    /// be recognised.
    pub const SEEN_LIMIT: usize = 16 << 10;

    fn new(failure: Failure, expected: &str, seen: &str) -> Self {
        let seen =
            seen.chars().map(|c| if c.is_control() { '·' } else { c }).take(Self::SEEN_LIMIT).collect();
        Self { failure, expected: expected.to_owned(), seen }
    }
}

/// One expectation and how the scenario writes it.
#[derive(Clone)]
pub struct Expectation {
    /// As the scenario writes it, variables unresolved: `status = 200`. This is all that is ever shown of it.
    pub written: String,
    /// What is checked.
    pub check: Check,
}

/// What one expectation checks.
#[derive(Clone)]
pub enum Check {
    /// The status is one of these.
    Status(Vec<StatusCode>),
    /// The answer comes from this URL.
    FinalUrl(Url),
    /// A header has this value, byte by byte; of several with the name, one of them.
    Header(HeaderName, HeaderValue),
    /// The body contains the text.
    Contains(Finder<'static>),
    /// The body does not contain the text.
    Lacks(Finder<'static>),
    /// The body is JSON and holds a value at a place.
    Json(JsonExpectation),
}

impl Check {
    /// The body contains `text`.
    pub fn contains(text: &str) -> Self {
        Self::Contains(Finder::new(text).into_owned())
    }

    /// The body does not contain `text`.
    pub fn lacks(text: &str) -> Self {
        Self::Lacks(Finder::new(text).into_owned())
    }

    fn is_of_body(&self) -> bool {
        matches!(self, Self::Contains(_) | Self::Lacks(_) | Self::Json(_))
    }
}

/// All that is expected of the answers to one request.
#[derive(Clone)]
pub struct Expectations {
    /// In the order they are judged in: status, URL, headers, body.
    all: Vec<Expectation>,
    max_body: ByteSize,
}

impl Default for Expectations {
    /// Any status of 2xx, and a body of at most [`Self::DEFAULT_MAX_BODY`].
    fn default() -> Self {
        Self::new(Vec::new(), Self::DEFAULT_MAX_BODY)
    }
}

/// Shows what is expected as it is written, since values may be secret.
impl fmt::Debug for Expectations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expectations").field(&self.lines()).finish()
    }
}

impl Expectations {
    /// The largest body read unless the scenario says otherwise.
    pub const DEFAULT_MAX_BODY: ByteSize = ByteSize(4 << 20);

    /// Expectations, judged status first, then in the order given. Without one on the status, any 2xx will do.
    pub fn new(mut all: Vec<Expectation>, max_body: ByteSize) -> Self {
        if !all.iter().any(|expectation| matches!(expectation.check, Check::Status(_))) {
            let success = (200..300).filter_map(|code| StatusCode::from_u16(code).ok()).collect();
            all.push(Expectation { written: "status = 2xx".to_owned(), check: Check::Status(success) });
        }
        all.sort_by_key(|expectation| match expectation.check {
            Check::Status(_) => 0,
            Check::FinalUrl(_) => 1,
            Check::Header(..) => 2,
            _ => 3,
        });
        Self { all, max_body }
    }

    /// Whether the answer is an expected one; the error is the first expectation it does not meet.
    ///
    /// A body is decoded as its `Content-Encoding` says when the first expectation looks at it, up to
    /// [`Self::max_body`]; one that cannot be decoded does not meet that expectation.
    pub fn judge(&self, answer: &Answer<'_>) -> Result<(), Unmet> {
        let mut body = Body::new(answer, self.max_body);
        for Expectation { written, check } in &self.all {
            check.judge(answer, &mut body).map_err(|wrong| match wrong {
                Wrong::TooLarge => self.too_large(),
                Wrong::Seen(failure, seen) => Unmet::new(failure, written, &seen),
            })?;
        }
        Ok(())
    }

    /// Whether an expectation looks at the body; where none does, the body need not be kept.
    pub fn needs_body(&self) -> bool {
        self.all.iter().any(|expectation| expectation.check.is_of_body())
    }

    /// The largest body that is read.
    pub fn max_body(&self) -> ByteSize {
        self.max_body
    }

    /// What a body beyond [`Self::max_body`] is: an expectation not met.
    pub fn too_large(&self) -> Unmet {
        let expected = format!("max_body = \"{}\"", self.max_body);
        Unmet::new(Failure::Unexpected, &expected, &format!("a body of more than {}", self.max_body))
    }

    /// The expectations as the scenario writes them, in the order they are judged in.
    pub fn lines(&self) -> Vec<String> {
        self.all.iter().map(|expectation| expectation.written.clone()).collect()
    }
}

/// What an answer does not meet an expectation by.
enum Wrong {
    /// The body, decoded, is larger than it may be.
    TooLarge,
    /// A failure, and what was seen.
    Seen(Failure, String),
}

fn unexpected(seen: String) -> Wrong {
    Wrong::Seen(Failure::Unexpected, seen)
}

/// The body, decoded and read as JSON when the first expectation asks for it.
struct Body<'a> {
    answer: Answer<'a>,
    limit: ByteSize,
    content: Option<Cow<'a, [u8]>>,
    document: Option<Result<Value, NotJson>>,
}

/// The content is no JSON document.
#[derive(Clone, Copy)]
struct NotJson;

impl<'a> Body<'a> {
    fn new(answer: &Answer<'a>, limit: ByteSize) -> Self {
        Self { answer: *answer, limit, content: None, document: None }
    }

    fn content(&mut self) -> Result<&[u8], Wrong> {
        let content = match self.content.take() {
            Some(content) => content,
            None => content::of(&self.answer, self.limit).map_err(|undecoded| match undecoded {
                Undecoded::TooLarge => Wrong::TooLarge,
                Undecoded::Wrong(seen) => unexpected(seen),
            })?,
        };
        Ok(self.content.insert(content))
    }

    fn document(&mut self) -> Result<&Value, Wrong> {
        let document = match self.document.take() {
            Some(document) => document,
            None => serde_json::from_slice(self.content()?).map_err(|_| NotJson),
        };
        let size = self.content()?.len();
        let document = self.document.insert(document).as_ref();
        document.map_err(|NotJson| unexpected(format!("{} that are not JSON", seen::bytes(size))))
    }
}

impl Check {
    fn judge(&self, answer: &Answer<'_>, body: &mut Body<'_>) -> Result<(), Wrong> {
        match self {
            Self::Status(expected) if expected.contains(&answer.status) => Ok(()),
            Self::Status(_) => {
                let (failure, seen) = seen::status(answer);
                Err(Wrong::Seen(failure, seen))
            }
            Self::FinalUrl(expected) if expected == answer.url => Ok(()),
            Self::FinalUrl(expected) => Err(unexpected(seen::url(answer.url, expected))),
            Self::Header(name, value) if answer.headers.get_all(name).iter().any(|found| found == value) => {
                Ok(())
            }
            Self::Header(name, _) => Err(unexpected(seen::header(answer, name))),
            Self::Contains(text) => text_in(body.content()?, text, true),
            Self::Lacks(text) => text_in(body.content()?, text, false),
            Self::Json(expectation) => expectation.judge(body.document()?).map_err(unexpected),
        }
    }
}

fn text_in(content: &[u8], text: &Finder<'_>, wanted: bool) -> Result<(), Wrong> {
    if text.find(content).is_some() == wanted {
        return Ok(());
    }
    let found = if wanted { "not in" } else { "in" };
    Err(unexpected(format!("{found} the {} of the body", seen::bytes(content.len()))))
}

#[cfg(test)]
mod tests;
