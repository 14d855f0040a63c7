//! Checks expectations.

use http::{HeaderName, Method, StatusCode};
use serde_json::Number;

use super::super::diagnostic::{Diagnostic, Diagnostics, Span};
use super::super::field::{KeyLocation, ScenarioField, TableEntries};
use super::super::file::{ExpectSection, RequestSection};
use super::super::leaf::{JsonNumber, JsonTemplate, PlainText, StatusList};
use super::super::references::texts;
use super::super::template::Template;
use crate::units::ByteSize;

/// The most characters of `because`: it stands in every message about the step.
const LONGEST_REASON: usize = 120;

/// The largest body. Bodies are held in memory, one for each open exchange.
const LARGEST_BODY: ByteSize = ByteSize(1 << 30);

pub(super) fn all(request: &RequestSection, diagnostics: &mut Diagnostics) {
    let Some(expect) = request.expect.value() else { return };
    if request.method.value() == Some(&Method::HEAD) {
        no_body("judged", expect.of_body(), diagnostics);
    }
    statuses(expect, diagnostics);
    header_names(expect, diagnostics);
    markers(expect, diagnostics);
    for (text, location) in expect.pointers() {
        pointer(text, location, diagnostics);
    }
    limits(expect, diagnostics);
    rows(expect, diagnostics);
    because(&expect.because, diagnostics);
    if let Some((location, &size)) = expect.max_body.located()
        && size > LARGEST_BODY
    {
        let problem = "bodies of that size do not fit into memory";
        diagnostics.add(Diagnostic::new(
            location.value.clone(),
            problem,
            "write at most `\"1 GiB\"`",
        ));
    }
}

fn because(field: &ScenarioField<PlainText>, diagnostics: &mut Diagnostics) {
    let Some((location, words)) = field.located() else { return };
    let words = words.as_str();
    let problem = match words {
        words if words.trim().is_empty() => "`because` is empty",
        words if words.chars().count() > LONGEST_REASON => "`because` is too long",
        words if words.chars().any(char::is_control) => "`because` has control characters",
        _ => return,
    };
    let remedy = format!(
        "write what is wrong in one line of at most {LONGEST_REASON} characters: `anon can read rows`"
    );
    diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
}

/// Reports keys that look at the body of a response without one.
pub(super) fn no_body<'a>(
    never: &str,
    keys: impl IntoIterator<Item = (&'static str, &'a KeyLocation)>,
    diagnostics: &mut Diagnostics,
) {
    for (key, location) in keys {
        let problem = format!("`{key}` can never be {never}: a response to `HEAD` has no body");
        let remedy = "leave it out, or write `method = \"GET\"`";
        diagnostics.add(Diagnostic::new(location.key.clone(), problem, remedy));
    }
}

/// Reports a text that is not a JSON pointer.
pub(super) fn pointer(text: &str, location: &Span, diagnostics: &mut Diagnostics) {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if (text.is_empty() || text.starts_with('/')) && escapes {
        return;
    }
    let problem = format!("`{text}` is not a JSON pointer");
    let remedy = if escapes {
        format!("write `\"{}\"` (RFC 6901)", as_pointer(text))
    } else {
        "write `~0` for a `~` and `~1` for a `/` that belongs to a name (RFC 6901)".to_owned()
    };
    diagnostics.add(Diagnostic::new(location.clone(), problem, remedy));
}

/// The JSON pointer that another notation probably means: `$.a[0].b`, `.a.b`, `a.b`, `a["b"]`.
fn as_pointer(text: &str) -> String {
    let names = text.trim_start_matches(['$', '#']).split(['.', '/', '[', ']']);
    let names = names.map(|name| name.trim_matches(['"', '\''])).filter(|name| !name.is_empty());
    names.flat_map(|name| ["/", name]).collect()
}

/// Reports an invalid header name.
pub(super) fn header_name(name: &str, location: &Span, diagnostics: &mut Diagnostics) {
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        let problem = format!("`{name}` is not a valid header name");
        diagnostics.add(Diagnostic::new(location.clone(), problem, "use letters, digits and `-`"));
    }
}

