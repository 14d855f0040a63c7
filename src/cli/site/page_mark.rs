//! What a page was made of, at its end.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::cli::exit::CommandError;

/// The build of the program: pages of another one may look different.
const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("SOURCES_DIGEST"));

/// A comment that says by a digest what a page was made of, and by which build.
///
/// A finished record never changes, so a page with the same mark need not be made again, which
/// would take far longer than reading the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageMark(String);

impl PageMark {
    /// The mark of a page made of a record, and of its seconds if it has any.
    pub(super) fn of(record: &impl Serialize, has_seconds: bool) -> Result<Self, CommandError> {
        let record = serde_json::to_vec(record).map_err(CommandError::internal)?;
        let mut digest = Sha256::new();
        digest.update(format!("{BUILD} {has_seconds} "));
        digest.update(&record);
        Ok(Self(format!("<!-- made of {:x} -->\n", digest.finalize())))
    }

    /// The page with the mark at its end.
    pub(super) fn mark(&self, page: String) -> String {
        page + "\n" + &self.0
    }

    /// Whether a page has this mark. A page that was cut off has none.
    pub(super) fn is_on(&self, page: &[u8]) -> bool {
        page.ends_with(self.0.as_bytes())
    }
}
