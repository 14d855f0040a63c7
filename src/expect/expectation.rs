//! All that is expected of one response.

use std::fmt;

use http::StatusCode;
use serde_json::Value;

use super::check::Check;
use super::response::Answer;
use super::subject::CheckSubject;
use super::unmet::Unmet;
use crate::units::ByteSize;

/// One expectation and how the scenario writes it.
#[derive(Clone)]
pub struct Expectation {
    /// As the scenario writes it, variables unresolved: `status = 200`. This is all that is ever shown of it.
    pub written: String,
    /// What is checked.
    pub check: Check,
}

/// All that is expected of the answers to one request, or of the rows of one query.
#[derive(Clone)]
pub struct Expectations {
    /// In the order they are judged in: status, URL, headers, number of rows, content.
    pub(super) all: Vec<Expectation>,
    max_body: ByteSize,
    is_sensitive: bool,
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
        if !all.iter().any(|expectation| expectation.check.is_of_status()) {
            let success = (200..300).filter_map(|code| StatusCode::from_u16(code).ok()).collect();
            all.push(Expectation {
                written: "status = 2xx".to_owned(),
                check: Check::Status(success),
            });
        }
        Self::in_order(all, max_body)
    }

    /// Expectations on the rows of a query, which have no status. Those on status, URL and headers are not met by
    /// any rows.
    pub fn of_rows(all: Vec<Expectation>) -> Self {
        Self::in_order(all, Self::DEFAULT_MAX_BODY)
    }

    fn in_order(mut all: Vec<Expectation>, max_body: ByteSize) -> Self {
        all.sort_by_key(|expectation| expectation.check.rank());
        Self { all, max_body, is_sensitive: false }
    }

    /// The same, of answers of which nothing may be shown: what is seen of headers, bodies and rows is then that they are
    /// there, their size, types, and places that the scenario names.
    #[must_use]
    pub fn sensitive(self, is_sensitive: bool) -> Self {
        Self { is_sensitive, ..self }
    }

    /// Whether nothing of the answer may be shown.
    pub fn are_sensitive(&self) -> bool {
        self.is_sensitive
    }

    /// The same with other checks in some places, counted in the order of judging, which is that of [`Self::lines`].
    /// How they are written stays as it is, and so does their order.
    #[must_use]
    pub fn with(&self, replaced: impl IntoIterator<Item = (usize, Check)>) -> Self {
        let mut replacing = self.clone();
        for (at, check) in replaced {
            if let Some(expectation) = replacing.all.get_mut(at) {
                expectation.check = check;
            }
        }
        replacing
    }

    /// The place of an expectation in the order of judging, by how it is written.
    pub fn position(&self, written: &str) -> Option<usize> {
        self.all.iter().position(|expectation| expectation.written == written)
    }

    /// Whether the answer is an expected one; the error is the first expectation it does not meet.
    ///
    /// A body is decoded as its `Content-Encoding` says when the first expectation looks at it, up to
    /// [`Self::max_body`]; one that cannot be decoded does not meet that expectation.
    pub fn judge(&self, answer: &Answer<'_>) -> Result<(), Unmet> {
        self.judge_subject(&mut CheckSubject::of_answer(answer, self.max_body))
    }

    /// Whether the rows of a query are expected ones; the error is the first expectation they do not meet. As a JSON
    /// document they are an array of rows, and as a body that array's compact text.
    pub fn judge_rows(&self, rows: &[Value]) -> Result<(), Unmet> {
        self.judge_subject(&mut CheckSubject::of_rows(rows))
    }

    fn judge_subject(&self, subject: &mut CheckSubject<'_>) -> Result<(), Unmet> {
        self.all.iter().try_for_each(|Expectation { written, check }| {
            check
                .judge(subject, self.is_sensitive)
                .map_err(|wrong| Unmet::of(wrong, written, self.max_body))
        })
    }

    /// Whether what is asked for must be denied.
    pub fn want_denial(&self) -> bool {
        self.all.iter().any(|expectation| matches!(expectation.check, Check::Denied))
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
        Unmet::too_large(self.max_body)
    }

    /// The expectations as the scenario writes them, in the order they are judged in.
    pub fn lines(&self) -> Vec<String> {
        self.all.iter().map(|expectation| expectation.written.clone()).collect()
    }
}
