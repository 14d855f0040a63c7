//! The JSON Schema of scenario files, by which editors complete them and mark what is wrong.
//!
//! It says which keys there are, which a section must have, and how their values are written. What keys mean together
//! is for `check` to judge.

use schemars::generate::SchemaSettings;
use schemars::{Schema, json_schema};
use serde_json::{Map, Value};

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

/// One key of a section.
pub(super) struct SchemaKey {
    pub(super) name: &'static str,
    /// What it is for, as its documentation says, each line with a blank before it.
    pub(super) about: &'static str,
    pub(super) is_required: bool,
    pub(super) value: Schema,
}

/// A table of these keys and no others.
pub(super) fn section(about: &str, keys: impl IntoIterator<Item = SchemaKey>) -> Schema {
    let mut required: Vec<&str> = Vec::new();
    let mut properties = Map::new();
    for SchemaKey { name, about, is_required, mut value } in keys {
        value.insert("description".to_owned(), about.trim().into());
        properties.insert(name.to_owned(), Value::from(value));
        required.extend(is_required.then_some(name));
    }
    let mut schema = json_schema!({
        "type": "object",
        "description": about.trim(),
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema
}
