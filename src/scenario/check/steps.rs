//! Steps: what kind each is, what does not go with it, how often it is tried, and which database it asks.

use std::time::Duration;

use super::super::complaint::{Complaint, Complaints};
use super::super::field::{Field, Place};
use super::super::file::{File, Request};
use super::super::leaf::Words;
use super::super::template::Template;
use super::require;
use crate::units::near::nearest;
use crate::units::written;

/// The most tries after the first.
const MOST_RETRIES: u32 = 100;

/// The shortest pause between two tries, and the longest time they may take.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_hours(1);

/// The keys of one kind of step, with where they are written.
type Keys<'a> = Vec<(&'static str, Option<&'a Place>)>;

pub(super) fn one(place: &Place, request: &Request, complaints: &mut Complaints) {
    kind(place, request, complaints);
    tries(request, complaints);
}

/// Complains about a step that is of no kind, of two, or has keys of another.
fn kind(place: &Place, request: &Request, complaints: &mut Complaints) {
    let kinds = [
        ("path", request.path.place()),
        ("url", request.url.place()),
        ("sql", request.sql.place()),
    ];
    let mut written = kinds.into_iter().filter_map(|(key, place)| Some((key, place?)));
    let broken = request.path.is_broken() || request.url.is_broken() || request.sql.is_broken();
    let Some((first, _)) = written.next() else {
        if !broken {
            let remedy = "write `path = \"/…\"`, `url = \"https://…\"`, or `sql = \"select …\"`";
            complaints.add(Complaint::new(place.key.clone(), "no `path` is given", remedy));
        }
        return;
    };
    for (key, place) in written {
        let problem = format!("`{key}` cannot stand with `{first}`");
        complaints.add(Complaint::new(
            place.key.clone(),
            problem,
            "a step asks one thing: leave one out",
        ));
    }
    let (others, remedy) = if first == "sql" {
        (of_http(request), "leave it out: an SQL step has a `database`, `values` and rows")
    } else {
        (of_sql(request), "leave it out, or write `sql` instead of a path")
    };
    for (key, place) in others.into_iter().filter_map(|(key, place)| Some((key, place?))) {
        let problem = format!("`{key}` cannot stand with `{first}`");
        complaints.add(Complaint::new(place.key.clone(), problem, remedy));
    }
}

fn of_http(request: &Request) -> Keys<'_> {
    let mut keys = vec![
        ("method", request.method.place()),
        ("headers", request.headers.place()),
        ("body", request.body.place()),
        ("body_json", request.body_json.place()),
        ("body_file", request.body_file.place()),
        ("redirects", request.redirects.place()),
    ];
    if let Some(expect) = request.expect.given() {
        keys.extend([
            ("status", expect.status.place()),
            ("final_url", expect.final_url.place()),
            ("headers", expect.headers.place()),
            ("header_matches", expect.header_matches.place()),
            ("max_body", expect.max_body.place()),
        ]);
    }
    let captures =
        request.capture.given().into_iter().flatten().filter_map(|(_, field)| field.given());
    keys.extend(captures.map(|capture| ("header", capture.header.place())));
    keys
}

fn of_sql(request: &Request) -> Keys<'_> {
    let mut keys = vec![
        ("database", request.database.place()),
        ("values", request.values.place()),
        ("writes", request.writes.place()),
    ];
    if let Some(expect) = request.expect.given() {
        keys.extend([
            ("rows", expect.rows.place()),
            ("rows_at_least", expect.rows_at_least.place()),
        ]);
    }
    keys
}

