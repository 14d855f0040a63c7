//! The budgets and ceilings of one request.

use super::base_url::BaseUrl;
use super::template_filler::TemplateFiller;
use crate::record::{Budget, Ceiling, Dimension};
use crate::scenario::file::RequestSection;
use crate::scenario::{Scenario, ScenarioField};

/// The budgets of the scenario and of the request, each once.
///
/// Only the first request of an arrival opens a connection, so the scenario's budgets on opening
/// one judge only that request. With weights, every request is the first one of its arrivals.
pub(super) fn budgets(scenario: &Scenario, at: usize, request: &RequestSection) -> Vec<Budget> {
    let is_first = at == 0 || scenario.file.is_weighted();
    let opens = |budget: &Budget| budget.dimension().is_some_and(Dimension::needs_fresh_connection);
    let written = |field: &ScenarioField<Vec<ScenarioField<Budget>>>| {
        field
            .value()
            .into_iter()
            .flatten()
            .filter_map(ScenarioField::value)
            .copied()
            .collect::<Vec<_>>()
    };
    let shared =
        written(&scenario.file.budgets).into_iter().filter(|budget| is_first || !opens(budget));
    let mut budgets: Vec<Budget> = Vec::new();
    for budget in shared.chain(written(&request.budgets)) {
        if !budgets.contains(&budget) {
            budgets.push(budget);
        }
    }
    budgets
}

pub(super) fn ceilings(budgets: &[Budget]) -> Vec<Ceiling> {
    let mut ceilings = Vec::new();
    for (dimension, limit) in budgets.iter().filter_map(Budget::ceiling) {
        let ceiling = Ceiling { dimension, limit };
        if !ceilings.contains(&ceiling) {
            ceilings.push(ceiling);
        }
    }
    ceilings
}

/// Reports budgets on phases that never happen with this URL: TLS over http, or the lookup of a
/// known address. A request with redirects is left out, because another origin may have these
/// phases.
pub(super) fn reachable(
    scenario: &Scenario,
    request: &RequestSection,
    base: &BaseUrl,
    filler: &mut TemplateFiller<'_>,
) {
    if base.guessed || request.redirects() > 0 || !request.path.is_written() {
        return;
    }
    let is_first =
        scenario.file.requests().next().is_some_and(|first| std::ptr::eq(first, request));
    let shared = is_first.then_some(&scenario.file.budgets);
    for field in shared.into_iter().chain([&request.budgets]) {
        for (location, budget) in
            field.value().into_iter().flatten().filter_map(ScenarioField::located)
        {
            let Some(dimension) = budget.dimension() else { continue };
            let why = match dimension {
                Dimension::Tls | Dimension::TlsFull | Dimension::TlsResumed
                    if base.url.scheme() == "http" =>
                {
                    Some("the target is http")
                }
                Dimension::Dns => base.no_lookup,
                Dimension::Proxy => base.no_tunnel,
                _ => None,
            };
            let Some(why) = why else { continue };
            let origin = scenario.budget_origin.as_ref();
            let origin = origin.map(|origin| format!("`{origin}`: ")).unwrap_or_default();
            let problem = format!("{origin}`{dimension}` is never entered: {why}");
            filler.report::<()>(&location.value, problem, "remove this budget");
        }
    }
}
