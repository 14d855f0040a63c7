//! Numbers and values written with them: counts, statuses and connections; and booleans.

use http::StatusCode;
use schemars::{Schema, SchemaGenerator, json_schema};
use toml::Spanned;
use toml::de::{DeInteger, DeValue};

use super::{ConnectionSetting, RequestWeight, StatusList};
use crate::scenario::diagnostic::{Diagnostic, Diagnostics};
use crate::scenario::field::ReadValue;
use crate::scenario::load::LoadShape;
use crate::scenario::toml_value::wrong_type;

macro_rules! counts {
    ($($kind:ty),*) => {$(
        impl ReadValue for $kind {
            fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self> {
                let count = whole(value, diagnostics)?;
                let fits = <$kind>::try_from(count).ok();
                if fits.is_none() {
                    let problem = format!("{count} is too large");
                    diagnostics.add(Diagnostic::new(value.span(), problem, format!("write at most {}", <$kind>::MAX)));
                }
                fits
            }

            fn schema(_: &mut SchemaGenerator) -> Schema {
                // Not every JSON implementation can hold the largest 64-bit number.
                match u64::from(<$kind>::MAX) {
                    u64::MAX => json_schema!({ "type": "integer", "minimum": 0 }),
                    most => json_schema!({ "type": "integer", "minimum": 0, "maximum": most }),
                }
            }
        }
    )*};
}

counts!(u32, u64);

/// A non-negative integer.
fn whole(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<u64> {
    let number = value.get_ref().as_integer().and_then(signed);
    let count = number.and_then(|number| u64::try_from(number).ok());
    if count.is_none() {
        let remedy = "write an integer such as `16`";
        diagnostics.add(match value.get_ref() {
            DeValue::Integer(number) => {
                Diagnostic::new(value.span(), format!("{number} is out of range"), remedy)
            }
            _ => wrong_type(value, "an integer", remedy),
        });
    }
    count
}

pub(super) fn signed(number: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}

impl ReadValue for bool {
    fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self> {
        let truth = value.get_ref().as_bool();
        if truth.is_none() {
            diagnostics.add(wrong_type(value, "true or false", "write `true`"));
        }
        truth
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean" })
    }
}

impl RequestWeight {
    /// The largest weight.
    const MOST: u32 = 1_000_000;
}

impl ReadValue for RequestWeight {
    fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self> {
        let remedy = format!("write an integer from 1 to {}, such as `3`", Self::MOST);
        let number = value.get_ref().as_integer().and_then(signed);
        let weight = number.and_then(|number| u32::try_from(number).ok());
        let weight = weight.filter(|weight| (1..=Self::MOST).contains(weight));
        if weight.is_none() {
            diagnostics.add(match value.get_ref() {
                DeValue::Integer(_) if number == Some(0) => {
                    let problem = "a request of weight 0 is never sent";
                    Diagnostic::new(value.span(), problem, "remove the request, or write `1`")
                }
                DeValue::Integer(number) => {
                    Diagnostic::new(value.span(), format!("{number} is out of range"), remedy)
                }
                DeValue::Float(_) => {
                    let problem = "a weight is a whole number";
                    let remedy = "multiply all weights: 0.5 and 1.5 are `1` and `3`";
                    Diagnostic::new(value.span(), problem, remedy)
                }
                _ => wrong_type(value, "a weight", remedy),
            });
        }
        weight.map(Self)
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": Self::MOST, "examples": [3] })
    }
}

impl ReadValue for ConnectionSetting {
    fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) if text == "fresh" => Some(Self::Fresh),
            DeValue::Integer(_) => u32::read(value, diagnostics).map(Self::Kept),
            _ => {
                let remedy =
                    "write a number such as `16`, or `\"fresh\"` for one connection per arrival";
                diagnostics.add(Diagnostic::new(
                    value.span(),
                    "this is not a number of connections",
                    remedy,
                ));
                None
            }
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": "integer", "minimum": 1, "maximum": LoadShape::MAX_CONNECTIONS }, { "const": "fresh" }],
            "examples": [16, "fresh"],
        })
    }
}

impl ReadValue for StatusList {
    fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self> {
        let list = match value.get_ref() {
            DeValue::Array(list) => {
                list.iter().map(|element| status(element, diagnostics)).collect()
            }
            _ => status(value, diagnostics).map(|status| vec![status]),
        };
        if list.as_ref().is_some_and(Vec::is_empty) {
            diagnostics.add(Diagnostic::new(
                value.span(),
                "the list of statuses is empty",
                "write `200` or `[200, 204]`",
            ));
        }
        list.map(Self)
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 200, "maximum": 599 },
                { "type": "array", "items": { "type": "integer", "minimum": 200, "maximum": 599 }, "minItems": 1 },
            ],
            "examples": [200, [200, 204]],
        })
    }
}

fn status(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<StatusCode> {
    let remedy = "write a status from 200 to 599, such as `200`";
    let Some(number) = value.get_ref().as_integer() else {
        diagnostics.add(wrong_type(value, "a status", remedy));
        return None;
    };
    let code = signed(number)
        .filter(|code| (200..600).contains(code))
        .and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok());
    if code.is_none() {
        diagnostics.add(Diagnostic::new(value.span(), format!("{number} is not a status"), remedy));
    }
    code
}
