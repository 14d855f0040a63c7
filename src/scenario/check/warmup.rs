//! Checks the warm-up against its load.

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::field::{KeyLocation, ScenarioField};
use super::super::file::WarmupSection;
use super::super::load::{LoadShape, WarmupShape};

pub(super) fn shape(
    field: &ScenarioField<WarmupSection>,
    load: &LoadShape,
    diagnostics: &mut Diagnostics,
) -> Option<WarmupShape> {
    match field {
        ScenarioField::Absent => Some(load.default_warmup()),
        ScenarioField::Invalid => None,
        ScenarioField::Present(_, warmup) => of_section(warmup, load, diagnostics),
    }
}

fn of_section(
    warmup: &WarmupSection,
    load: &LoadShape,
    diagnostics: &mut Diagnostics,
) -> Option<WarmupShape> {
    let requests = warmup.requests.optional().ok()?.copied();
    let connections = warmup.connections.optional().ok()?.copied().unwrap_or_else(|| {
        let requested = requests.and_then(|requests| u32::try_from(requests).ok());
        requested.map_or(load.connections, |requests| requests.min(load.connections))
    });
    let shape =
        WarmupShape { connections, requests: requests.unwrap_or_else(|| u64::from(connections)) };
    match contradiction(warmup, shape, load) {
        Some(diagnostic) => {
            diagnostics.add(diagnostic);
            None
        }
        None => Some(shape),
    }
}

/// What makes a warm-up impossible.
fn contradiction(
    warmup: &WarmupSection,
    shape: WarmupShape,
    load: &LoadShape,
) -> Option<Diagnostic> {
    let WarmupShape { connections, requests } = shape;
    let at = |first: Option<&KeyLocation>, second: Option<&KeyLocation>| {
        Some(first.or(second)?.value.clone())
    };
    let (of_connections, of_requests) = (warmup.connections.location(), warmup.requests.location());
    if connections > load.connections {
        let problem = format!(
            "`{connections}` connections are warmed, but the load has {}",
            load.connections
        );
        let remedy = format!("write at most {}", load.connections);
        return Some(Diagnostic::new(at(of_connections, of_requests)?, problem, remedy));
    }
    let at = at(of_requests, of_connections)?;
    if requests < u64::from(connections) {
        let problem =
            format!("{requests} warm-up requests are too few for {connections} connections");
        return Some(Diagnostic::new(at, problem, format!("write {connections} or more")));
    }
    (requests > 0 && connections == 0).then(|| {
        let problem = format!("{requests} warm-up requests have no connection");
        Diagnostic::new(at, problem, "write `connections = 1` or more")
    })
}
