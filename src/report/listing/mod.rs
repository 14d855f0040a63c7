//! A history in machine-readable form: JSON and CSV.

mod csv;
mod json;

pub use csv::csv;
pub use json::json;
