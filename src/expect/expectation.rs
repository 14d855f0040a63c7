//! Everything that is expected of one response.

use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;

use super::check::ResponseCheck;
use super::response::ResponseView;
use super::rows;
use super::subject::CheckSubject;
use super::unmet::UnmetExpectation;
use crate::record::AnswerDetail;
use crate::units::ByteSize;

/// One expectation, and how the scenario writes it.
#[derive(Clone)]
pub struct Expectation {
    /// The text of the scenario with unresolved variables: `status = 200`. Nothing else of it is
    /// ever shown.
    pub written: String,
    /// What is checked.
    pub check: ResponseCheck,
}

/// Everything that is expected of the responses to one request, or of the rows of one query.
#[derive(Clone)]
pub struct ExpectationSet {
    /// In the order of judging: status, URL, headers, number of rows, content.
    pub(super) all: Arc<[Expectation]>,
    /// The checks that one arrival replaces, by their index.
    replaced: Vec<(usize, ResponseCheck)>,
    max_body: ByteSize,
    is_sensitive: bool,
    /// What is wrong if an expectation is not met, in the scenario's own words.
    because: Option<String>,
}

impl Default for ExpectationSet {
    /// Any 2xx status, and a body of at most [`Self::DEFAULT_MAX_BODY`].
    fn default() -> Self {
        Self::new(Vec::new(), Self::DEFAULT_MAX_BODY)
    }
}

/// Shows expectations as they are written, because their values may be secret.
impl fmt::Debug for ExpectationSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expectations").field(&self.lines()).finish()
    }
}

impl ExpectationSet {
    /// The default limit for a body.
    pub const DEFAULT_MAX_BODY: ByteSize = ByteSize(4 << 20);

    /// Expectations, judged in the order status, URL, headers, rows, content. Without one on the
    /// status, any 2xx is accepted.
    pub fn new(mut all: Vec<Expectation>, max_body: ByteSize) -> Self {
        if !all.iter().any(|expectation| expectation.check.is_of_status()) {
            let success = (200..300).filter_map(|code| StatusCode::from_u16(code).ok()).collect();
            all.push(Expectation {
                written: "status = 2xx".to_owned(),
                check: ResponseCheck::Status(success),
            });
        }
        Self::in_order(all, max_body)
    }

    /// Expectations on the rows of a query. Rows have no status, URL or headers, so they never meet
    /// an expectation on those.
    pub fn of_rows(all: Vec<Expectation>) -> Self {
        Self::in_order(all, Self::DEFAULT_MAX_BODY)
    }

    fn in_order(mut all: Vec<Expectation>, max_body: ByteSize) -> Self {
        all.sort_by_key(|expectation| expectation.check.rank());
        Self { all: all.into(), replaced: Vec::new(), max_body, is_sensitive: false, because: None }
    }

    /// The same expectations on responses that may be sensitive.
    ///
    /// Of the headers, body and rows of a sensitive response, only presence, size, types and the
    /// locations that the scenario names are shown.
    #[must_use]
    pub fn with_sensitivity(self, is_sensitive: bool) -> Self {
        Self { is_sensitive, ..self }
    }

    /// The same expectations with the scenario's own words for what is wrong if one is not met.
    #[must_use]
    pub fn with_reason(self, because: Option<String>) -> Self {
        Self { because, ..self }
    }

    /// Whether the content of the response must not be shown.
    pub fn is_sensitive(&self) -> bool {
        self.is_sensitive
    }

    /// The same expectations with some checks replaced, by their index in the order of judging,
    /// which is that of [`Self::lines`]. Their written form and their order stay the same.
    #[must_use]
    pub fn with_checks(&self, replaced: impl IntoIterator<Item = (usize, ResponseCheck)>) -> Self {
        Self { replaced: replaced.into_iter().collect(), ..self.clone() }
    }

    /// The index of an expectation in the order of judging, found by its written form.
    pub fn position(&self, written: &str) -> Option<usize> {
        self.all.iter().position(|expectation| expectation.written == written)
    }

    /// Judges a response. The error is the first expectation that it does not meet.
    ///
    /// The body is decoded by its `Content-Encoding` when the first expectation looks at it, up to
    /// [`Self::max_body`]. A body that cannot be decoded does not meet that expectation.
    pub fn judge(&self, answer: &ResponseView<'_>) -> Result<(), UnmetExpectation> {
        self.judge_subject(&mut CheckSubject::of_answer(answer, self.max_body))
    }

    /// Judges the rows of a query. The error is the first expectation that they do not meet.
    ///
    /// As a JSON document they are an array of rows; as a body, the compact text of that array.
    pub fn judge_rows(&self, rows: &[Value]) -> Result<(), UnmetExpectation> {
        self.judge_subject(&mut CheckSubject::of_rows(rows))
    }

    fn judge_subject(&self, subject: &mut CheckSubject<'_>) -> Result<(), UnmetExpectation> {
        self.all.iter().enumerate().try_for_each(|(index, Expectation { written, check })| {
            let own = self.replaced.iter().find(|(at, _)| *at == index);
            let check = own.map_or(check, |(_, check)| check);
            check.judge(subject, self.is_sensitive).map_err(|wrong| UnmetExpectation {
                detail: self.detail(check, subject),
                ..UnmetExpectation::of(wrong, written, self.max_body)
            })
        })
    }

    /// What is known of a subject that does not meet a check; `None` if that is nothing.
    fn detail(
        &self,
        check: &ResponseCheck,
        subject: &CheckSubject<'_>,
    ) -> Option<Box<AnswerDetail>> {
        let counted = matches!(check, ResponseCheck::Rows(_) | ResponseCheck::RowsAtLeast(_));
        let rows = subject.rows().ok().filter(|_| counted && !self.is_sensitive);
        let (rows, further_rows) = rows.map(rows::keep_rows).unwrap_or_default();
        let detail = AnswerDetail { because: self.because.clone(), rows, further_rows };
        (detail != AnswerDetail::default()).then(|| Box::new(detail))
    }

    /// Whether the request must be denied.
    pub fn wants_denial(&self) -> bool {
        self.all.iter().any(|expectation| matches!(expectation.check, ResponseCheck::Denied))
    }

    /// Whether an expectation looks at the URL of the response.
    pub fn needs_url(&self) -> bool {
        let looks = |check: &ResponseCheck| {
            matches!(check, ResponseCheck::FinalUrl(_) | ResponseCheck::FinalPlace(_))
        };
        self.all.iter().any(|expectation| looks(&expectation.check))
    }

    /// Whether an expectation looks at the body. Otherwise the body need not be kept.
    pub fn needs_body(&self) -> bool {
        self.all.iter().any(|expectation| expectation.check.is_of_body())
    }

    /// The largest body that is read.
    pub fn max_body(&self) -> ByteSize {
        self.max_body
    }

    /// The unmet expectation of a body above [`Self::max_body`].
    pub fn too_large_body(&self) -> UnmetExpectation {
        UnmetExpectation::too_large(self.max_body)
    }

    /// The expectations as the scenario writes them, in the order of judging.
    pub fn lines(&self) -> Vec<String> {
        self.all.iter().map(|expectation| expectation.written.clone()).collect()
    }
}
