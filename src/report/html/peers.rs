//! Exchanges and exceedances by remote address.

use maud::{Markup, html};

use super::scrolling;
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
    let table = html! {
        table {
            thead { tr { @for (at, head) in request.peers.heads.iter().enumerate() {
                th.number[at > 0] scope="col" { (head) }
            } } }
            tbody { @for row in &request.peers.rows { tr {
                @for (at, cell) in row.iter().enumerate() {
                    @if at == 0 { th scope="row" { (cell) } } @else { td.number { (cell) } }
                }
            } } }
        }
    };
    html! {
        div.card {
            h3 { (place) }
            (scrolling(&format!("By address: {place}"), &table))
        }
    }
}
