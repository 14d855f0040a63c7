//! A history in machine-readable form: JSON and CSV.

mod csv;
mod json;

pub use csv::history_csv;
pub use json::history_json;
