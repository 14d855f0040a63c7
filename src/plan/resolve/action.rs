//! What a step does, and what is shown of it.

use crate::plan::live::Live;
use crate::plan::request_plan::AskPlan;

/// What a step asks, and what is shown of it.
pub(super) struct ResolvedAction {
    pub(super) line: String,
    pub(super) headers: Vec<String>,
    pub(super) ask: AskPlan,
    pub(super) live: Live,
}
