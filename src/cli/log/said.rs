//! One event with its fields, gathered.

use std::fmt;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// One event with its fields.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) level: Level,
    /// Whether it ends the program: graver than an error.
    pub(super) fatal: bool,
    /// Whether a person sees the same otherwise, so that fields are needed to tell what it is about.
    pub(super) aside: bool,
    pub(super) message: String,
    /// In the order in which they were told; a dot in a name stands for an object around it.
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl Said {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let metadata = event.metadata();
        let aside = metadata.target() == super::LIFE || *metadata.level() == Level::DEBUG;
        let mut said = Self {
            level: *metadata.level(),
            fatal: false,
            aside,
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut said);
        said
    }

    /// Rewrites every text of it.
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
            // A raw identifier's name comes with its prefix.
            (name, value) => {
                self.fields.push((if name == "err.r#type" { "err.type" } else { name }, value));
            }
        }
    }
}

impl Visit for Said {
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
