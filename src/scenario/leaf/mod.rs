//! Single values of keys, and how each is read.

mod json;
mod network;
mod number;
mod pattern;
mod text;
mod text_value;

use http::StatusCode;
use time::OffsetDateTime;

use crate::units::Rate;

pub(crate) use text_value::{TextValue, read_text, text_schema};

pub use json::{JsonNumber, JsonTemplate};
pub use network::{HostName, HttpVersion, IpFamily, ResolveEntry};

/// Text without variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainText(String);

impl PlainText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Adds to the end of the text.
    pub fn append(&mut self, end: &str) {
        self.0.push_str(end);
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

/// A regular expression as it is written, without variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternText(String);

impl PatternText {
    /// The expression.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The outcome of a step that has nothing to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingPolicy {
    /// It prevents a pass.
    Report,
    /// It is reported and does not prevent a pass.
    Accept,
}

/// Where the cookies that a request sends come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieScope {
    /// From earlier answers of the same arrival.
    Arrival,
    /// From the answers to the setup, and from earlier answers of the same arrival.
    Setup,
}

/// How often a request is sent in relation to others; at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestWeight(pub u32);

/// A rate that may be zero: `0/s`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RampRate(pub Option<Rate>);

/// The value of `connections`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionSetting {
    /// This many, kept open.
    Kept(u32),
    /// Each arrival opens its own connection.
    Fresh,
}

/// The expected statuses; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusList(pub Vec<StatusCode>);

/// A time from which runs count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartTime(pub OffsetDateTime);
