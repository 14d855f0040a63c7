//! Checks steps: their kind, the keys that do not fit it, their tries, and their database.

use std::time::Duration;

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::field::{KeyLocation, ScenarioField};
use super::super::file::{RequestSection, ScenarioFile};
use super::super::leaf::PlainText;
use super::super::template::Template;
use super::require;
use crate::units::duration_literal;
use crate::units::near::nearest;

/// The maximum number of further tries.
const MOST_RETRIES: u32 = 100;

/// The shortest pause between two tries, and the longest time that all tries may take.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_hours(1);

/// The keys of one kind of step, and where they are written.
type StepKeys<'a> = Vec<(&'static str, Option<&'a KeyLocation>)>;

pub(super) fn one(location: &KeyLocation, request: &RequestSection, diagnostics: &mut Diagnostics) {
    kind(location, request, diagnostics);
    tries(request, diagnostics);
}

/// Reports a step without a kind, with two kinds, or with keys of another kind.
fn kind(location: &KeyLocation, request: &RequestSection, diagnostics: &mut Diagnostics) {
    let kinds = [
        ("path", request.path.location()),
        ("url", request.url.location()),
        ("sql", request.sql.location()),
    ];
    let mut written = kinds.into_iter().filter_map(|(key, location)| Some((key, location?)));
    let broken = request.path.is_invalid() || request.url.is_invalid() || request.sql.is_invalid();
    let Some((first, _)) = written.next() else {
        if !broken {
            let remedy = "write `path = \"/…\"`, `url = \"https://…\"`, or `sql = \"select …\"`";
            diagnostics.add(Diagnostic::new(location.key.clone(), "no `path` is given", remedy));
        }
        return;
    };
    for (key, location) in written {
        let problem = format!("`{key}` cannot be combined with `{first}`");
        diagnostics.add(Diagnostic::new(
            location.key.clone(),
            problem,
            "a step sends one request or one statement: remove one of the two",
        ));
    }
    let (others, remedy) = if first == "sql" {
        (of_http(request), "remove it: an SQL step uses `database`, `values` and rows")
    } else {
        (of_sql(request), "remove it, or write `sql` instead of the path")
    };
    for (key, location) in others.into_iter().filter_map(|(key, location)| Some((key, location?))) {
        let problem = format!("`{key}` cannot be combined with `{first}`");
        diagnostics.add(Diagnostic::new(location.key.clone(), problem, remedy));
    }
}

fn of_http(request: &RequestSection) -> StepKeys<'_> {
    let mut keys = vec![
        ("method", request.method.location()),
        ("headers", request.headers.location()),
        ("body", request.body.location()),
        ("body_json", request.body_json.location()),
        ("body_file", request.body_file.location()),
        ("redirects", request.redirects.location()),
    ];
    if let Some(expect) = request.expect.value() {
        keys.extend([
            ("status", expect.status.location()),
            ("final_url", expect.final_url.location()),
            ("headers", expect.headers.location()),
            ("header_matches", expect.header_matches.location()),
            ("max_body", expect.max_body.location()),
        ]);
    }
    let captures =
        request.capture.value().into_iter().flatten().filter_map(|(_, field)| field.value());
    keys.extend(captures.map(|capture| ("header", capture.header.location())));
    keys
}

fn of_sql(request: &RequestSection) -> StepKeys<'_> {
    let mut keys = vec![
        ("database", request.database.location()),
        ("values", request.values.location()),
        ("writes", request.writes.location()),
    ];
    if let Some(expect) = request.expect.value() {
        keys.extend([
            ("rows", expect.rows.location()),
            ("rows_at_least", expect.rows_at_least.location()),
        ]);
    }
    keys
}

