//! Exchanges that a panic ended.

use crate::library_text::{DEFECT_REMEDY, Defect};
use crate::record::Failure;
use crate::recorder::ExchangeFailure;

/// The failure of an exchange that a panic ended.
pub(super) fn defect_failure(defect: &Defect) -> ExchangeFailure {
    ExchangeFailure {
        next: Some(DEFECT_REMEDY),
        ..ExchangeFailure::new(Failure::Defect, defect.to_string())
    }
}
