//! Rows from JSON lines: one object a line, all with the same keys.

use std::borrow::Cow;
use std::fmt;
use std::str;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::mistakes::{DataMistake, DataMistakes, DataRows};
use super::table::{CellKind, DataTable};

/// The rows of all lines that are not blank. The error holds the first few mistakes.
pub(super) fn read(bytes: &[u8]) -> Result<DataRows, Vec<DataMistake>> {
    let mut mistakes = DataMistakes::default();
    let mut rows: Option<DataRows> = None;
    for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if mistakes.are_enough() {
            break;
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let Ok(text) = str::from_utf8(text) else {
            mistakes.add(line, "the line is not UTF-8", "save the file as UTF-8");
            continue;
        };
        match serde_json::from_str::<RawObject<'_>>(text) {
            Ok(object) => {
                let rows = rows.get_or_insert_with(|| named_by(&object));
                row(&object, line, rows, &mut mistakes);
            }
            Err(error) => not_an_object(&error, line, text, &mut mistakes),
        }
    }
    let rows = rows.unwrap_or(DataRows { table: DataTable::default(), lines: Vec::new() });
    mistakes.or_rows(rows)
}

/// An object whose values are still text, so that numbers stay as they are written.
struct RawObject<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for RawObject<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = RawObject<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    entries.push((key, map.next_value()?));
                }
                Ok(RawObject(entries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// A key, borrowed if it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A table whose columns are the keys of the first object.
fn named_by(RawObject(first): &RawObject<'_>) -> DataRows {
    let mut names: Vec<String> = Vec::new();
    for (key, _) in first {
        if !names.iter().any(|known| known == key) {
            names.push(key.clone().into_owned());
        }
    }
    DataRows { table: DataTable::with_columns(names), lines: Vec::new() }
}

/// Reports a line that is not one object. The parser's own text may quote a value, so it is not
/// shown.
fn not_an_object(error: &serde_json::Error, line: u64, text: &str, mistakes: &mut DataMistakes) {
    if text.trim_start().starts_with('[') {
        let remedy = "write one object a line: `jq -c '.[]' rows.json > rows.jsonl`";
        return mistakes.add(line, "the line is a list, not an object", remedy);
    }
    match error.classify() {
        Category::Data => {
            let remedy = "write one object a line: `{\"id\": 7}`";
            mistakes.add(line, "the line is not an object", remedy);
        }
        Category::Syntax | Category::Eof | Category::Io => {
            let problem = format!("the line is not JSON from column {} on", error.column());
            mistakes.add(line, problem, "write one whole JSON object a line");
        }
    }
}

fn row(
    RawObject(entries): &RawObject<'_>,
    line: u64,
    rows: &mut DataRows,
    mistakes: &mut DataMistakes,
) {
    let names: Vec<&str> = rows.table.names().collect();
    if let Some((problem, remedy)) = wrong_keys(entries, &names) {
        return mistakes.add(line, problem, remedy);
    }
    let ordered = names.iter().map(|name| entries.iter().find(|(key, _)| key == name));
    let values: Vec<&RawValue> = ordered.flatten().map(|(_, value)| *value).collect();
    let nested = |value: &&RawValue| value.get().starts_with(['[', '{']);
    if let Some(at) = values.iter().position(nested) {
        let kind = if values[at].get().starts_with('[') { "a list" } else { "an object" };
        let problem = format!("`{}` is {kind}", names[at]);
        let remedy = "write a text, a number, true, false or null for each key";
        return mistakes.add(line, problem, remedy);
    }
    for (at, value) in values.into_iter().enumerate() {
        let (text, kind) = match value.get() {
            "null" => (Cow::Borrowed(""), CellKind::Null),
            text if text.starts_with('"') => (
                serde_json::from_str::<Key<'_>>(text).map(|Key(text)| text).unwrap_or_default(),
                CellKind::String,
            ),
            literal => (Cow::Borrowed(literal), CellKind::Literal),
        };
        if rows.table.push(at, &text, kind).is_err() {
            return mistakes.add_too_large(line);
        }
    }
    rows.table.end_row();
    rows.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
}

/// How the keys of an object differ from those of the first one.
fn wrong_keys(
    entries: &[(Cow<'_, str>, &RawValue)],
    names: &[&str],
) -> Option<(String, &'static str)> {
    let has = |name: &str| entries.iter().any(|(key, _)| key == name);
    if names.is_empty() || names.iter().any(|name| !is_name(name)) {
        return Some((
            "the object has no key, or one that no name can have".to_owned(),
            "use letters, digits, blanks, `-` and `_` in keys",
        ));
    }
    if let Some(missing) = names.iter().find(|name| !has(name)) {
        let remedy = "write all keys of the first object in every line; `null` is a value";
        return Some((format!("`{missing}` is missing"), remedy));
    }
    if let Some((more, _)) = entries.iter().find(|(key, _)| !names.contains(&key.as_ref())) {
        let remedy = "write the same keys in every line; `null` is a value";
        return Some((format!("the first object has no `{more}`"), remedy));
    }
    (entries.len() > names.len())
        .then(|| ("the object has a key twice".to_owned(), "remove one of the two"))
}

/// Whether a key can stand between the braces of `${{data.key}}`.
fn is_name(key: &str) -> bool {
    !key.is_empty()
        && key == key.trim()
        && !key.contains(['{', '}'])
        && !key.contains(char::is_control)
}
