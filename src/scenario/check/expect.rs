//! What is expected of answers.

use http::{HeaderName, Method, StatusCode};
use serde_json::Number;

use super::super::complaint::{Complaint, Complaints, Span};
use super::super::field::{Entries, Field, Place};
use super::super::file::{Expect, Request};
use super::super::leaf::{JsonNumber, JsonTemplate, Statuses};
use super::super::template::Template;
use super::texts;
use crate::units::ByteSize;

/// Bodies are held in memory, one for each exchange under way.
const LARGEST_BODY: ByteSize = ByteSize(1 << 30);

pub(super) fn all(request: &Request, complaints: &mut Complaints) {
    let Some(expect) = request.expect.given() else { return };
    if request.method.given() == Some(&Method::HEAD) {
        no_body("judged", expect.of_body(), complaints);
    }
    statuses(expect, complaints);
    header_names(expect, complaints);
    markers(expect, complaints);
    for (text, place) in expect.pointers() {
        pointer(text, place, complaints);
    }
    limits(expect, complaints);
    rows(expect, complaints);
    if let Some((place, &size)) = expect.max_body.placed()
        && size > LARGEST_BODY
    {
        let problem = "bodies of that size do not fit into memory";
        complaints.add(Complaint::new(place.value.clone(), problem, "write at most `\"1 GiB\"`"));
    }
}

/// Complains about keys that look at the body of an answer that has none.
pub(super) fn no_body<'a>(
    never: &str,
    keys: impl IntoIterator<Item = (&'static str, &'a Place)>,
    complaints: &mut Complaints,
) {
    for (key, place) in keys {
        let problem = format!("`{key}` can never be {never}: an answer to `HEAD` has no body");
        let remedy = "leave it out, or write `method = \"GET\"`";
        complaints.add(Complaint::new(place.key.clone(), problem, remedy));
    }
}

/// Complains about a text that is no JSON pointer.
pub(super) fn pointer(text: &str, place: &Span, complaints: &mut Complaints) {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if (text.is_empty() || text.starts_with('/')) && escapes {
        return;
    }
    let problem = format!("`{text}` is no JSON pointer");
    let remedy = if escapes {
        format!("write `\"{}\"` (RFC 6901)", as_pointer(text))
    } else {
        "write `~0` for a `~` and `~1` for a `/` that belongs to a name (RFC 6901)".to_owned()
    };
    complaints.add(Complaint::new(place.clone(), problem, remedy));
}

/// What another notation most likely means as a JSON pointer: `$.a[0].b`, `.a.b`, `a.b`, `a["b"]`.
fn as_pointer(text: &str) -> String {
    let names = text.trim_start_matches(['$', '#']).split(['.', '/', '[', ']']);
    let names = names.map(|name| name.trim_matches(['"', '\''])).filter(|name| !name.is_empty());
    names.flat_map(|name| ["/", name]).collect()
}

/// Complains about a name that no header has.
pub(super) fn header_name(name: &str, place: &Span, complaints: &mut Complaints) {
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        let problem = format!("`{name}` is no name of a header");
        complaints.add(Complaint::new(place.clone(), problem, "write letters, digits and `-`"));
    }
}

