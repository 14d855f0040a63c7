//! Fills variables into templates, once to send and once to show.

mod live_names;

use std::collections::BTreeSet;

use serde_json::Value;

use super::data_source::DataSource;
use crate::plan::environment::Environment;
use crate::plan::live::{ArrivalValues, LiveJson, LiveText};
use crate::plan::secrets::{self, SecretSet};
use crate::scenario::{Diagnostic, JsonTemplate, Span, Template, TemplatePart, data_value};

/// A filled template.
#[derive(Default)]
pub(super) struct FilledTemplate {
    /// The text to send or compare.
    pub(super) value: String,
    /// The text to show, with secret variables as `${NAME}`.
    pub(super) shown: String,
    /// Whether it contains a secret variable.
    pub(super) secret: bool,
    /// Whether it contains a secret that is too short or too common to be searched for.
    pub(super) has_weak_secret: bool,
    /// Whether it contains a placeholder for a missing variable or a live value.
    pub(super) guessed: bool,
    /// The text with its live values, if it contains any.
    pub(super) live: Option<LiveText>,
}

/// When a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepTime {
    /// Once, before the warm-up.
    Setup,
    /// In each arrival.
    Arrival,
    /// Once, after the load.
    Teardown,
}

/// The name of a value that a step captures.
pub(super) struct CaptureName {
    pub(super) name: String,
    pub(super) step: String,
    pub(super) time: StepTime,
}

/// Fills the templates of one scenario and collects diagnostics, warnings and secrets.
pub(super) struct TemplateFiller<'a> {
    environment: &'a Environment,
    public: &'a BTreeSet<String>,
    missing: BTreeSet<String>,
    /// The live values that the current step may use.
    known: BTreeSet<String>,
    /// All values that steps capture.
    captured: Vec<CaptureName>,
    /// The current step.
    step: Option<String>,
    /// When the current step runs.
    time: StepTime,
    /// Whether the step is skipped instead of refused if a variable is missing, and the first
    /// missing one.
    may_miss_variable: bool,
    missing_variable: Option<String>,
    /// The rows of the data file.
    pub(super) data: DataSource,
    /// The errors found so far.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The warnings found so far.
    pub(super) warnings: Vec<Diagnostic>,
    /// The values of all secret variables that were used.
    pub(super) secrets: Vec<String>,
    /// Parts of URLs that contain such a value.
    pub(super) url_parts: Vec<String>,
    /// The variables whose weak values were reported.
    weak: BTreeSet<String>,
}

impl<'a> TemplateFiller<'a> {
    pub(super) fn new(environment: &'a Environment, public: &'a BTreeSet<String>) -> Self {
        Self {
            environment,
            public,
            missing: BTreeSet::new(),
            known: BTreeSet::from([ArrivalValues::UUID.to_owned()]),
            captured: Vec::new(),
            step: None,
            time: StepTime::Arrival,
            may_miss_variable: false,
            missing_variable: None,
            data: DataSource::Unwritten,
            diagnostics: Vec::new(),
            warnings: Vec::new(),
            secrets: Vec::new(),
            url_parts: Vec::new(),
            weak: BTreeSet::new(),
        }
    }

    /// A variable of the environment that no template names; `None` if it is not set or empty.
    pub(super) fn environment_value(&self, name: &str) -> Option<String> {
        self.environment.value(name).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// Lets the steps of arrivals use the rows of the data file.
    pub(super) fn allow_data(&mut self, data: DataSource) {
        self.data = data;
    }

    /// Lets the following steps use the values that a step captures.
    pub(super) fn allow_captured<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        self.known.extend(names.into_iter().map(str::to_owned));
    }

    /// Sets the values that all steps capture. Remedies name them.
    pub(super) fn set_captured(&mut self, captured: Vec<CaptureName>) {
        self.captured = captured;
    }

    /// Starts the steps of one time. Arrivals and the teardown know only what the setup captures.
    pub(super) fn begin_time(&mut self, time: StepTime) {
        self.time = time;
        self.known = BTreeSet::from([ArrivalValues::UUID.to_owned()]);
        if time != StepTime::Setup {
            let of_setup = self.captured.iter().filter(|value| value.time == StepTime::Setup);
            self.known.extend(of_setup.map(|value| value.name.clone()));
        }
        if let (StepTime::Arrival, DataSource::Read(file)) = (time, &self.data) {
            self.known.extend(file.rows.table.names().map(data_value));
        }
    }

