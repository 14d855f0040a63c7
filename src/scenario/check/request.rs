//! Requests.

use super::super::complaint::{Complaint, Complaints};
use super::super::field::{Field, Place};
use super::super::file::{File, Request};
use super::super::leaf::Words;
use super::{capture, expect, headers, name, steps};

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
    capture::names(file, complaints);
}

/// Complains about names that stand twice, those that hops are going to have among them.
fn names(file: &File, complaints: &mut Complaints) {
    let mut names: Vec<&str> = Vec::new();
    let hops: Vec<String> = file.requests().flat_map(Request::beside_names).collect();
    for (place, name) in file.requests().filter_map(|request| request.name.placed()) {
        let name = name.as_str();
        let problem = if names.contains(&name) {
            format!("two requests are named `{name}`")
        } else if hops.iter().any(|hop| hop == name) {
            format!("`{name}` is the name of a redirect or of the tries of another request")
        } else {
            names.push(name);
            continue;
        };
        complaints.add(Complaint::new(place.value.clone(), problem, "give each a name of its own"));
    }
}

fn one(place: &Place, request: &Request, complaints: &mut Complaints) {
    name(&request.name, "the request", place.key.clone(), complaints);
    steps::one(place, request, complaints);
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
    expect::all(request, complaints);
    capture::all(request, complaints);
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
        complaints.add(Complaint::new(
            place.key.clone(),
            problem,
            "a request has one body: leave one out",
        ));
    }
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

    /// The names of what is recorded beside it: its hops, one more than there are redirects where some are followed, and
    /// its tries where there may be several.
    pub fn beside_names(&self) -> Vec<String> {
        let hops = match self.redirects() {
            0 => 0,
            redirects => redirects + 1,
        };
        let hops = (1..=hops).map(|hop| format!("{}, hop {hop}", self.name()));
        hops.chain(self.is_repeated().then(|| format!("{}, each try", self.name()))).collect()
    }

    /// Whether it may take several tries.
    pub fn is_repeated(&self) -> bool {
        self.retry.is_written() || self.poll.is_written()
    }
}