fn statuses(expect: &Expect, complaints: &mut Complaints) {
    let Some((place, &denied)) = expect.denied.placed() else { return };
    if !denied {
        complaints.add(Complaint::new(
            place.value.clone(),
            "`denied = false` says nothing",
            "leave it out",
        ));
    } else if let Some((place, Statuses(statuses))) = expect.status.placed()
        && statuses
            .iter()
            .any(|status| ![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(status))
    {
        let problem = "a denial has a status of 401 or 403";
        complaints.add(Complaint::new(
            place.value.clone(),
            problem,
            "write one of these, or leave `denied` out",
        ));
    }
}

fn header_names(expect: &Expect, complaints: &mut Complaints) {
    for (name, place) in keys(&expect.headers).chain(keys(&expect.header_matches)) {
        header_name(name, &place.key, complaints);
    }
}

fn markers(expect: &Expect, complaints: &mut Complaints) {
    let contains = |list: &Field<Vec<Field<Template>>>, text: &Template| {
        list.given().into_iter().flatten().any(|field| field.given() == Some(text))
    };
    for list in [&expect.body_contains, &expect.body_lacks] {
        for (place, text) in list.given().into_iter().flatten().filter_map(Field::placed) {
            if text.parts().is_empty() {
                let problem = "every body contains the empty text";
                complaints.add(Complaint::new(
                    place.value.clone(),
                    problem,
                    "write the text to look for",
                ));
            }
        }
    }
    for (place, text) in expect.body_lacks.given().into_iter().flatten().filter_map(Field::placed) {
        if !text.parts().is_empty() && contains(&expect.body_contains, text) {
            let problem = "no body both contains and lacks the same text";
            complaints.add(Complaint::new(
                place.value.clone(),
                problem,
                "leave one of the two out",
            ));
        }
    }
}

/// Complains about numbers that would have to be at least more than they may be at most.
fn limits(expect: &Expect, complaints: &mut Complaints) {
    let float = |number: &Number| number.as_f64().unwrap_or_default();
    for (pointer, most) in expect.json_at_most.given().into_iter().flatten() {
        let least =
            expect.json_at_least.given().into_iter().flatten().find(|(least, _)| least == pointer);
        let (Some((place, JsonNumber(most))), Some(JsonNumber(least))) =
            (most.placed(), least.and_then(|(_, least)| least.given()))
        else {
            continue;
        };
        if float(least) > float(most) {
            let problem = format!("no number is at least {least} and at most {most}");
            complaints.add(Complaint::new(
                place.value.clone(),
                problem,
                "write `json_at_least` the smaller one",
            ));
        }
    }
}

fn rows(expect: &Expect, complaints: &mut Complaints) {
    if expect.rows.is_written()
        && let Some(place) = expect.rows_at_least.place()
    {
        let problem = "`rows_at_least` cannot stand with `rows`";
        complaints.add(Complaint::new(place.key.clone(), problem, "leave one of the two out"));
    }
}

/// The keys of a table, with their places.
fn keys<T>(entries: &Field<Entries<T>>) -> impl Iterator<Item = (&str, &Place)> {
    entries
        .given()
        .into_iter()
        .flatten()
        .filter_map(|(key, field)| Some((key.as_str(), field.place()?)))
}

impl Expect {
    /// The keys that look at a body, where they are written.
    fn of_body(&self) -> impl Iterator<Item = (&'static str, &Place)> {
        let keys = [
            ("body_contains", self.body_contains.place()),
            ("body_lacks", self.body_lacks.place()),
            ("body_matches", self.body_matches.place()),
            ("json", self.json.place()),
            ("json_not", self.json_not.place()),
            ("json_type", self.json_type.place()),
            ("json_at_least", self.json_at_least.place()),
            ("json_at_most", self.json_at_most.place()),
            ("json_matches", self.json_matches.place()),
        ];
        keys.into_iter().filter_map(|(key, place)| Some((key, place?)))
    }

    /// Its JSON pointers.
    fn pointers(&self) -> impl Iterator<Item = (&str, &Span)> {
        let values = keys(&self.json).chain(keys(&self.json_not));
        let numbers = keys(&self.json_at_least).chain(keys(&self.json_at_most));
        let rest = keys(&self.json_type).chain(keys(&self.json_matches));
        values.chain(numbers).chain(rest).map(|(pointer, place)| (pointer, &place.key))
    }

    /// The texts in which variables may stand.
    pub(super) fn templates(&self) -> impl Iterator<Item = &Template> {
        let lists = [&self.body_contains, &self.body_lacks];
        let listed = lists.into_iter().filter_map(Field::given).flatten().filter_map(Field::given);
        self.final_url.given().into_iter().chain(texts(&self.headers)).chain(listed)
    }

    /// The JSON values in whose texts variables may stand.
    pub(super) fn values(&self) -> impl Iterator<Item = &JsonTemplate> {
        let tables = [&self.json, &self.json_not];
        let entries = tables.into_iter().filter_map(Field::given).flatten();
        entries.filter_map(|(_, field)| field.given())
    }
}
