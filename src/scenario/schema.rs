//! The JSON Schema of scenario files. Editors use it to complete keys and to mark mistakes.
//!
//! It covers the keys, which of them a section requires, and how their values are written. What
//! keys mean together is checked by `check`.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::file::ScenarioFile;

/// The identifier of the schema, independent of where it is stored.
const ID: &str = "urn:tollgate:scenario";

/// The JSON Schema (draft 2020-12) of a scenario file, for TOML read as JSON.
///
/// It uses no references: some editors do not show a description next to a reference.
pub fn schema() -> Schema {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<ScenarioFile>();
    schema.insert("$id".to_owned(), ID.into());
    schema.insert("title".to_owned(), "tollgate scenario".into());
    for section in STEPS_THAT_RUN_ONCE {
        remove_refused_keys(&mut schema, section);
    }
    schema
}

/// The sections of steps that run once.
const STEPS_THAT_RUN_ONCE: [&str; 2] = ["setup", "teardown"];

/// The keys of a request that such a step may not have; `check` refuses them.
const REFUSED_KEYS: [&str; 2] = ["budgets", "weight"];

/// Removes the keys that the steps of a section may not have.
fn remove_refused_keys(schema: &mut Schema, section: &str) {
    let keys = schema.pointer_mut(&format!("/properties/{section}/items/properties"));
    if let Some(keys) = keys.and_then(Value::as_object_mut) {
        keys.retain(|key, _| !REFUSED_KEYS.contains(&key.as_str()));
    }
}
