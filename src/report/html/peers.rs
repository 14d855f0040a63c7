//! Exchanges and exceedances by remote address.

use maud::{Markup, html};

use super::{figures_table, scrolling};
use crate::report::model::{ReportModel, RequestView, ScenarioView};

/// One table for each request with several remote addresses.
pub(super) fn tables(model: &ReportModel) -> Markup {
    let spread: Vec<_> =
        model.requests().filter(|(_, request)| !request.peers.rows.is_empty()).collect();
    html! {
        @if !spread.is_empty() {
            section {
                h2 { "By address" }
                @for (scenario, request) in spread { (table(scenario, request)) }
            }
        }
    }
}

fn table(scenario: &ScenarioView, request: &RequestView) -> Markup {
    let place = scenario.place(request);
    let table = figures_table(&request.peers.heads, &request.peers.rows);
    html! {
        div.card {
            h3 { (place) }
            (scrolling(&format!("By address: {place}"), &table))
        }
    }
}
