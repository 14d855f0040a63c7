//! An expectation that a response does not meet.

use super::subject::CheckFailure;
use crate::record::{AnswerDetail, Failure};
use crate::units::ByteSize;

/// The first expectation that a response does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmetExpectation {
    /// The kind of failure: a status, a redirect, an admission instead of a denial, or another
    /// unexpected response.
    pub failure: Failure,
    /// The expectation, as the scenario writes it: `status = 200`.
    pub expected: String,
    /// What was found instead, at most [`UnmetExpectation::SEEN_LIMIT`] characters, without query
    /// strings or bodies. It may echo a secret: redact it before showing it, and shorten it only
    /// after that.
    pub seen: String,
    /// The scenario's own words for it, and the rows if their number is wrong; each row is at most
    /// [`UnmetExpectation::SEEN_LIMIT`] characters. Redact them too.
    pub detail: Option<Box<AnswerDetail>>,
}

impl UnmetExpectation {
    /// The maximum length of `seen`, in characters. It is longer than anything shown, so that no
    /// secret is cut in two before redaction can find it.
    pub const SEEN_LIMIT: usize = 16 << 10;

    fn new(failure: Failure, expected: &str, seen: &str) -> Self {
        let seen = seen
            .chars()
            .map(|c| if c.is_control() { '·' } else { c })
            .take(Self::SEEN_LIMIT)
            .collect();
        Self { failure, expected: expected.to_owned(), seen, detail: None }
    }

    /// The unmet expectation of a body above the limit.
    pub(super) fn too_large(limit: ByteSize) -> Self {
        let expected = format!("max_body = \"{limit}\"");
        Self::new(Failure::Unexpected, &expected, &format!("a body of more than {limit}"))
    }

    pub(super) fn of(wrong: CheckFailure, written: &str, limit: ByteSize) -> Self {
        match wrong {
            CheckFailure::TooLarge => Self::too_large(limit),
            CheckFailure::Mismatch(failure, seen) => Self::new(failure, written, &seen),
        }
    }
}
