//! What one place of a JSON body must hold.

use serde_json::Value;

/// The longest scalar that is shown when it is not the expected one.
const SHOWN: usize = 60;

/// One place of a JSON body, by its pointer (RFC 6901), and the value expected there.
#[derive(Clone, PartialEq)]
pub struct JsonExpectation {
    /// Where to look: `/queues/0/name`; the empty pointer is the whole body.
    pub pointer: String,
    /// What must stand there; numbers are equal by value, so that `1` is `1.0`.
    pub value: Value,
}

impl JsonExpectation {
    /// Whether the document holds the value; the error says what was seen instead, without showing more than a
    /// short scalar.
    pub(super) fn judge(&self, document: &Value) -> Result<(), String> {
        match document.pointer(&self.pointer) {
            None => Err(format!("nothing at `{}`", self.pointer)),
            Some(found) if same(found, &self.value) => Ok(()),
            Some(found) => Err(shown(found)),
        }
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn shown(found: &Value) -> String {
    match found {
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        scalar => {
            let text = scalar.to_string();
            if text.chars().count() <= SHOWN { text } else { "another, longer value".to_owned() }
        }
    }
}
