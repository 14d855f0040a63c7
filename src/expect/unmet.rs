//! An expectation that a response does not meet.

use super::subject::CheckFailure;
use crate::record::Failure;
use crate::units::ByteSize;

/// The first expectation that an answer does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// What kind of failure it is: a status, a redirect, one let in that must not be, or another unexpected answer.
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
        let seen = seen
            .chars()
            .map(|c| if c.is_control() { '·' } else { c })
            .take(Self::SEEN_LIMIT)
            .collect();
        Self { failure, expected: expected.to_owned(), seen }
    }

    /// What a body beyond a limit is.
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
