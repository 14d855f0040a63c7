//! What a step may come to beside ok and failed, and how often it is tried.

use std::time::Duration;

use super::template_filler::TemplateFiller;
use crate::plan::request_plan::Tries;
use crate::record::Failure;
use crate::scenario::file::RequestSection;
use crate::scenario::{Field, MissingPolicy};

/// Begins a step: one that may lack a variable is left out where it does.
pub(super) fn begin(request: &RequestSection, filler: &mut TemplateFiller<'_>) {
    filler.begin_step(request.name(), request.when_unconfigured.is_written());
}

/// Ends a step; what it lacks to be carried out.
pub(super) fn end(request: &RequestSection, filler: &mut TemplateFiller<'_>) -> Option<String> {
    let missing_variable = filler.end_step()?;
    if let Some(location) = request.name.location() {
        let problem = format!("{missing_variable}: this step will not be carried out");
        filler.warn(
            &location.value,
            problem,
            "set it, or leave it: the step is then reported as not configured",
        );
    }
    Some(missing_variable)
}

/// What it may come to without holding up a pass.
pub(super) fn accepts(request: &RequestSection) -> Vec<Failure> {
    let accepted = |field: &Field<MissingPolicy>, failure| {
        (field.value() == Some(&MissingPolicy::Accept)).then_some(failure)
    };
    let absent = accepted(&request.when_absent, Failure::Absent);
    let not_configured = accepted(&request.when_unconfigured, Failure::NotConfigured);
    absent.into_iter().chain(not_configured).collect()
}

/// How often it is tried.
pub(super) fn tries(request: &RequestSection) -> Tries {
    if let Some(retry) = request.retry.value() {
        let times = retry.times.value().copied().unwrap_or_default();
        return Tries::Retry { times, after: retry.after.value().copied().unwrap_or_default() };
    }
    let duration = |field: &Field<Duration>| field.value().copied().unwrap_or_default();
    match request.poll.value() {
        Some(poll) => Tries::Poll { every: duration(&poll.every), within: duration(&poll.within) },
        None => Tries::One,
    }
}
