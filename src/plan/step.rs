//! What a step may come to beside ok and failed, and how often it is tried.

use std::time::Duration;

use super::Tries;
use super::filling::Filler;
use crate::record::Failure;
use crate::scenario::file::Request;
use crate::scenario::{Field, When};

/// Begins a step: one that may lack a variable is left out where it does.
pub(super) fn begin(request: &Request, filler: &mut Filler<'_>) {
    filler.begin(request.name(), request.when_unconfigured.is_written());
}

/// Ends a step; what it lacks to be carried out.
pub(super) fn end(request: &Request, filler: &mut Filler<'_>) -> Option<String> {
    let lacks = filler.end()?;
    if let Some(place) = request.name.place() {
        let problem = format!("{lacks}: this step will not be carried out");
        filler.doubt(
            &place.value,
            problem,
            "set it, or leave it: the step is then reported as not configured",
        );
    }
    Some(lacks)
}

/// What it may come to without holding up a pass.
pub(super) fn accepts(request: &Request) -> Vec<Failure> {
    let accepted =
        |field: &Field<When>, failure| (field.given() == Some(&When::Accept)).then_some(failure);
    let absent = accepted(&request.when_absent, Failure::Absent);
    let not_configured = accepted(&request.when_unconfigured, Failure::NotConfigured);
    absent.into_iter().chain(not_configured).collect()
}

/// How often it is tried.
pub(super) fn tries(request: &Request) -> Tries {
    if let Some(retry) = request.retry.given() {
        let times = retry.times.given().copied().unwrap_or_default();
        return Tries::Retry { times, after: retry.after.given().copied().unwrap_or_default() };
    }
    let duration = |field: &Field<Duration>| field.given().copied().unwrap_or_default();
    match request.poll.given() {
        Some(poll) => Tries::Poll { every: duration(&poll.every), within: duration(&poll.within) },
        None => Tries::One,
    }
}
