//! What a response must be and what is captured from it, as pure functions of a response or of a
//! query's rows.

mod capture;
mod check;
mod content;
mod describe;
mod document;
mod events;
mod expectation;
mod json;
mod pattern;
mod response;
mod rows;
mod server_timing;
mod subject;
mod unmet;

pub use capture::{Capture, CaptureSet, CaptureSource};
pub use check::ResponseCheck;
pub use expectation::{Expectation, ExpectationSet};
pub use json::{JsonExpectation, JsonRule};
pub use pattern::{PatternError, TextPattern};
pub use response::ResponseView;
pub use server_timing::{SERVER_TIMING, ServerTimingMetric, server_timings};
pub use unmet::UnmetExpectation;

#[cfg(test)]
mod tests;
