//! Steps that run once, before or after the load.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FailureEvidence, micros};

/// How one step of `[[setup]]` or `[[teardown]]` ended. It enters no figure and no budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepRecord {
    /// The step's name.
    pub name: String,
    /// From its start to the end of its last try, opening a connection included; zero if it was
    /// not sent.
    #[serde(rename = "took_us", with = "micros")]
    #[schemars(with = "u64")]
    pub took: Duration,
    /// How often it was tried; zero if it was not sent.
    pub tries: u32,
    /// How it failed, or why it was not sent; `None` if it met every expectation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailureEvidence>,
}

/// Whether there is something to tear down: a step of the scenario's setup was sent, or, in a
/// scenario without a setup, the load `began`.
pub fn is_teardown_owed(has_setup: bool, setup: &[StepRecord], began: bool) -> bool {
    if has_setup { setup.iter().any(|step| step.tries > 0) } else { began }
}

impl StepRecord {
    /// Rewrites every text that a target can influence, to redact secrets.
    pub(super) fn rewrite_evidence(
        &mut self,
        rewrite: impl Fn(&str) -> String,
        rewrite_row: impl Fn(&str) -> String,
    ) {
        if let Some(failed) = &mut self.failed {
            failed.rewrite(rewrite);
            failed.rewrite_rows(rewrite_row);
        }
    }
}
