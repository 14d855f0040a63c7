//! A history in machine-readable form: JSON and CSV.

mod csv;
mod json;
mod site;

pub use csv::history_csv;
pub use json::{history_json, suggestions_json};
pub use site::{site_csv, site_json};