    /// Whether the current step may use all live values of a text.
    pub(super) fn knows_all_of(&self, text: &LiveText) -> bool {
        let knows_columns = self.time == StepTime::Arrival || text.columns().next().is_none();
        knows_columns && text.names().all(|name| self.known.contains(name))
    }

    /// Starts a step. With `may_miss_variable`, a missing variable skips the step instead of being
    /// an error.
    pub(super) fn begin_step(&mut self, step: &str, may_miss_variable: bool) {
        self.step = Some(step.to_owned());
        self.may_miss_variable = may_miss_variable;
    }

    /// Ends the step. Returns why it is skipped, if it is: ``variable `X` is not set``.
    pub(super) fn end_step(&mut self) -> Option<String> {
        self.step = None;
        self.may_miss_variable = false;
        self.missing_variable.take()
    }

    /// Reports an error; always returns `None`.
    pub(super) fn report<T>(
        &mut self,
        at: &Span,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Option<T> {
        self.diagnostics.push(Diagnostic::new(at.clone(), problem, remedy));
        None
    }

    /// Warns about something that can run, but probably not as intended.
    pub(super) fn warn(
        &mut self,
        at: &Span,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.warnings.push(Diagnostic::new(at.clone(), problem, remedy));
    }

    /// The text with its variables filled in; `None` after reporting a missing variable or a live
    /// value.
    pub(super) fn fill(&mut self, at: &Span, template: &Template) -> Option<FilledTemplate> {
        if template.live().next().is_some() {
            return self.report(
                at,
                "`${{…}}` is not allowed here: its value is known only during the run",
                "such values can be used in paths, headers, bodies, `values`, and in what is expected of a body or of rows",
            );
        }
        self.fill_live(at, template)
    }

    /// Like [`Self::fill`], but allows live values. A `null` of the data file is an error: it has
    /// no text.
    pub(super) fn fill_live(&mut self, at: &Span, template: &Template) -> Option<FilledTemplate> {
        let filled = self.fill_value(at, template)?;
        let columns = filled.live.iter().flat_map(LiveText::columns);
        let columns: Vec<usize> = columns.collect();
        columns.into_iter().all(|column| self.has_text(at, column)).then_some(filled)
    }

    /// Like [`Self::fill_live`] for a place that can hold JSON's or SQL's `null`. A text that is
    /// more than one value cannot.
    pub(super) fn fill_nullable(
        &mut self,
        at: &Span,
        template: &Template,
    ) -> Option<FilledTemplate> {
        if template.parts().len() == 1 {
            self.fill_value(at, template)
        } else {
            self.fill_live(at, template)
        }
    }

    fn fill_value(&mut self, at: &Span, template: &Template) -> Option<FilledTemplate> {
        let mut filled = FilledTemplate::default();
        let mut live = LiveText::default();
        let mut complete = true;
        for part in template.parts() {
            let filled_so_far = filled.value.len();
            match part {
                TemplatePart::Literal(text) => {
                    self.warn_of_bare_braces(at, text);
                    filled.value.push_str(text);
                    filled.shown.push_str(text);
                }
                TemplatePart::Variable { name, default } => {
                    complete &= self.variable(at, name, default.as_deref(), &mut filled);
                }
                TemplatePart::Live(name) => {
                    complete &= self.is_known(at, name);
                    self.push_live(name, &mut live);
                    filled.value.push_str(Environment::PLACEHOLDER);
                    filled.shown.extend(["${{", name, "}}"]);
                    filled.guessed = true;
                    continue;
                }
            }
            live.push(&filled.value[filled_so_far..]);
        }
        filled.live = live.is_live().then_some(live);
        complete.then_some(filled)
    }

    /// A JSON value with the variables of its strings filled in, and how it is shown; `None` after
    /// reporting a missing variable.
    pub(super) fn fill_live_json(
        &mut self,
        at: &Span,
        template: &JsonTemplate,
    ) -> Option<(LiveJson, Value)> {
        self.json(at, template.written())
    }

    fn json(&mut self, at: &Span, written: &Value) -> Option<(LiveJson, Value)> {
        Some(match written {
            Value::String(text) => {
                // The reader of the file has parsed every string as a template already.
                let text = self.fill_nullable(at, &Template::parse(text).unwrap_or_default())?;
                let value = match text.live {
                    Some(live) => LiveJson::Text(live),
                    None => LiveJson::Fixed(Value::String(text.value)),
                };
                (value, Value::String(text.shown))
            }
            Value::Array(list) => {
                let pairs: Vec<_> = list.iter().map(|value| self.json(at, value)).collect();
                let (values, shown) =
                    pairs.into_iter().collect::<Option<Vec<_>>>()?.into_iter().unzip();
                (LiveJson::Array(values), Value::Array(shown))
            }
            Value::Object(table) => {
                let entries: Vec<_> =
                    table.iter().map(|(key, value)| (key, self.json(at, value))).collect();
                let (mut values, mut all_shown) = (Vec::new(), serde_json::Map::new());
                for (key, entry) in entries {
                    let (value, shown) = entry?;
                    values.push((key.clone(), value));
                    all_shown.insert(key.clone(), shown);
                }
                (LiveJson::Object(values), Value::Object(all_shown))
            }
            scalar => (LiveJson::Fixed(scalar.clone()), scalar.clone()),
        })
    }

    /// Appends a variable to a text. Returns whether it has a value.
    fn variable(
        &mut self,
        at: &Span,
        name: &str,
        default: Option<&str>,
        filled: &mut FilledTemplate,
    ) -> bool {
        let value = self.environment.value(name);
        let is_public = self.public.contains(name);
        let value = match (value.filter(|value| !value.is_empty()), default) {
            (Some(value), _) => {
                // The default is in the file for everyone to read, even if it is also set.
                if !is_public && default != Some(value) {
                    filled.has_weak_secret |= self.keep_secret(at, name, value);
                }
                value
            }
            // A default is written in the file for everyone to read. It is not shown, but it is not
            // secret.
            (None, Some(default)) => default,
            (None, None) => {
                self.missing(at, name, value.is_some());
                if !self.environment.is_lenient() && !self.may_miss_variable {
                    return false;
                }
                filled.guessed = true;
                Environment::PLACEHOLDER
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

    /// Keeps a value secret. Returns whether it is too short or too common to be searched for, and
    /// warns of that once.
    fn keep_secret(&mut self, at: &Span, name: &str, value: &str) -> bool {
        self.secrets.push(value.to_owned());
        self.secrets.extend(secrets::tokens_in(value));
        let is_weak = SecretSet::is_weak(value);
        if is_weak && self.weak.insert(name.to_owned()) {
            let problem = format!(
                "the secret `{name}` is short or a common word: an answer that echoes it is shown"
            );
            let remedy =
                "use a value of 8 or more characters; one that is not secret belongs in `public`";
            self.warn(at, problem, remedy);
        }
        is_weak
    }

    /// Keeps the parts of a URL secret that contain secrets which are not searched for alone.
    pub(super) fn keep_url_secret(&mut self, text: &FilledTemplate) {
        if text.has_weak_secret && !text.guessed {
            self.url_parts.extend(secrets::url_parts(&text.value, &text.shown));
        }
    }

    /// Reports each missing variable once.
    fn missing(&mut self, at: &Span, name: &str, is_set: bool) {
        let state = if is_set { "is empty" } else { "is not set" };
        let problem = format!("variable `{name}` {state}");
        if self.may_miss_variable {
            self.missing_variable.get_or_insert(problem);
            return;
        }
        let is_known = self.environment.is_lenient() && self.environment.is_elsewhere(name);
        if is_known || !self.missing.insert(name.to_owned()) {
            return;
        }
        let remedy = if self.known.contains(name) {
            format!("write `${{{{{name}}}}}` for the value that an earlier step captures")
        } else {
            let left_out = match self.step {
                Some(_) => "; with `when_unconfigured = \"report\"` the step is skipped instead",
                None => "",
            };
            format!("set it (`export {name}=…`), or write `${{{name}:-default}}`{left_out}")
        };
        let diagnostic = Diagnostic::new(at.clone(), problem, remedy);
        if self.environment.is_lenient() {
            self.warnings.push(diagnostic);
        } else {
            self.diagnostics.push(diagnostic);
        }
    }
}
