//! Filling variables: what is sent, and what may be shown of it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Environment;
use crate::scenario::{Complaint, JsonTemplate, Part, Span, Template};

/// What stands for a missing variable while checking.
const PLACEHOLDER: &str = "placeholder";

/// A filled template.
pub(super) struct Filled {
    /// The text to send or compare.
    pub(super) value: String,
    /// The same to show: secret variables stand as `${NAME}`.
    pub(super) shown: String,
    /// Whether a secret variable stands in it.
    pub(super) secret: bool,
    /// Whether a placeholder stands for a missing variable.
    pub(super) guessed: bool,
}

/// Fills the templates of one scenario, and keeps what it finds on the way.
pub(super) struct Filler<'a> {
    environment: &'a Environment,
    public: &'a BTreeSet<String>,
    missing: BTreeSet<String>,
    /// What is wrong.
    pub(super) complaints: Vec<Complaint>,
    /// What is doubtful.
    pub(super) doubts: Vec<Complaint>,
    /// The values of all secret variables met.
    pub(super) secrets: Vec<String>,
}

impl<'a> Filler<'a> {
    pub(super) fn new(environment: &'a Environment, public: &'a BTreeSet<String>) -> Self {
        let missing = BTreeSet::new();
        Self { environment, public, missing, complaints: Vec::new(), doubts: Vec::new(), secrets: Vec::new() }
    }

    /// Complains, and yields nothing.
    pub(super) fn complain<T>(
        &mut self,
        at: &Span,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Option<T> {
        self.complaints.push(Complaint::new(at.clone(), problem, remedy));
        None
    }

    /// Notes what can be carried out, but hardly as it was meant.
    pub(super) fn doubt(&mut self, at: &Span, problem: impl Into<String>, remedy: impl Into<String>) {
        self.doubts.push(Complaint::new(at.clone(), problem, remedy));
    }

    /// The text with its variables; nothing where one is missing that must not be.
    pub(super) fn fill(&mut self, at: &Span, template: &Template) -> Option<Filled> {
        let mut filled = Filled { value: String::new(), shown: String::new(), secret: false, guessed: false };
        let mut complete = true;
        for part in template.parts() {
            match part {
                Part::Literal(text) => {
                    filled.value.push_str(text);
                    filled.shown.push_str(text);
                }
                Part::Variable { name, default } => {
                    complete &= self.variable(at, name, default.as_deref(), &mut filled);
                }
            }
        }
        complete.then_some(filled)
    }

    /// A JSON value with the variables of its texts, and how it is shown; nothing where one is missing that must not
    /// be.
    pub(super) fn fill_json(&mut self, at: &Span, template: &JsonTemplate) -> Option<(Value, Value)> {
        let mut complete = true;
        let mut fill = |part: &Template, show: bool| {
            let text = self.fill(at, part);
            complete &= text.is_some();
            text.map_or_else(String::new, |text| if show { text.shown } else { text.value })
        };
        let value = template.fill(|part| fill(part, false));
        let shown = template.fill(|part| fill(part, true));
        complete.then_some((value, shown))
    }

    /// Adds a variable to a text; whether it has a value.
    fn variable(&mut self, at: &Span, name: &str, default: Option<&str>, filled: &mut Filled) -> bool {
        let value = self.environment.value(name);
        let is_public = self.public.contains(name);
        let value = match (value.filter(|value| !value.is_empty()), default) {
            (Some(value), _) => {
                if !is_public {
                    self.secrets.push(value.to_owned());
                }
                value
            }
            // A default stands in the file for all to read: it is not shown, but it is no secret.
            (None, Some(default)) => default,
            (None, None) => {
                self.missing(at, name, value.is_some());
                if !self.environment.is_lenient() {
                    return false;
                }
                filled.guessed = true;
                PLACEHOLDER
            }
        };
        filled.value.push_str(value);
        filled.secret |= !is_public;
        if is_public && !filled.guessed {
            filled.shown.push_str(value);
        } else {
            filled.shown.extend(["${", name, "}"]);
        }
        true
    }

    /// Complains about a missing variable, once for each.
    fn missing(&mut self, at: &Span, name: &str, is_set: bool) {
        if !self.missing.insert(name.to_owned()) {
            return;
        }
        let state = if is_set { "is empty" } else { "is not set" };
        let problem = format!("variable `{name}` {state}");
        let remedy = format!("set it, or write `${{{name}:-default}}`");
        let complaint = Complaint::new(at.clone(), problem, remedy);
        if self.environment.is_lenient() {
            self.doubts.push(complaint);
        } else {
            self.complaints.push(complaint);
        }
    }
}
