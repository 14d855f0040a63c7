//! What is taken from answers.

use http::Method;

use super::super::complaint::{Complaint, Complaints};
use super::super::field::Place;
use super::super::file::{Capture, File, Request};
use super::super::template;
use super::expect::{header_name, no_body, pointer};

/// Names of values that there are without being captured.
const BUILT_IN: [&str; 1] = ["uuid"];

pub(super) fn all(request: &Request, complaints: &mut Complaints) {
    for (name, field) in request.capture.given().into_iter().flatten() {
        let Some(place) = field.place() else { continue };
        self::name(name, place, complaints);
        let Some(capture) = field.given() else { continue };
        source(capture, place, complaints);
        if request.method.given() == Some(&Method::HEAD) {
            let bodily = [("json", capture.json.place()), ("regex", capture.regex.place())];
            let written = bodily.into_iter().filter_map(|(key, place)| Some((key, place?)));
            no_body("found", written, complaints);
        }
        if let Some((place, header)) = capture.header.placed() {
            header_name(header.as_str(), &place.value, complaints);
        }
        if let Some((place, json)) = capture.json.placed() {
            pointer(json.as_str(), &place.value, complaints);
        }
    }
}

/// Complains about names that two steps give: whose value a later step sends would depend on which of them failed.
pub(super) fn names(file: &File, complaints: &mut Complaints) {
    let mut known: Vec<&str> = Vec::new();
    for (name, field) in
        file.requests().flat_map(|request| request.capture.given().into_iter().flatten())
    {
        if known.contains(&name.as_str())
            && let Some(place) = field.place()
        {
            let problem = format!("another step captures `{name}` already");
            complaints.add(Complaint::new(
                place.key.clone(),
                problem,
                "give each value a name of its own",
            ));
        }
        known.push(name);
    }
}

fn name(name: &str, place: &Place, complaints: &mut Complaints) {
    let (problem, remedy) = if BUILT_IN.contains(&name) {
        (
            format!("`{name}` is the name of a value that is there without being captured"),
            "choose another name",
        )
    } else if !template::is_name(name) {
        (
            format!("`{name}` is no name of a captured value"),
            "write letters, digits and `_`, and no digit first",
        )
    } else {
        return;
    };
    complaints.add(Complaint::new(place.key.clone(), problem, remedy));
}

/// Complains unless a value is found in exactly one way.
fn source(capture: &Capture, place: &Place, complaints: &mut Complaints) {
    let sources = [
        ("header", capture.header.is_written(), capture.header.place()),
        ("json", capture.json.is_written(), capture.json.place()),
        ("regex", capture.regex.is_written(), capture.regex.place()),
    ];
    let mut written = sources.into_iter().filter(|(_, is_written, _)| *is_written);
    let Some((first, ..)) = written.next() else {
        let remedy =
            "write one of `{ header = \"…\" }`, `{ json = \"/…\" }` and `{ regex = \"…\" }`";
        complaints.add(Complaint::new(
            place.value.clone(),
            "nothing says where the value is found",
            remedy,
        ));
        return;
    };
    for (key, place) in written.filter_map(|(key, _, place)| Some((key, place?))) {
        let problem = format!("`{key}` cannot stand with `{first}`");
        complaints.add(Complaint::new(
            place.key.clone(),
            problem,
            "a value is found in one way: leave one out",
        ));
    }
}
