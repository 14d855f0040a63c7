//! Resolves the requests of a scenario.

use super::action::ResolvedAction;
use super::base_url::BaseUrl;
use super::budgets::{budgets, ceilings, reachable};
use super::header::{RequestHeaders, of_entries};
use super::template_filler::{CaptureName, StepTime, TemplateFiller};
use super::{capture, expectation, http, sql, step, terms};
use crate::plan::request_plan::RequestPlan;
use crate::record::PlannedRequest;
use crate::scenario::Scenario;
use crate::scenario::file::RequestSection;

/// A request to show, a request to send, and the names of its hops and tries.
pub(super) type ResolvedRequest = (PlannedRequest, RequestPlan, Vec<String>);

/// The steps of a scenario, by the time at which they run.
pub(super) struct ResolvedSteps {
    pub(super) setup: Vec<ResolvedRequest>,
    pub(super) requests: Vec<ResolvedRequest>,
    pub(super) teardown: Vec<ResolvedRequest>,
}

/// Every step of a scenario, to show and to send; `None` after reporting an error.
pub(super) fn resolve(
    scenario: &Scenario,
    base: &BaseUrl,
    filler: &mut TemplateFiller<'_>,
) -> Option<ResolvedSteps> {
    filler.set_captured(captured(scenario));
    filler.begin_time(StepTime::Arrival);
    let headers = scenario
        .file
        .headers
        .value()
        .map_or_else(RequestHeaders::default, |entries| of_entries(entries, filler));
    let mut all = |time| {
        filler.begin_time(time);
        let steps = steps_of(scenario, time).into_iter().enumerate();
        let resolved: Vec<_> = steps
            .map(|(at, step)| {
                let headers = headers.clone().usable(filler);
                one(scenario, (time, at), step, headers, base, filler)
            })
            .collect();
        resolved.into_iter().collect::<Option<Vec<_>>>()
    };
    let [setup, requests, teardown] =
        [StepTime::Setup, StepTime::Arrival, StepTime::Teardown].map(&mut all);
    Some(ResolvedSteps { setup: setup?, requests: requests?, teardown: teardown? })
}

fn steps_of(scenario: &Scenario, time: StepTime) -> Vec<&RequestSection> {
    match time {
        StepTime::Setup => scenario.file.setup().collect(),
        StepTime::Arrival => scenario.file.requests().collect(),
        StepTime::Teardown => scenario.file.teardown().collect(),
    }
}

/// All values that steps capture.
fn captured(scenario: &Scenario) -> Vec<CaptureName> {
    let of = |(time, request): (StepTime, &RequestSection)| {
        let names = request.capture.value().into_iter().flatten().map(|(name, _)| name.clone());
        let step = request.name().to_owned();
        names.map(|name| CaptureName { name, step: step.clone(), time }).collect::<Vec<_>>()
    };
    [StepTime::Setup, StepTime::Arrival, StepTime::Teardown]
        .into_iter()
        .flat_map(|time| steps_of(scenario, time).into_iter().map(move |step| (time, step)))
        .flat_map(of)
        .collect()
}

/// The requests to show, each followed by its hops and tries, and the requests to send, each with
/// its index among the former.
pub(super) fn with_hops_and_tries(
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
        baselines: Vec::new(),
        hop_of: Some(request.name.clone()),
        accepts: Vec::new(),
        terms: Vec::new(),
    }
}

fn one(
    scenario: &Scenario,
    (time, at): (StepTime, usize),
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
    let budgets = match time {
        StepTime::Arrival => budgets(scenario, at, request),
        StepTime::Setup | StepTime::Teardown => Vec::new(),
    };
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
        baselines: Vec::new(),
        hop_of: None,
        accepts: step::accepts(request),
        terms: terms::of(&scenario.file, request, &ask, &captures),
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
    Some((shown, plan, request.detail_names()))
}
