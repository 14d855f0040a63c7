//! Requests and what is expected of their answers.

use http::Method;

use super::super::complaint::{Complaint, Complaints};
use super::super::field::{Field, Place};
use super::super::file::{Expect, File, Request};
use super::super::leaf::Words;
use super::super::template::Template;
use super::{headers, name, require};
use crate::units::ByteSize;

/// Bodies are held in memory, one for each exchange under way.
const LARGEST_BODY: ByteSize = ByteSize(1 << 30);

/// What browsers follow before they call it a loop.
const MOST_REDIRECTS: u32 = 20;

pub(super) fn all(file: &File, complaints: &mut Complaints) {
    let missing = match &file.request {
        Field::Absent => Some(0..0),
        Field::Given(place, requests) if requests.is_empty() => Some(place.key.clone()),
        Field::Given(..) | Field::Broken => None,
    };
    if let Some(at) = missing {
        let remedy = "write the section `[[request]]` with a `name` and a `path`";
        complaints.add(Complaint::new(at, "no request is given", remedy));
    }
    for (place, request) in file.request.given().into_iter().flatten().filter_map(Field::placed) {
        one(place, request, complaints);
    }
    names(file, complaints);
}

/// Complains about names that stand twice, those that hops are going to have among them.
fn names(file: &File, complaints: &mut Complaints) {
    let mut names: Vec<&str> = Vec::new();
    let hops: Vec<String> = file.requests().flat_map(Request::hop_names).collect();
    for (place, name) in file.requests().filter_map(|request| request.name.placed()) {
        let name = name.as_str();
        let problem = if names.contains(&name) {
            format!("two requests are named `{name}`")
        } else if hops.iter().any(|hop| hop == name) {
            format!("`{name}` is the name of a redirect that another request follows")
        } else {
            names.push(name);
            continue;
        };
        complaints.add(Complaint::new(place.value.clone(), problem, "give each a name of its own"));
    }
}

fn one(place: &Place, request: &Request, complaints: &mut Complaints) {
    name(&request.name, "the request", place.key.clone(), complaints);
    require(&request.path, "path", "\"/…\"", place.key.clone(), complaints);
    if let Some(entries) = request.headers.given() {
        headers(entries, complaints);
    }
    one_body(request, complaints);
    if let Some((place, &redirects)) = request.redirects.placed()
        && redirects > MOST_REDIRECTS
    {
        let problem = format!("`{redirects}` redirects are more than any browser follows");
        complaints.add(Complaint::new(
            place.value.clone(),
            problem,
            format!("write at most {MOST_REDIRECTS}"),
        ));
    }
    if let Some(expect) = request.expect.given() {
        expectations(expect, complaints);
        if request.method.given() == Some(&Method::HEAD) {
            no_body(expect, complaints);
        }
    }
}

fn one_body(request: &Request, complaints: &mut Complaints) {
    let bodies = [
        ("body", request.body.place()),
        ("body_json", request.body_json.place()),
        ("body_file", request.body_file.place()),
    ];
    let mut written = bodies.into_iter().filter_map(|(key, place)| Some((key, place?)));
    let Some((first, _)) = written.next() else { return };
    for (key, place) in written {
        let problem = format!("`{key}` cannot stand with `{first}`");
        complaints.add(Complaint::new(place.key.clone(), problem, "a request has one body: leave one out"));
    }
}

fn no_body(expect: &Expect, complaints: &mut Complaints) {
    let bodily = [
        ("body_contains", expect.body_contains.place()),
        ("body_lacks", expect.body_lacks.place()),
        ("json", expect.json.place()),
    ];
    for (key, place) in bodily.into_iter().filter_map(|(key, place)| Some((key, place?))) {
        let problem = format!("`{key}` can never be judged: an answer to `HEAD` has no body");
        complaints.add(Complaint::new(
            place.key.clone(),
            problem,
            "leave it out, or write `method = \"GET\"`",
        ));
    }
}

fn expectations(expect: &Expect, complaints: &mut Complaints) {
    for (name, field) in expect.headers.given().into_iter().flatten() {
        if let Some(place) = field.place()
            && http::HeaderName::from_bytes(name.as_bytes()).is_err()
        {
            let problem = format!("`{name}` is no name of a header");
            complaints.add(Complaint::new(place.key.clone(), problem, "write letters, digits and `-`"));
        }
    }
    markers(expect, complaints);
    pointers(expect, complaints);
    if let Some((place, &size)) = expect.max_body.placed()
        && size > LARGEST_BODY
    {
        let problem = "bodies of that size do not fit into memory";
        complaints.add(Complaint::new(place.value.clone(), problem, "write at most `\"1 GiB\"`"));
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
                complaints.add(Complaint::new(place.value.clone(), problem, "write the text to look for"));
            }
        }
    }
    for (place, text) in expect.body_lacks.given().into_iter().flatten().filter_map(Field::placed) {
        if !text.parts().is_empty() && contains(&expect.body_contains, text) {
            let problem = "no body both contains and lacks the same text";
            complaints.add(Complaint::new(place.value.clone(), problem, "leave one of the two out"));
        }
    }
}

fn pointers(expect: &Expect, complaints: &mut Complaints) {
    for (pointer, field) in expect.json.given().into_iter().flatten() {
        if let Some(place) = field.place()
            && !is_pointer(pointer)
        {
            complaints.add(Complaint::new(
                place.key.clone(),
                format!("`{pointer}` is no JSON pointer"),
                format!("write `\"/{}\"` (RFC 6901)", pointer.replace('.', "/")),
            ));
        }
    }
}

fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes
}

impl Request {
    /// Its name; empty where it has none.
    pub fn name(&self) -> &str {
        self.name.given().map_or("", Words::as_str)
    }

    /// How many redirects are followed.
    pub fn redirects(&self) -> u32 {
        self.redirects.given().copied().unwrap_or_default().min(MOST_REDIRECTS)
    }

    /// The names of its hops, which are recorded where redirects are followed: one more than there are redirects.
    pub fn hop_names(&self) -> Vec<String> {
        match self.redirects() {
            0 => Vec::new(),
            redirects => (1..=redirects + 1).map(|hop| format!("{}, hop {hop}", self.name())).collect(),
        }
    }
}
