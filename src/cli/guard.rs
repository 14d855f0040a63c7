//! Load that is heavy enough to hurt goes to a foreign host only when that is asked for.

use std::collections::BTreeMap;

use url::Host;

use super::exit::Problem;
use crate::plan::{Load, Plan, ScenarioPlan};
use crate::units::Rate;

/// The most requests a second, and the most in a burst, that a host which is not this machine gets unasked.
const UNASKED: f64 = 100.0;

/// Refuses a plan that loads a foreign host beyond what may go there unasked.
pub(super) fn check(plan: &Plan, allowed: bool) -> Result<(), Problem> {
    let mut hosts: BTreeMap<String, f64> = BTreeMap::new();
    for scenario in plan.scenarios.iter().filter(|scenario| !is_loopback(scenario)) {
        let host = scenario.target.base_url.host_str().unwrap_or_default().to_owned();
        *hosts.entry(host).or_default() += weight(scenario);
    }
    let heaviest =
        hosts.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, weight)| *weight > UNASKED);
    let Some((host, weight)) = heaviest.filter(|_| !allowed) else { return Ok(()) };
    let planned = if weight.is_finite() {
        format!("up to {weight:.0} requests a second or in a burst")
    } else {
        "requests as fast as they are answered".to_owned()
    };
    Err(Problem::usage(format!(
        "error: this run would send {planned} to {host}, and more than {UNASKED:.0} to a host that is not this machine \
         must be asked for; add --yes-load-this-host if it may be loaded so"
    )))
}

/// The most requests a second, or in the burst of a warm-up; without bound in a closed model that only time ends.
fn weight(scenario: &ScenarioPlan) -> f64 {
    let measured = match &scenario.load {
        Load::Open { schedule, .. } => Rate::as_per_second(schedule.peak()).min(schedule.count() as f64),
        Load::Closed { iterations, .. } => iterations.map_or(f64::INFINITY, |all| all as f64),
    };
    measured.max(scenario.warmup.requests as f64) * scenario.requests.len() as f64
}

fn is_loopback(scenario: &ScenarioPlan) -> bool {
    match scenario.target.base_url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}
