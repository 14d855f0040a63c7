//! JSON values, written as TOML writes them.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;
use toml::Spanned;
use toml::de::DeValue;

use super::number::signed;
use crate::scenario::complaint::{Complaint, Complaints};
use crate::scenario::field::{Read, in_order};
use crate::scenario::template::Template;

/// A JSON value in whose texts variables may stand.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonTemplate(Value);

impl JsonTemplate {
    /// The value, with its texts filled by [`Template::fill`].
    pub fn fill(&self, mut fill: impl FnMut(&Template) -> String) -> Value {
        filled(&self.0, &mut fill)
    }

    /// The names of its variables.
    pub fn variables(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.fill(|template| {
            names.extend(template.variables().map(str::to_owned));
            String::new()
        });
        names
    }
}

fn filled(value: &Value, fill: &mut impl FnMut(&Template) -> String) -> Value {
    match value {
        Value::String(text) => {
            Value::String(Template::parse(text).map(|text| fill(&text)).unwrap_or_default())
        }
        Value::Array(list) => list.iter().map(|value| filled(value, fill)).collect(),
        Value::Object(table) => {
            Value::Object(table.iter().map(|(key, value)| (key.clone(), filled(value, fill))).collect())
        }
        scalar => scalar.clone(),
    }
}

impl Read for JsonTemplate {
    fn read(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<Self> {
        json(value, complaints).map(Self)
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

fn json(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<Value> {
    match value.get_ref() {
        DeValue::String(text) => match Template::parse(text) {
            Ok(_) => Some(Value::String(text.to_string())),
            Err(error) => {
                complaints.add(Complaint::of_unit(value.span(), error));
                None
            }
        },
        DeValue::Boolean(truth) => Some(Value::Bool(*truth)),
        DeValue::Integer(_) | DeValue::Float(_) => number(value, complaints),
        DeValue::Datetime(date) => Some(Value::String(date.to_string())),
        DeValue::Array(list) => {
            list.iter().map(|element| json(element, complaints)).collect::<Option<_>>().map(Value::Array)
        }
        DeValue::Table(table) => in_order(table)
            .map(|(key, value)| Some((key.get_ref().to_string(), json(value, complaints)?)))
            .collect::<Option<_>>()
            .map(Value::Object),
    }
}

fn number(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<Value> {
    let number = match value.get_ref() {
        DeValue::Integer(integer) => signed(integer).and_then(serde_json::Number::from_i128),
        DeValue::Float(float) => float.as_str().parse().ok().and_then(serde_json::Number::from_f64),
        _ => None,
    };
    if number.is_none() {
        complaints.add(Complaint::new(value.span(), "JSON has no such number", "write a finite number"));
    }
    number.map(Value::Number)
}
