//! Checks requests.

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::field::{KeyLocation, ScenarioField};
use super::super::file::{RequestSection, ScenarioFile};
use super::super::leaf::PlainText;
use super::{capture, expect, headers, name, steps};

/// The number of redirects that browsers follow before they report a loop.
const MOST_REDIRECTS: u32 = 20;

pub(super) fn all(file: &ScenarioFile, diagnostics: &mut Diagnostics) {
    let missing = match &file.request {
        ScenarioField::Absent => Some(0..0),
        ScenarioField::Present(location, requests) if requests.is_empty() => {
            Some(location.key.clone())
        }
        ScenarioField::Present(..) | ScenarioField::Invalid => None,
    };
    if let Some(at) = missing {
        let remedy = "write the section `[[request]]` with a `name` and a `path`";
        diagnostics.add(Diagnostic::new(at, "no request is given", remedy));
    }
    for (location, request) in
        file.request.value().into_iter().flatten().filter_map(ScenarioField::located)
    {
        one(location, request, diagnostics);
    }
    names(file, diagnostics);
    capture::names(file, diagnostics);
}

/// Reports duplicate names, including those that hops and tries will have.
fn names(file: &ScenarioFile, diagnostics: &mut Diagnostics) {
    let mut names: Vec<&str> = Vec::new();
    let hops: Vec<String> = file.steps().flat_map(RequestSection::detail_names).collect();
    for (location, name) in file.steps().filter_map(|request| request.name.located()) {
        let name = name.as_str();
        let problem = if names.contains(&name) {
            format!("two requests are named `{name}`")
        } else if hops.iter().any(|hop| hop == name) {
            format!("`{name}` is already the name of a hop or of the tries of another request")
        } else {
            names.push(name);
            continue;
        };
        diagnostics.add(Diagnostic::new(location.value.clone(), problem, "give each its own name"));
    }
}

/// Reports what makes no sense in one step, whenever it runs.
pub(super) fn one(location: &KeyLocation, request: &RequestSection, diagnostics: &mut Diagnostics) {
    name(&request.name, "the request", location.key.clone(), diagnostics);
    steps::one(location, request, diagnostics);
    if let Some(entries) = request.headers.value() {
        headers(entries, diagnostics);
    }
    one_body(request, diagnostics);
    if let Some((location, &redirects)) = request.redirects.located()
        && redirects > MOST_REDIRECTS
    {
        let problem = format!("`{redirects}` redirects are more than any browser follows");
        diagnostics.add(Diagnostic::new(
            location.value.clone(),
            problem,
            format!("write at most {MOST_REDIRECTS}"),
        ));
    }
    expect::all(request, diagnostics);
    capture::all(request, diagnostics);
}

fn one_body(request: &RequestSection, diagnostics: &mut Diagnostics) {
    let bodies = [
        ("body", request.body.location()),
        ("body_json", request.body_json.location()),
        ("body_file", request.body_file.location()),
    ];
    let mut written = bodies.into_iter().filter_map(|(key, location)| Some((key, location?)));
    let Some((first, _)) = written.next() else { return };
    for (key, location) in written {
        let problem = format!("`{key}` cannot be combined with `{first}`");
        diagnostics.add(Diagnostic::new(
            location.key.clone(),
            problem,
            "a request has one body: remove one of the two",
        ));
    }
}

impl RequestSection {
    /// The name of the request; empty if it has none.
    pub fn name(&self) -> &str {
        self.name.value().map_or("", PlainText::as_str)
    }

    /// How many redirects are followed.
    pub fn redirects(&self) -> u32 {
        self.redirects.value().copied().unwrap_or_default().min(MOST_REDIRECTS)
    }

    /// The names of its hops and tries, which are recorded separately. There is one hop more than
    /// redirects, if any are followed.
    pub fn detail_names(&self) -> Vec<String> {
        let hops = match self.redirects() {
            0 => 0,
            redirects => redirects + 1,
        };
        let hops = (1..=hops).map(|hop| format!("{}, hop {hop}", self.name()));
        hops.chain(self.is_repeated().then(|| format!("{}, each try", self.name()))).collect()
    }

    /// Whether it may be tried more than once.
    pub fn is_repeated(&self) -> bool {
        self.retry.is_written() || self.poll.is_written()
    }
}