fn tries(request: &RequestSection, diagnostics: &mut Diagnostics) {
    if let (Some(retry), Some(_)) = (request.retry.location(), request.poll.location()) {
        let remedy = "`poll` tries again after a failure, too: leave `retry` out";
        diagnostics.add(Diagnostic::new(
            retry.key.clone(),
            "`retry` cannot be combined with `poll`",
            remedy,
        ));
    }
    if let Some((location, retry)) = request.retry.located() {
        require(&retry.times, "times", "2", location.value.clone(), diagnostics);
    }
    if let Some((location, &times)) = request.retry.value().and_then(|retry| retry.times.located())
        && !(1..=MOST_RETRIES).contains(&times)
    {
        let remedy = format!("write 1 to {MOST_RETRIES}");
        diagnostics.add(Diagnostic::new(
            location.value.clone(),
            "the number of further tries is out of range",
            remedy,
        ));
    }
    if let Some((location, &after)) = request.retry.value().and_then(|retry| retry.after.located())
        && after > LONGEST
    {
        diagnostics.add(too_long(location));
    }
    let Some((location, poll)) = request.poll.located() else { return };
    require(&poll.every, "every", "\"250ms\"", location.value.clone(), diagnostics);
    require(&poll.within, "within", "\"5s\"", location.value.clone(), diagnostics);
    if let Some((location, &every)) = poll.every.located()
        && every < SHORTEST_PAUSE
    {
        let remedy = format!("write at least `{}`", duration_literal(SHORTEST_PAUSE));
        diagnostics.add(Diagnostic::new(location.value.clone(), "the pause is too short", remedy));
    }
    if let Some((location, &within)) = poll.within.located() {
        if within > LONGEST {
            diagnostics.add(too_long(location));
        } else if poll.every.value().is_some_and(|&every| every >= within) {
            let problem = "the time is over before the second try";
            diagnostics.add(Diagnostic::new(
                location.value.clone(),
                problem,
                "write a longer time than `every`",
            ));
        }
    }
}

fn too_long(location: &KeyLocation) -> Diagnostic {
    Diagnostic::new(
        location.value.clone(),
        "all tries of one step may take at most 1h",
        "write at most `1h`",
    )
}

/// Reports databases that no step queries, unknown databases, and steps that do not choose between
/// several.
pub(super) fn databases(file: &ScenarioFile, diagnostics: &mut Diagnostics) {
    let databases: Vec<_> = file.databases.value().into_iter().flatten().collect();
    let names: Vec<&str> = databases.iter().map(|(name, _)| name.as_str()).collect();
    let mut queried = Vec::new();
    // An invalid step may be the one that queries it.
    let mut is_known = file.steps().all(|request| !request.sql.is_invalid());
    for request in file.steps() {
        let Some(sql) = request.sql.location() else { continue };
        match request.database.located().map(|(location, name)| (location, name.as_str())) {
            Some((location, name)) if !names.contains(&name) => {
                let problem = format!("`[databases]` has no entry `{name}`");
                let remedy = match nearest(name, &names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("write `{name} = \"${{DATABASE_URL}}\"` in `[databases]`"),
                };
                diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
                is_known = false;
            }
            Some((_, name)) => queried.push(name),
            None if names.len() == 1 => queried.push(names[0]),
            None if request.database.is_written() || file.databases.is_invalid() => {}
            None => {
                let (problem, remedy) = if names.is_empty() {
                    (
                        "no database is given",
                        "write `main = \"${DATABASE_URL}\"` in the section `[databases]`",
                    )
                } else {
                    ("there are several databases", "say which one: `database = \"…\"`")
                };
                diagnostics.add(Diagnostic::new(sql.key.clone(), problem, remedy));
                is_known = false;
            }
        }
    }
    for (name, field) in
        databases.iter().filter(|(name, _)| is_known && !queried.contains(&name.as_str()))
    {
        if let Some(location) = field.location() {
            let problem = format!("no step queries the database `{name}`");
            diagnostics.add(Diagnostic::new(
                location.key.clone(),
                problem,
                "remove it, or query it with `sql`",
            ));
        }
    }
}

impl ScenarioFile {
    /// The name and URL of the database that an SQL step queries.
    pub fn database_of(
        &self,
        request: &RequestSection,
    ) -> Option<&(String, ScenarioField<Template>)> {
        let named = self.databases.value()?;
        match request.database.value().map(PlainText::as_str) {
            Some(database) => named.iter().find(|(name, _)| name == database),
            None => named.first(),
        }
    }
}
