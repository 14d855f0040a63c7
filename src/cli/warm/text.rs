//! The result of a warm-up in lines for people.

use super::outcome::{FirstAnswer, RequestWarming, ScenarioWarming, WarmingOutcome};
use super::series::SteadyFigures;
use crate::record::FailureEvidence;
use crate::record::session::CurveClass;
use crate::units::format_duration;

/// The warm-up of one scenario: how it ended, the first answer, each request, what to do next.
pub(super) fn lines(warming: &ScenarioWarming) -> String {
    let ScenarioWarming { scenario, base_url, outcome, first_answer, requests, .. } = warming;
    let mut lines = vec![format!("{}  {scenario}  {base_url}", outcome.words())];
    if let Some(first) = first_answer {
        lines.push(first_line(first));
    }
    lines.extend(requests.iter().flat_map(request_lines));
    lines.extend(warming.failure.as_ref().map(failure_line));
    lines.extend(advice(*outcome).map(str::to_owned));
    lines.join("\n  ")
}

fn first_line(first: &FirstAnswer) -> String {
    let after = format_duration(first.after);
    if first.connection.is_zero() {
        return format!("first answer after {after}");
    }
    let connection = format_duration(first.connection);
    format!("first answer after {after}, of which {connection} to open the connection")
}

fn request_lines(request: &RequestWarming) -> Vec<String> {
    match (&request.steady, &request.left_out) {
        (Some(figures), _) => steady_lines(&request.request, figures),
        (None, Some(why)) => vec![left_out_line(&request.request, why)],
        (None, None) => vec![unsteady_line(request)],
    }
}

fn steady_lines(name: &str, figures: &SteadyFigures) -> Vec<String> {
    let SteadyFigures { class, from_request, after, p50, p95, requests, cold_cost } = figures;
    let [after, p50, p95, cost] = [after, p50, p95, cold_cost].map(|time| format_duration(*time));
    let mut lines = vec![format!(
        "{name}: steady from request {from_request}, {after} after the first; \
         p50 {p50}, p95 {p95} over {requests} requests"
    )];
    match from_request - 1 {
        cold if cold == 0 || cold_cost.is_zero() => {}
        1 => lines.push(format!("  the request before it took {cost} more than a steady one")),
        cold => lines.push(format!(
            "  the {cold} requests before it took {cost} more than as many steady ones"
        )),
    }
    if *class == CurveClass::Slowdown {
        lines.push(
            "  it was faster before: a spent CPU quota or a filling cache can do that".to_owned(),
        );
    }
    lines
}

/// `partner: left out, not configured: variable PARTNER_URL is not set`
fn left_out_line(name: &str, why: &FailureEvidence) -> String {
    format!("{name}: left out, {}", failure_line(why))
}

fn unsteady_line(request: &RequestWarming) -> String {
    let RequestWarming { request, sent, failed, last_p50, .. } = request;
    if *sent == 0 {
        return format!("{request}: nothing measured");
    }
    let noun = if *sent == 1 { "request" } else { "requests" };
    if failed == sent {
        return format!("{request}: {sent} {noun}, all failed");
    }
    let p50 = last_p50.map(|p50| format!("; p50 {} at the end", format_duration(p50)));
    let failed = if *failed > 0 { format!(", {failed} failed") } else { String::new() };
    format!("{request}: not steady after {sent} {noun}{failed}{}", p50.unwrap_or_default())
}

/// `unexpected status: 503, expected status = 200`.
fn failure_line(evidence: &FailureEvidence) -> String {
    let FailureEvidence { failure, expected, seen, .. } = evidence;
    let expected =
        if expected.is_empty() { String::new() } else { format!(", expected {expected}") };
    let failure = failure.description();
    if seen.contains(failure) { seen.clone() } else { format!("{failure}: {seen}{expected}") }
}

/// What to do about an outcome.
fn advice(outcome: WarmingOutcome) -> Option<&'static str> {
    match outcome {
        WarmingOutcome::Steady | WarmingOutcome::Interrupted => None,
        WarmingOutcome::NothingSent => {
            Some("set the variables that the scenario needs, and check this machine and its proxy")
        }
        WarmingOutcome::NotMeasured => Some(
            "every request has to be answered before the target is warm: set the variables that it \
             needs, fix the step before it, or accept its absence in the scenario",
        ),
        WarmingOutcome::NotSteady => {
            Some("give it more time with --limit, or find out what keeps changing")
        }
        WarmingOutcome::WrongAnswers => Some("fix the target or the scenario's expectations"),
        WarmingOutcome::SetupFailed => Some("fix the step of [[setup]] that failed"),
        WarmingOutcome::TargetDown => Some("find out why the target went down under a low load"),
        WarmingOutcome::NoAnswer => Some(
            "check that the target runs and is reachable from here; a longer boot needs \
             --boot-limit",
        ),
    }
}
