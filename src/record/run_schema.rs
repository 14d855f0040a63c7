//! The JSON Schema of `run.json`, made from the types that are written to it.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use super::{FORMAT, RunRecord};

/// The identifier of the schema, independent of where it is stored.
const ID: &str = "urn:tollgate:run";

/// The JSON Schema (draft 2020-12) of a run's record, as this version writes it.
///
/// It allows further fields: within a format, a later version may add some.
pub fn run_schema() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = SchemaGenerator::new(settings).into_root_schema_for::<RunRecord>();
    RecursiveTransform(adapt_description).transform(&mut schema);
    schema.insert("$id".to_owned(), ID.into());
    schema.insert("title".to_owned(), format!("tollgate run.json, format {FORMAT}").into());
    schema
}

/// Descriptions are the documentation of the types. Drops their links, which lead to code, and
/// writes absence as JSON does.
fn adapt_description(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = unlink(description).replace("`None`", "`null`");
    }
}

/// Replaces each `[text]` and `[text](place)` by its text, except at the start of a code span.
fn unlink(markdown: &str) -> String {
    let (mut text, mut rest) = (String::new(), markdown);
    while let Some((before, after)) = rest.split_once('[') {
        if before.ends_with('`') {
            text += before;
            text.push('[');
            let end = after.find('`').unwrap_or(after.len());
            text += &after[..end];
            rest = &after[end..];
            continue;
        }
        let Some((label, after)) = after.split_once(']') else { break };
        text += before;
        text += label;
        rest = after
            .strip_prefix('(')
            .and_then(|place| place.split_once(')'))
            .map_or(after, |(_, rest)| rest);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_a_description_become_their_text() {
        let cases = [
            ("plain", "plain"),
            ("see [`run_name`].", "see `run_name`."),
            ("see [`run_name`](super::run_name) and [`FORMAT`].", "see `run_name` and `FORMAT`."),
            ("open [ bracket", "open [ bracket"),
            ("a step of `[[setup]]`, see [`FORMAT`]", "a step of `[[setup]]`, see `FORMAT`"),
        ];
        for (markdown, expected) in cases {
            assert_eq!(unlink(markdown), expected);
        }
    }
}
