//! A history for programs: JSON and CSV.

mod csv;
mod json;

pub use csv::csv;
pub use json::json;
