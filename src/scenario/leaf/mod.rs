//! Values that stand alone under a key, and how each is read.

mod json;
mod network;
mod number;
mod pattern;
mod text;
mod text_value;

use http::StatusCode;

use crate::units::Rate;

pub use json::{JsonNumber, JsonTemplate};
pub use network::{HostName, HttpVersion, IpFamily, ResolveEntry};

/// Text in which no variable may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainText(String);

impl PlainText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One SQL statement; its variables are `$1`, `$2` …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlText(String);

impl SqlText {
    /// The statement.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A regular expression as it is written, in which no variable may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternText(String);

impl PatternText {
    /// The expression.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a step comes to that finds nothing to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingPolicy {
    /// It holds a pass up.
    Report,
    /// It is told, and holds nothing up.
    Accept,
}

/// A rate that may be zero: `0/s`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RampRate(pub Option<Rate>);

/// What `connections` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionSetting {
    /// That many, used again and again.
    Kept(u32),
    /// Each arrival opens its own.
    Fresh,
}

/// The statuses of which one is expected; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusList(pub Vec<StatusCode>);
