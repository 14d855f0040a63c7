//! The JSON Schema of scenario files, by which editors complete them and mark what is wrong.
//!
//! It says which keys there are, which a section must have, and how their values are written. What keys mean together
//! is for `check` to judge.

use schemars::Schema;
use schemars::generate::SchemaSettings;

use super::file::ScenarioFile;

/// What the schema is called, wherever it lies.
const ID: &str = "urn:tollgate:scenario";

/// The JSON Schema (draft 2020-12) of a scenario file, as TOML reads into JSON.
///
/// Each value is described in its place: some editors do not show what stands beside a reference.
pub fn schema() -> Schema {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<ScenarioFile>();
    schema.insert("$id".to_owned(), ID.into());
    schema.insert("title".to_owned(), "tollgate scenario".into());
    schema
}
