//! What a step sends, and how it is shown.

use crate::plan::live::LiveParts;
use crate::plan::request_plan::RequestAction;

/// What a step sends, and how it is shown.
pub(super) struct ResolvedAction {
    pub(super) line: String,
    pub(super) headers: Vec<String>,
    pub(super) ask: RequestAction,
    pub(super) live: LiveParts,
}
