//! How often a step is tried, and which further outcomes it may have.

use std::time::Duration;

use super::template_filler::TemplateFiller;
use crate::plan::request_plan::RetryPlan;
use crate::record::Failure;
use crate::scenario::file::RequestSection;
use crate::scenario::{MissingPolicy, ScenarioField};

/// Starts a step. With `when_unconfigured`, a missing variable skips it.
pub(super) fn begin(request: &RequestSection, filler: &mut TemplateFiller<'_>) {
    filler.begin_step(request.name(), request.when_unconfigured.is_written());
}

/// Ends a step. Returns why it is skipped, if it is.
pub(super) fn end(request: &RequestSection, filler: &mut TemplateFiller<'_>) -> Option<String> {
    let missing_variable = filler.end_step()?;
    if let Some(location) = request.name.location() {
        let problem = format!("{missing_variable}: this step will be skipped");
        filler.warn(
            &location.value,
            problem,
            "set it; otherwise the step is reported as not configured",
        );
    }
    Some(missing_variable)
}

/// The failures that do not prevent a pass.
pub(super) fn accepts(request: &RequestSection) -> Vec<Failure> {
    let accepted = |field: &ScenarioField<MissingPolicy>, failure| {
        (field.value() == Some(&MissingPolicy::Accept)).then_some(failure)
    };
    let absent = accepted(&request.when_absent, Failure::Absent);
    let not_configured = accepted(&request.when_unconfigured, Failure::NotConfigured);
    absent.into_iter().chain(not_configured).collect()
}

/// How often the step is tried.
pub(super) fn tries(request: &RequestSection) -> RetryPlan {
    if let Some(retry) = request.retry.value() {
        let times = retry.times.value().copied().unwrap_or_default();
        return RetryPlan::Retry { times, after: retry.after.value().copied().unwrap_or_default() };
    }
    let duration = |field: &ScenarioField<Duration>| field.value().copied().unwrap_or_default();
    match request.poll.value() {
        Some(poll) => {
            RetryPlan::Poll { every: duration(&poll.every), within: duration(&poll.within) }
        }
        None => RetryPlan::Once,
    }
}
