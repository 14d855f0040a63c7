//! Resolves the requests of a scenario.

use super::action::ResolvedAction;
use super::base_url::BaseUrl;
use super::budgets::{budgets, ceilings, reachable};
use super::header::{RequestHeaders, of_entries};
use super::template_filler::TemplateFiller;
use super::{capture, expectation, http, sql, step, terms};
use crate::plan::request_plan::RequestPlan;
use crate::record::PlannedRequest;
use crate::scenario::Scenario;
use crate::scenario::file::RequestSection;

/// A request to show, a request to send, and the names of its hops and tries.
pub(super) type ResolvedRequest = (PlannedRequest, RequestPlan, Vec<String>);

/// Every request of a scenario, to show and to send; `None` after reporting an error.
pub(super) fn resolve(
    scenario: &Scenario,
    base: &BaseUrl,
    filler: &mut TemplateFiller<'_>,
) -> Option<Vec<ResolvedRequest>> {
    let headers = scenario
        .file
        .headers
        .value()
        .map_or_else(RequestHeaders::default, |entries| of_entries(entries, filler));
    filler.set_captured(captured(scenario));
    let requests: Vec<_> = scenario
        .file
        .requests()
        .enumerate()
        .map(|(at, request)| one(scenario, at, request, headers.clone(), base, filler))
        .collect();
    requests.into_iter().collect()
}

/// All values that steps capture, each with its step.
fn captured(scenario: &Scenario) -> Vec<(String, String)> {
    let of = |request: &RequestSection| {
        let names = request.capture.value().into_iter().flatten().map(|(name, _)| name.clone());
        names.map(|name| (name, request.name().to_owned())).collect::<Vec<_>>()
    };
    scenario.file.requests().flat_map(of).collect()
}

/// The requests to show, each followed by its hops and tries, and the requests to send, each with
/// its index among the former.
pub(super) fn with_those_beside(
    requests: Vec<ResolvedRequest>,
) -> (Vec<PlannedRequest>, Vec<RequestPlan>) {
    let (mut all_shown, mut plans) = (Vec::new(), Vec::new());
    for (shown, mut plan, names) in requests {
        plan.index = all_shown.len();
        let tries = plan.tries_index() - plan.index - 1;
        let beside = names.into_iter().enumerate();
        let hops: Vec<_> =
            beside.map(|(at, name)| hop(&shown, if at == tries { 0 } else { at }, name)).collect();
        all_shown.push(shown);
        all_shown.extend(hops);
        plans.push(plan);
    }
    (all_shown, plans)
}

/// How a hop or the tries of a request are shown. The target decides where a hop leads.
fn hop(request: &PlannedRequest, at: usize, name: String) -> PlannedRequest {
    let line = match at {
        0 => request.line.clone(),
        redirect => format!("{}, redirect {redirect}", request.line),
    };
    PlannedRequest {
        name,
        line,
        headers: Vec::new(),
        expectations: Vec::new(),
        budgets: Vec::new(),
        hop_of: Some(request.name.clone()),
        accepts: Vec::new(),
        terms: Vec::new(),
    }
}

fn one(
    scenario: &Scenario,
    at: usize,
    request: &RequestSection,
    headers: RequestHeaders,
    base: &BaseUrl,
    filler: &mut TemplateFiller<'_>,
) -> Option<ResolvedRequest> {
    step::begin(request, filler);
    let action = if request.sql.is_written() {
        sql::resolve(scenario, request, filler)
    } else {
        http::resolve(scenario, request, headers, base, filler)
    };
    let base_of_answer = (!request.sql.is_written()).then_some(base);
    let expected = expectation::resolve(request, base_of_answer, filler);
    let captures = capture::resolve(request, filler);
    let lacks = step::end(request, filler);
    filler.allow_captured(
        request.capture.value().into_iter().flatten().map(|(name, _)| name.as_str()),
    );
    let budgets = budgets(scenario, at, request);
    reachable(scenario, request, base, filler);
    let (ResolvedAction { line, headers, ask, mut live }, expected, captures) =
        (action?, expected?, captures?);
    live.checks = expected.live;
    let shown = PlannedRequest {
        name: request.name().to_owned(),
        line,
        headers,
        expectations: expected.lines,
        budgets: budgets.clone(),
        hop_of: None,
        accepts: step::accepts(request),
        terms: terms::of(request, &ask, &captures),
    };
    let plan = RequestPlan {
        action: ask,
        live,
        expectations: expected.expectations,
        captures,
        ceilings: ceilings(&budgets),
        tries: step::tries(request),
        accepts_absence: request.when_absent.is_written(),
        missing_variable: lacks,
        index: at,
    };
    Some((shown, plan, request.beside_names()))
}
