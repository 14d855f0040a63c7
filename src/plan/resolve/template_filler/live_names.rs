//! The names in `${{…}}`: which of them a step may use, and the errors for the others.

use super::{CaptureName, StepTime, TemplateFiller};
use crate::plan::live::LiveText;
use crate::plan::resolve::data_source::{DataSource, no_such_column};
use crate::scenario::{Span, data_column};
use crate::units::near::nearest;

impl TemplateFiller<'_> {
    /// Whether the current step may use a live value; reports an error otherwise.
    pub(super) fn is_known(&mut self, at: &Span, name: &str) -> bool {
        if self.known.contains(name) {
            return true;
        }
        if let Some(column) = data_column(name) {
            return self.is_column(at, column);
        }
        let remedy = self.remedy_for_unknown(name);
        self.report::<()>(at, format!("no earlier step captures `{name}`"), remedy);
        false
    }

    /// Whether an unknown column may be used nevertheless; reports an error otherwise.
    fn is_column(&mut self, at: &Span, column: &str) -> bool {
        let (problem, remedy) = match &self.data {
            // What is wrong with the file was reported, and its columns are not known.
            DataSource::Unreadable => return true,
            _ if self.time != StepTime::Arrival => (
                format!("`${{{{data.{column}}}}}` is used in a step that runs once"),
                "each arrival has a row of its own: use it in a step of `[[request]]`".to_owned(),
            ),
            DataSource::Unwritten => (
                format!("`${{{{data.{column}}}}}` is used, but no data file is given"),
                "write `[data]` with `file = \"rows.csv\"`".to_owned(),
            ),
            DataSource::Read(file) => {
                no_such_column(column, &file.rows.table.names().collect::<Vec<_>>())
            }
        };
        self.report::<()>(at, problem, remedy);
        false
    }

    /// Appends a live value to a text, and notes the column that it uses.
    pub(super) fn push_live(&mut self, name: &str, live: &mut LiveText) {
        let DataSource::Read(file) = &mut self.data else { return live.push_value(name) };
        match data_column(name).and_then(|column| file.rows.table.position(column)) {
            Some(column) => {
                file.used.insert(column);
                live.push_column(column);
            }
            None => live.push_value(name),
        }
    }

    /// Whether every value of a column has a text; reports an error otherwise.
    pub(super) fn has_text(&mut self, at: &Span, column: usize) -> bool {
        let DataSource::Read(file) = &self.data else { return true };
        let Some(row) = file.first_null(column) else { return true };
        let name = file.rows.table.names().nth(column).unwrap_or_default();
        let problem = format!("`{name}` is null in {}, and a null has no text", file.place(row));
        let remedy =
            "use the value alone in `body_json`, `json` or `values`, or write another value";
        self.report::<()>(at, problem, remedy);
        false
    }

    /// The remedy for a live value that the step may not use.
    fn remedy_for_unknown(&self, name: &str) -> String {
        if let Some(CaptureName { step, time, .. }) =
            self.captured.iter().find(|value| value.name == name)
        {
            return match time {
                _ if self.step.as_ref() == Some(step) => {
                    "only later steps can use what this step captures: capture it in an earlier step"
                        .to_owned()
                }
                StepTime::Arrival if self.time != StepTime::Arrival => format!(
                    "step `{step}` captures it in each arrival: capture it in a step of `[[setup]]`"
                ),
                _ => format!("step `{step}` captures it later: move that step up"),
            };
        }
        let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        if name == "data" {
            return "write `${{data.column}}`, with the name of a column".to_owned();
        }
        if let Some(near) = nearest(name, &known) {
            return format!("did you mean `{near}`?");
        }
        let known: Vec<_> = known.iter().map(|name| format!("`${{{{{name}}}}}`")).collect();
        format!("capture it in an earlier step; available here: {}", known.join(", "))
    }

    /// Warns about the name of a live value in two braces without a dollar sign before them.
    pub(super) fn warn_of_bare_braces(&mut self, at: &Span, text: &str) {
        let inner = |(begin, _): (usize, &str)| {
            let is_escaped = text[..begin].ends_with('$');
            let (inner, _) = text[begin + 2..].split_once("}}")?;
            self.known.get(inner.trim()).filter(|_| !is_escaped)
        };
        if let Some(name) = text.match_indices("{{").find_map(inner) {
            let problem = format!("`{{{{{name}}}}}` is plain text and is sent as it is written");
            let remedy = format!("write `${{{{{name}}}}}` for the value");
            self.warn(at, problem, remedy);
        }
    }
}
