//! JSON values, as TOML writes them, and rules about such values.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::DeValue;

use super::number::signed;
use super::text_value::TextValue;
use crate::record::JsonType;
use crate::scenario::diagnostic::{Diagnostic, Diagnostics};
use crate::scenario::field::ReadValue;
use crate::scenario::template::{Template, TemplatePart};
use crate::scenario::toml_value::{in_order, wrong_type};
use crate::units::UnitError;

/// A JSON value whose strings may contain variables.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonTemplate(Value);

impl JsonTemplate {
    /// The value with each of its strings filled by `fill`.
    pub fn fill(&self, mut fill: impl FnMut(&Template) -> String) -> Value {
        filled(&self.0, &mut fill)
    }

    /// The value, with its strings as templates.
    pub fn written(&self) -> &Value {
        &self.0
    }

    /// Whether it is a string of exactly one variable. Its value then has no JSON type.
    pub fn is_one_variable(&self) -> bool {
        let text = self.0.as_str().and_then(|text| Template::parse(text).ok());
        text.is_some_and(|text| matches!(text.parts(), [TemplatePart::Variable { .. }]))
    }

    /// Whether it is a string that parses as a JSON object or array, for any content of its
    /// variables.
    pub fn is_json_as_text(&self) -> bool {
        let text = self.0.as_str().and_then(|text| Template::parse(text).ok());
        let filled: Option<String> = text.map(|text| {
            let part = |part: &TemplatePart| match part {
                TemplatePart::Literal(text) => text.clone(),
                TemplatePart::Variable { .. } | TemplatePart::Live(_) => "0".to_owned(),
            };
            text.parts().iter().map(part).collect()
        });
        let read = filled.and_then(|text| serde_json::from_str::<Value>(&text).ok());
        read.is_some_and(|value| value.is_object() || value.is_array())
    }

    /// The names of its variables.
    pub fn variables(&self) -> Vec<String> {
        self.parts().iter().filter_map(|part| Some(part.variable()?.0.to_owned())).collect()
    }

    /// The parts of all its strings.
    pub(in crate::scenario) fn parts(&self) -> Vec<TemplatePart> {
        let mut parts = Vec::new();
        self.fill(|template| {
            parts.extend_from_slice(template.parts());
            String::new()
        });
        parts
    }
}

fn filled(value: &Value, fill: &mut impl FnMut(&Template) -> String) -> Value {
    match value {
        Value::String(text) => {
            Value::String(Template::parse(text).map(|text| fill(&text)).unwrap_or_default())
        }
        Value::Array(list) => list.iter().map(|value| filled(value, fill)).collect(),
        Value::Object(table) => Value::Object(
            table.iter().map(|(key, value)| (key.clone(), filled(value, fill))).collect(),
        ),
        scalar => scalar.clone(),
    }
}

impl ReadValue for JsonTemplate {
    fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self> {
        json(value, diagnostics).map(Self)
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

/// A number that JSON can hold.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonNumber(pub Number);

impl ReadValue for JsonNumber {
    fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self> {
        if matches!(value.get_ref(), DeValue::Integer(_) | DeValue::Float(_)) {
            return number(value, diagnostics).map(Self);
        }
        diagnostics.add(wrong_type(value, "a number", "write a number such as `5` or `0.1`"));
        None
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number" })
    }
}

impl TextValue for JsonType {
    const EXAMPLES: &[&str] =
        &["null", "boolean", "number", "integer", "string", "array", "object"];
    const IS_CHOICE: bool = true;

    fn from_text(text: &str) -> Result<Self, UnitError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let choices = Self::EXAMPLES.join("`, `");
            UnitError::new(
                format!("JSON has no type `{text}`"),
                format!("write one of `{choices}`"),
            )
        })
    }
}

fn json(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Value> {
    match value.get_ref() {
        DeValue::String(text) => match Template::parse(text) {
            Ok(_) => Some(Value::String(text.to_string())),
            Err(error) => {
                diagnostics.add(Diagnostic::of_unit(value.span(), error));
                None
            }
        },
        DeValue::Boolean(truth) => Some(Value::Bool(*truth)),
        DeValue::Integer(_) | DeValue::Float(_) => number(value, diagnostics).map(Value::Number),
        DeValue::Datetime(date) => Some(Value::String(date.to_string())),
        DeValue::Array(list) => list
            .iter()
            .map(|element| json(element, diagnostics))
            .collect::<Option<_>>()
            .map(Value::Array),
        DeValue::Table(table) => in_order(table)
            .map(|(key, value)| Some((key.get_ref().to_string(), json(value, diagnostics)?)))
            .collect::<Option<_>>()
            .map(Value::Object),
    }
}

fn number(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Number> {
    let number = match value.get_ref() {
        DeValue::Integer(integer) => signed(integer).and_then(Number::from_i128),
        DeValue::Float(float) => float.as_str().parse().ok().and_then(Number::from_f64),
        _ => None,
    };
    if number.is_none() {
        diagnostics.add(Diagnostic::new(
            value.span(),
            "JSON cannot hold this number",
            "write a finite number",
        ));
    }
    number
}
