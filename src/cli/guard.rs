//! Load that is heavy enough to hurt goes to a foreign host only when that is asked for.

use url::Host;

use super::exit::Problem;
use crate::plan::{Load, Plan, ScenarioPlan};
use crate::units::Rate;

/// The most requests a second, and the most connections, that a host which is not this machine gets unasked.
const UNASKED: f64 = 100.0;

/// Refuses a plan that loads a foreign host beyond what may go there unasked.
pub(super) fn check(plan: &Plan, allowed: bool) -> Result<(), Problem> {
    let foreign = plan.scenarios.iter().filter(|scenario| !is_loopback(scenario));
    let weights: Vec<(&ScenarioPlan, f64)> = foreign.map(|scenario| (scenario, weight(scenario))).collect();
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let Some((heaviest, _)) = weights.iter().max_by(|a, b| a.1.total_cmp(&b.1)) else { return Ok(()) };
    if allowed || total <= UNASKED {
        return Ok(());
    }
    Err(Problem::usage(format!(
        "error: this run would send up to {total:.0} requests a second to {}, and more than {UNASKED:.0} to a host \
         that is not this machine must be asked for; add --yes-load-this-host if it may be loaded so",
        heaviest.shown.base_url
    )))
}

/// Requests a second at the peak; in the closed model one a connection, as their rate is the target's doing.
fn weight(scenario: &ScenarioPlan) -> f64 {
    match &scenario.load {
        Load::Open { schedule, .. } => {
            Rate::as_per_second(schedule.peak()).min(schedule.count() as f64) * scenario.requests.len() as f64
        }
        Load::Closed { connections, iterations, .. } => {
            f64::from(*connections).min(iterations.unwrap_or(u64::MAX) as f64)
        }
    }
}

fn is_loopback(scenario: &ScenarioPlan) -> bool {
    match scenario.target.base_url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}
