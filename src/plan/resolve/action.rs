//! What a step does, and what is shown of it.

use crate::plan::live::LiveParts;
use crate::plan::request_plan::RequestAction;

/// What a step asks, and what is shown of it.
pub(super) struct ResolvedAction {
    pub(super) line: String,
    pub(super) headers: Vec<String>,
    pub(super) ask: RequestAction,
    pub(super) live: LiveParts,
}