fn tries(request: &Request, complaints: &mut Complaints) {
    if let (Some(retry), Some(_)) = (request.retry.place(), request.poll.place()) {
        let remedy = "`poll` tries again after a failure, too: leave `retry` out";
        complaints.add(Complaint::new(
            retry.key.clone(),
            "`retry` cannot stand with `poll`",
            remedy,
        ));
    }
    if let Some((place, retry)) = request.retry.placed() {
        require(&retry.times, "times", "2", place.value.clone(), complaints);
    }
    if let Some((place, &times)) = request.retry.given().and_then(|retry| retry.times.placed())
        && !(1..=MOST_RETRIES).contains(&times)
    {
        let remedy = format!("write 1 to {MOST_RETRIES}");
        complaints.add(Complaint::new(
            place.value.clone(),
            "this is no number of further tries",
            remedy,
        ));
    }
    if let Some((place, &after)) = request.retry.given().and_then(|retry| retry.after.placed())
        && after > LONGEST
    {
        complaints.add(too_long(place));
    }
    let Some((place, poll)) = request.poll.placed() else { return };
    require(&poll.every, "every", "\"250ms\"", place.value.clone(), complaints);
    require(&poll.within, "within", "\"5s\"", place.value.clone(), complaints);
    if let Some((place, &every)) = poll.every.placed()
        && every < SHORTEST_PAUSE
    {
        let remedy = format!("write at least `{}`", written(SHORTEST_PAUSE));
        complaints.add(Complaint::new(place.value.clone(), "this is hardly a pause", remedy));
    }
    if let Some((place, &within)) = poll.within.placed() {
        if within > LONGEST {
            complaints.add(too_long(place));
        } else if poll.every.given().is_some_and(|&every| every >= within) {
            let problem = "the time is over before the second try";
            complaints.add(Complaint::new(place.value.clone(), problem, "write more than `every`"));
        }
    }
}

fn too_long(place: &Place) -> Complaint {
    Complaint::new(place.value.clone(), "nobody waits as long for one step", "write at most `1h`")
}

/// Complains about databases that no step asks, that steps ask and nobody names, or that are not told apart.
pub(super) fn databases(file: &File, complaints: &mut Complaints) {
    let databases: Vec<_> = file.databases.given().into_iter().flatten().collect();
    let names: Vec<&str> = databases.iter().map(|(name, _)| name.as_str()).collect();
    let mut asked = Vec::new();
    // A step that is wrong may be the one that asks.
    let mut is_known = file.requests().all(|request| !request.sql.is_broken());
    for request in file.requests() {
        let Some(sql) = request.sql.place() else { continue };
        match request.database.placed().map(|(place, name)| (place, name.as_str())) {
            Some((place, name)) if !names.contains(&name) => {
                let problem = format!("`[databases]` names no `{name}`");
                let remedy = match nearest(name, &names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("write `{name} = \"${{DATABASE_URL}}\"` in `[databases]`"),
                };
                complaints.add(Complaint::new(place.value.clone(), problem, remedy));
                is_known = false;
            }
            Some((_, name)) => asked.push(name),
            None if names.len() == 1 => asked.push(names[0]),
            None if request.database.is_written() || file.databases.is_broken() => {}
            None => {
                let (problem, remedy) = if names.is_empty() {
                    (
                        "no database is given",
                        "write `main = \"${DATABASE_URL}\"` in the section `[databases]`",
                    )
                } else {
                    ("there are several databases", "say which: `database = \"…\"`")
                };
                complaints.add(Complaint::new(sql.key.clone(), problem, remedy));
                is_known = false;
            }
        }
    }
    for (name, field) in
        databases.iter().filter(|(name, _)| is_known && !asked.contains(&name.as_str()))
    {
        if let Some(place) = field.place() {
            let problem = format!("no step asks the database `{name}`");
            complaints.add(Complaint::new(
                place.key.clone(),
                problem,
                "leave it out, or ask it by `sql`",
            ));
        }
    }
}

impl File {
    /// The database that an SQL step asks, by its name and URL.
    pub fn database_of(&self, request: &Request) -> Option<&(String, Field<Template>)> {
        let named = self.databases.given()?;
        match request.database.given().map(Words::as_str) {
            Some(asked) => named.iter().find(|(name, _)| name == asked),
            None => named.first(),
        }
    }
}
