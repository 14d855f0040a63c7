//! The JSON Schema of `run.json` and the page that lists its fields.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use serde_json::{Map, Value};
use tollgate::record;

const SCHEMA: &str = "docs/run.schema.json";
const PAGE: &str = "docs/record.md";

/// The line of the page below which everything is made from the schema.
const MARKER: &str = "<!-- Made from the schema; see tests/scenarios/run_record.rs. -->\n";

/// Compares a file with what it must be, or writes it if `TOLLGATE_TESTS_WRITE_DOCS` is set.
fn check_file(path: &str, expected: &str) {
    if std::env::var_os("TOLLGATE_TESTS_WRITE_DOCS").is_some() {
        fs::write(path, expected).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap();
    assert!(
        committed == expected,
        "{path} is out of date: run `TOLLGATE_TESTS_WRITE_DOCS=1 cargo test --test scenarios`"
    );
}

fn schema() -> Value {
    record::run_schema().into()
}

#[test]
fn the_committed_schema_of_records_is_up_to_date() {
    check_file(SCHEMA, &(serde_json::to_string_pretty(&schema()).unwrap() + "\n"));
}

#[test]
fn the_page_about_records_lists_every_field() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (introduction, _) = page.split_once(MARKER).unwrap();
    check_file(PAGE, &format!("{introduction}{MARKER}{}", FieldTables::of(&schema())));
}

#[test]
fn the_schema_of_records_is_valid_and_accepts_the_sample() {
    let schema = schema();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let text = fs::read_to_string("reports/sample/run.json").unwrap();
    let mut sample: Value = serde_json::from_str(&text).unwrap();
    let mistakes: Vec<_> = validator.iter_errors(&sample).map(|error| error.to_string()).collect();
    assert_eq!(mistakes, <[&str; 0]>::default());
    sample["measurement"]["elapsed_us"] = "soon".into();
    assert!(!validator.is_valid(&sample));
}

/// The tables of all objects, in the order in which the record refers to them.
struct FieldTables<'a> {
    definitions: &'a Map<String, Value>,
    listed: BTreeSet<&'a str>,
    text: String,
}

impl<'a> FieldTables<'a> {
    fn of(schema: &'a Value) -> String {
        let definitions = schema["$defs"].as_object().unwrap();
        let mut tables = Self { definitions, listed: BTreeSet::new(), text: String::new() };
        tables.add("run.json", schema);
        tables.text
    }

    /// Adds the section of one type, and then those of the types that it refers to.
    fn add(&mut self, name: &str, of: &'a Value) {
        let _ = writeln!(self.text, "\n## {name}\n\n{}", description(of));
        if let Some(fields) = of["properties"].as_object() {
            let required: Vec<_> = of["required"].as_array().into_iter().flatten().collect();
            self.text += "\n| field | type | meaning |\n|---|---|---|\n";
            for (field, value) in fields {
                let optional =
                    if required.iter().any(|name| *name == field) { "" } else { ", optional" };
                let meaning = cell(value);
                let _ = writeln!(
                    self.text,
                    "| `{field}` | {}{optional} | {} |",
                    type_name(value),
                    meaning
                );
            }
        }
        self.add_choices(of);
        self.add_referenced(of);
    }

    /// Lists the values of an enumeration, or the forms of a tagged one.
    fn add_choices(&mut self, of: &Value) {
        let Some(choices) = of["oneOf"].as_array() else { return };
        self.text += "\n| value | meaning |\n|---|---|\n";
        for choice in choices {
            let values = choice["enum"].as_array().cloned().unwrap_or_else(|| {
                let tagged = choice["properties"].as_object().into_iter().flat_map(Map::values);
                let tags = tagged.map(|tag| &tag["const"]).filter(|tag| !tag.is_null());
                tags.chain([&choice["const"]].into_iter().filter(|tag| !tag.is_null()))
                    .cloned()
                    .collect()
            });
            let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
            let meaning = cell(choice);
            let _ = writeln!(self.text, "| {} | {meaning} |", values.join(", "));
        }
    }

    fn add_referenced(&mut self, of: &'a Value) {
        let mut names = Vec::new();
        references(of, &mut names);
        for name in names {
            if self.listed.insert(name) {
                self.add(name, &self.definitions[name]);
            }
        }
    }
}

/// The names of the definitions that a schema refers to, in order.
fn references<'a>(schema: &'a Value, names: &mut Vec<&'a str>) {
    match schema {
        Value::Object(map) => {
            let name = map.get("$ref").and_then(Value::as_str);
            names.extend(name.and_then(|name| name.strip_prefix("#/$defs/")));
            let inner = map.iter().filter(|(key, _)| *key != "$defs");
            inner.for_each(|(_, value)| references(value, names));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, names)),
        _ => {}
    }
}

fn description(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

/// A description for a cell of a table.
fn cell(schema: &Value) -> String {
    description(schema).split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// A type in words: `integer`, `list of RequestMeasurement`, `string or null`.
fn type_name(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().map(type_name).collect::<Vec<_>>().join(" or ");
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    let words = types.into_iter().map(|name| match name {
        "array" if schema["items"].is_object() => {
            format!("list of {}", type_name(&schema["items"]))
        }
        "array" => {
            let items = schema["prefixItems"].as_array().into_iter().flatten();
            format!("pair of {}", items.map(type_name).collect::<Vec<_>>().join(" and "))
        }
        "object" if schema["additionalProperties"].is_object() => {
            format!("object of {} by name", type_name(&schema["additionalProperties"]))
        }
        name => schema["format"].as_str().filter(|_| name == "string").unwrap_or(name).to_owned(),
    });
    words.collect::<Vec<_>>().join(" or ")
}
