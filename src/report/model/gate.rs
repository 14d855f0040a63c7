//! What the policies of a gate made of the verdict.

use crate::record::{Decision, RunRecord};
use crate::report::words;

/// Number of characters of the reason that is shown.
const REASON: usize = 600;

/// The gate's decision, next to the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct GateView {
    /// The decision that the exit code follows.
    pub(in crate::report) decision: Decision,
    /// `passes`, `fails`, `is inconclusive`.
    pub(in crate::report) verb: &'static str,
    /// Why, in one line, safe to display.
    pub(in crate::report) reason: String,
}

impl GateView {
    /// `None` if no policy applied: the gate then follows the verdict.
    pub(super) fn of(record: &RunRecord) -> Option<Self> {
        let gate = record.gate.as_ref()?;
        let reason = words::display(&gate.reason, REASON);
        Some(Self { decision: gate.decision, verb: gate.verb(), reason })
    }

    /// `GATE passes: failed once; fail_after = 2`.
    pub(in crate::report) fn line(&self) -> String {
        format!("GATE {}: {}", self.verb, self.reason)
    }
}
