//! The JSON Schema of one section of a scenario file.

use schemars::{Schema, json_schema};
use serde_json::{Map, Value};

/// One key of a section.
pub(crate) struct SchemaKey {
    pub(crate) name: &'static str,
    /// Its doc comment, each line with a blank before it.
    pub(crate) about: &'static str,
    pub(crate) is_required: bool,
    pub(crate) value: Schema,
}

/// The schema of a table with these keys and no others.
pub(crate) fn section(about: &str, keys: impl IntoIterator<Item = SchemaKey>) -> Schema {
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
