//! What a CI system needs to know about a run in addition to its report.

use crate::record::Decision;

/// A finished run as a CI system sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CiContext {
    /// What the exit code says: the verdict, unless the gate's policy decides otherwise.
    pub gate: Decision,
    /// The run's folder, as the command names it.
    pub folder: String,
}

impl CiContext {
    /// Whether what did not pass blocks the deploy.
    pub(super) fn is_blocking(&self) -> bool {
        self.gate != Decision::Pass
    }
}
