//! Bold, dim and coloured text as ANSI escapes, or plain text.

use crate::record::Decision;
use crate::record::checkup::CheckState;

/// Adds ANSI escapes to text if the terminal supports colours.
pub(super) struct AnsiStyle {
    colour: bool,
}

impl AnsiStyle {
    /// A style with or without colours.
    pub(super) fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// Primary text.
    pub(super) fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    /// Secondary text.
    pub(super) fn dim(&self, text: &str) -> String {
        self.with("2", text)
    }

    /// A decision in its colour.
    pub(super) fn decision(&self, decision: Decision) -> String {
        let code = match decision {
            Decision::Pass => "1;32",
            Decision::Fail => "1;31",
            Decision::Inconclusive => "1;33",
        };
        self.with(code, decision.word())
    }

    /// An improvement.
    pub(super) fn good(&self, text: &str) -> String {
        self.with("1;32", text)
    }

    /// A regression.
    pub(super) fn bad(&self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// A decision on a background of its colour.
    pub(super) fn badge(&self, decision: Decision) -> String {
        let code = match decision {
            Decision::Pass => "1;30;42",
            Decision::Fail => "1;97;41",
            Decision::Inconclusive => "1;30;43",
        };
        self.with(code, &format!(" {} ", decision.word()))
    }

    /// A finding's state in its colour.
    pub(super) fn state(&self, state: CheckState) -> String {
        let code = match state {
            CheckState::Ok => "1;32",
            CheckState::Warn => "1;33",
            CheckState::Fail => "1;31",
        };
        self.with(code, state.name())
    }

    /// A warning label.
    pub(super) fn warning(&self, text: &str) -> String {
        self.with("1;30;43", text)
    }

    fn with(&self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
