//! One event with its fields.

use std::fmt;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// One event with its fields.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LogEvent {
    pub(super) level: Level,
    /// Whether it ends the program.
    pub(super) fatal: bool,
    /// Whether people see it only with `--log-level debug`, with its fields.
    pub(super) is_debug: bool,
    pub(super) message: String,
    /// In the order of the event. A dot in a name means a field of an object.
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl LogEvent {
    pub(super) fn from_tracing(event: &Event<'_>) -> Self {
        let metadata = event.metadata();
        let is_debug =
            metadata.target() == super::PROGRAMS_ONLY || *metadata.level() == Level::DEBUG;
        let mut gathered = Self {
            level: *metadata.level(),
            fatal: false,
            is_debug,
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut gathered);
        gathered
    }

    /// Rewrites the message and every text among the fields.
    pub(super) fn rewrite(&mut self, rewrite: impl Fn(&str) -> String) {
        self.message = rewrite(&self.message);
        for (_, value) in &mut self.fields {
            if let Value::String(text) = value {
                *text = rewrite(text);
            }
        }
    }

    /// A field's text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == name).and_then(|(_, value)| value.as_str())
    }

    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("fatal", Value::Bool(fatal)) => self.fatal = fatal,
            // tracing keeps the `r#` of a raw identifier in its name.
            (name, value) => {
                self.fields.push((if name == "err.r#type" { "err.type" } else { name }, value));
            }
        }
    }
}

impl Visit for LogEvent {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }
}
