//! Checks weighted requests: each arrival sends only one of them.

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::field::KeyLocation;
use super::super::file::{RequestSection, ScenarioFile};
use super::super::leaf::RequestWeight;
use super::super::load::{LoadModel, LoadShape};

/// Reports what has no meaning if each arrival sends only one request.
pub(super) fn all(file: &ScenarioFile, load: Option<&LoadShape>, diagnostics: &mut Diagnostics) {
    let Some(weight) = file.requests().find_map(|request| request.weight.location()) else {
        return;
    };
    if load.is_some_and(|load| load.model == LoadModel::Once) {
        diagnostics.add(Diagnostic::new(
            weight.key.clone(),
            "`weight` cannot be combined with a single arrival, which sends only one of the requests",
            "write `[load]` with `arrival_rate` and `duration`, or remove the weights",
        ));
    }
    for request in file.requests() {
        diagnostics.add_all(captures(request).map(|location| {
            Diagnostic::new(
                location.key.clone(),
                "`capture` cannot be combined with `weight`: no other request of the arrival follows",
                "remove it, or remove the weights: each arrival then sends all requests in order",
            )
        }));
    }
}

fn captures(request: &RequestSection) -> Option<&KeyLocation> {
    request
        .capture
        .location()
        .filter(|_| request.capture.value().is_some_and(|all| !all.is_empty()))
}

impl ScenarioFile {
    /// Whether each arrival sends only one of the requests, drawn by their weights.
    pub fn is_weighted(&self) -> bool {
        self.requests().any(|request| request.weight.is_written())
    }
}

impl RequestSection {
    /// Its weight among the requests of a weighted scenario.
    pub fn weight(&self) -> u32 {
        let weight = self.weight.value().copied();
        weight.map_or(1, |RequestWeight(weight)| weight)
    }
}
