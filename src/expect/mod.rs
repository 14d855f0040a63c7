//! What a response must be and what is captured from it, as pure functions of a response or of a
//! query's rows.

mod capture;
mod check;
mod content;
mod describe;
mod events;
mod expectation;
mod json;
mod pattern;
mod response;
mod rows;
mod server_timing;
mod subject;
mod unmet;

pub use capture::{Capture, CaptureSource, Captures};
pub use check::Check;
pub use expectation::{Expectation, Expectations};
pub use json::{JsonExpectation, JsonRule};
pub use pattern::{Pattern, PatternError};
pub use response::Answer;
pub use server_timing::{Metric, SERVER_TIMING, server_timings};
pub use unmet::Unmet;

#[cfg(test)]
mod tests;