fn statuses(expect: &ExpectSection, diagnostics: &mut Diagnostics) {
    let Some((location, &denied)) = expect.denied.located() else { return };
    if !denied {
        diagnostics.add(Diagnostic::new(
            location.value.clone(),
            "`denied = false` has no effect",
            "remove it",
        ));
    } else if let Some((location, StatusList(statuses))) = expect.status.located()
        && statuses
            .iter()
            .any(|status| ![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(status))
    {
        let problem = "a denial has a status of 401 or 403";
        diagnostics.add(Diagnostic::new(
            location.value.clone(),
            problem,
            "write one of these, or leave `denied` out",
        ));
    }
}

fn header_names(expect: &ExpectSection, diagnostics: &mut Diagnostics) {
    for (name, location) in keys(&expect.headers).chain(keys(&expect.header_matches)) {
        header_name(name, &location.key, diagnostics);
    }
}

fn markers(expect: &ExpectSection, diagnostics: &mut Diagnostics) {
    let contains = |list: &ScenarioField<Vec<ScenarioField<Template>>>, text: &Template| {
        list.value().into_iter().flatten().any(|field| field.value() == Some(text))
    };
    for list in [&expect.body_contains, &expect.body_lacks] {
        for (location, text) in
            list.value().into_iter().flatten().filter_map(ScenarioField::located)
        {
            if text.parts().is_empty() {
                let problem = "every body contains an empty text";
                diagnostics.add(Diagnostic::new(
                    location.value.clone(),
                    problem,
                    "write the text to look for",
                ));
            }
        }
    }
    for (location, text) in
        expect.body_lacks.value().into_iter().flatten().filter_map(ScenarioField::located)
    {
        if !text.parts().is_empty() && contains(&expect.body_contains, text) {
            let problem = "no body both contains and lacks the same text";
            diagnostics.add(Diagnostic::new(
                location.value.clone(),
                problem,
                "remove one of the two",
            ));
        }
    }
}

/// Reports a smallest number that is larger than the largest one.
fn limits(expect: &ExpectSection, diagnostics: &mut Diagnostics) {
    let float = |number: &Number| number.as_f64().unwrap_or_default();
    for (pointer, most) in expect.json_at_most.value().into_iter().flatten() {
        let least =
            expect.json_at_least.value().into_iter().flatten().find(|(least, _)| least == pointer);
        let (Some((location, JsonNumber(most))), Some(JsonNumber(least))) =
            (most.located(), least.and_then(|(_, least)| least.value()))
        else {
            continue;
        };
        if float(least) > float(most) {
            let problem = format!("no number is at least {least} and at most {most}");
            diagnostics.add(Diagnostic::new(
                location.value.clone(),
                problem,
                "make `json_at_least` the smaller number",
            ));
        }
    }
}

fn rows(expect: &ExpectSection, diagnostics: &mut Diagnostics) {
    if expect.rows.is_written()
        && let Some(location) = expect.rows_at_least.location()
    {
        let problem = "`rows_at_least` cannot be combined with `rows`";
        diagnostics.add(Diagnostic::new(location.key.clone(), problem, "remove one of the two"));
    }
}

/// The keys of a table, with their locations.
fn keys<T>(entries: &ScenarioField<TableEntries<T>>) -> impl Iterator<Item = (&str, &KeyLocation)> {
    entries
        .value()
        .into_iter()
        .flatten()
        .filter_map(|(key, field)| Some((key.as_str(), field.location()?)))
}

impl ExpectSection {
    /// The written keys that look at a body.
    fn of_body(&self) -> impl Iterator<Item = (&'static str, &KeyLocation)> {
        let keys = [
            ("body_contains", self.body_contains.location()),
            ("body_lacks", self.body_lacks.location()),
            ("body_matches", self.body_matches.location()),
            ("json", self.json.location()),
            ("json_not", self.json_not.location()),
            ("json_type", self.json_type.location()),
            ("json_at_least", self.json_at_least.location()),
            ("json_at_most", self.json_at_most.location()),
            ("json_matches", self.json_matches.location()),
        ];
        keys.into_iter().filter_map(|(key, location)| Some((key, location?)))
    }

    /// Its JSON pointers.
    fn pointers(&self) -> impl Iterator<Item = (&str, &Span)> {
        let values = keys(&self.json).chain(keys(&self.json_not));
        let numbers = keys(&self.json_at_least).chain(keys(&self.json_at_most));
        let rest = keys(&self.json_type).chain(keys(&self.json_matches));
        values.chain(numbers).chain(rest).map(|(pointer, location)| (pointer, &location.key))
    }

    /// The texts that may contain variables.
    pub(in crate::scenario) fn templates(&self) -> impl Iterator<Item = &Template> {
        let lists = [&self.body_contains, &self.body_lacks];
        let listed = lists
            .into_iter()
            .filter_map(ScenarioField::value)
            .flatten()
            .filter_map(ScenarioField::value);
        self.final_url.value().into_iter().chain(texts(&self.headers)).chain(listed)
    }

    /// The JSON values whose strings may contain variables.
    pub(in crate::scenario) fn values(&self) -> impl Iterator<Item = &JsonTemplate> {
        let tables = [&self.json, &self.json_not];
        let entries = tables.into_iter().filter_map(ScenarioField::value).flatten();
        entries.filter_map(|(_, field)| field.value())
    }
}
