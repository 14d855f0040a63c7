//! Refuses heavy load on a foreign host unless a flag allows it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use url::Host;

use super::exit::CommandError;
use crate::plan::{
    Environment, LoadPlan, Plan, RequestAction, RequestPlan, ScenarioPlan, TargetPlan,
};
use crate::units::Rate;

/// Maximum requests per second, and maximum burst, for a foreign host without the flag.
const FOREIGN_LIMIT: f64 = 100.0;

/// Refuses a plan that exceeds the limit for a foreign host.
///
/// Every redirect that may be followed counts for the target's own host and for each host it may
/// lead to.
pub(super) fn check(plan: &Plan, allowed: bool) -> Result<(), CommandError> {
    match heaviest(plan.scenarios.iter()).filter(|_| !allowed) {
        Some((host, weight)) => Err(refusal("this run would send", &host, weight)),
        None => Ok(()),
    }
}

/// Refuses each scenario that exceeds the limit alone. Scenarios that exceed it only together are a
/// warning: whoever checks many files need not run them at once.
pub(super) fn check_each(plan: &Plan, allowed: bool) -> Result<(), CommandError> {
    if allowed {
        return Ok(());
    }
    let alone = plan.scenarios.iter().filter_map(|scenario| {
        let (host, weight) = heaviest([scenario].into_iter())?;
        let subject = format!("`tollgate run {}` would send", scenario.shown.source);
        Some(refusal(&subject, &host, weight).to_string())
    });
    let alone: Vec<_> = alone.collect();
    if !alone.is_empty() {
        return Err(CommandError::usage(alone.join("\n")));
    }
    if let Some((host, weight)) = heaviest(plan.scenarios.iter()) {
        let problem = refusal("run together, these files would send", &host, weight).to_string();
        tracing::warn!("WARNING: {}", problem.trim_start_matches("error: "));
    }
    Ok(())
}

/// The foreign host with the most requests, if they exceed the limit.
fn heaviest<'a>(scenarios: impl Iterator<Item = &'a ScenarioPlan>) -> Option<(String, f64)> {
    let mut hosts: BTreeMap<String, f64> = BTreeMap::new();
    for scenario in scenarios {
        for (host, requests) in per_arrival(scenario) {
            *hosts.entry(host).or_default() += weight(scenario) * requests;
        }
    }
    // A check does not know the host of a variable that is not set.
    hosts.retain(|host, _| !Environment::is_placeholder(host));
    let heaviest = hosts.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
    heaviest.filter(|(_, weight)| *weight > FOREIGN_LIMIT)
}

fn refusal(subject: &str, host: &str, weight: f64) -> CommandError {
    let planned = if weight.is_finite() {
        format!("up to {weight:.0} requests per second or in a burst")
    } else {
        "requests as fast as the target responds".to_owned()
    };
    CommandError::usage(format!(
        "error: {subject} {planned} to {host}, and more than {FOREIGN_LIMIT:.0} to a host that is not this machine \
         needs your consent; add --yes-load-this-host if you may load this host"
    ))
}

/// The requests per arrival for each host that is not this machine. If an arrival sends only one of
/// the requests, the most that one of them needs.
fn per_arrival(scenario: &ScenarioPlan) -> Vec<(String, f64)> {
    if scenario.draw.is_none() {
        return foreign(scenario, &scenario.requests);
    }
    let mut most: BTreeMap<String, f64> = BTreeMap::new();
    for request in &scenario.requests {
        let mut own: BTreeMap<String, f64> = BTreeMap::new();
        for (host, requests) in foreign(scenario, std::slice::from_ref(request)) {
            *own.entry(host).or_default() += requests;
        }
        for (host, requests) in own {
            let most = most.entry(host).or_default();
            *most = most.max(requests);
        }
    }
    most.into_iter().collect()
}

/// The requests for each host that is not this machine, if each of these steps is sent once.
fn foreign(scenario: &ScenarioPlan, requests: &[RequestPlan]) -> Vec<(String, f64)> {
    let target = &scenario.target;
    let mut foreign = Vec::new();
    for request in requests.iter().filter(|request| request.missing_variable.is_none()) {
        let host = match &request.action {
            RequestAction::Http(http) => {
                http.url.host_str().filter(|host| !is_loopback(host, target))
            }
            RequestAction::Sql(sql) => {
                foreign.extend(
                    (!sql.address.is_local()).then(|| (sql.address.host().to_owned(), 1.0)),
                );
                continue;
            }
        };
        foreign.extend(host.map(|host| (host.to_owned(), 1.0)));
        let hops = f64::from(request.redirects());
        let own = target.base_url.host_str().into_iter();
        let named = scenario.named_hosts();
        let led_to: BTreeSet<&str> =
            own.chain(named).chain(target.allowed_hosts.iter().map(String::as_str)).collect();
        let led_to = led_to.into_iter();
        let led_to = led_to.filter(|host| hops > 0.0 && !is_loopback(host, target));
        foreign.extend(led_to.map(|host| (host.to_owned(), hops)));
    }
    for (host, _) in &mut foreign {
        host.truncate(host.trim_end_matches('.').len());
    }
    foreign
}

/// Maximum arrivals per second or in the burst of a warm-up. Infinite in a closed model that only
/// its duration ends.
fn weight(scenario: &ScenarioPlan) -> f64 {
    let measured = match &scenario.load {
        LoadPlan::Open { schedule, .. } => {
            Rate::as_per_second(schedule.peak()).min(schedule.count() as f64)
        }
        LoadPlan::Closed { iterations, .. } => iterations.map_or(f64::INFINITY, |all| all as f64),
    };
    let share = scenario.shown.side_share();
    (measured * share).max(scenario.warmup.requests as f64)
}

/// A host of a scenario's requests that is the machine that sends them.
pub(super) fn loopback_host(scenario: &ScenarioPlan) -> Option<&str> {
    scenario.requests.iter().find_map(|request| match &request.action {
        RequestAction::Http(http) => {
            http.url.host_str().filter(|host| is_loopback(host, &scenario.target))
        }
        RequestAction::Sql(sql) => Some(sql.address.host()).filter(|_| sql.address.is_local()),
    })
}

/// Whether a host is this machine: by the addresses given for the base URL's port, else by its
/// name. One given address elsewhere makes the host foreign.
fn is_loopback(host: &str, target: &TargetPlan) -> bool {
    let pinned: Vec<_> = target
        .pinned_addresses
        .iter()
        .filter(|pinned| pinned.host.eq_ignore_ascii_case(host))
        .collect();
    let port = target.base_url.port_or_known_default();
    let local = pinned.iter().all(|pinned| pinned.addresses.iter().all(IpAddr::is_loopback));
    local && (is_loopback_name(host) || pinned.iter().any(|pinned| Some(pinned.port) == port))
}

fn is_loopback_name(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Ipv4(ip)) => ip.is_loopback(),
        Ok(Host::Ipv6(ip)) => ip.is_loopback(),
        Ok(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{PinnedAddresses, PlanOverrides};
    use crate::scenario::Scenario;

    /// Whether a plan of 60 requests per second to `base_url` is allowed after `change`.
    fn is_allowed(base_url: &str, change: impl Fn(&mut ScenarioPlan)) -> bool {
        let text = format!(
            "name = \"s\"\nbudgets = [\"errors = 0\"]\n[target]\nbase_url = \"{base_url}\"\n\
             [[request]]\nname = \"a\"\npath = \"/\"\n[load]\narrival_rate = \"60/s\"\nduration = \"9s\"\n"
        );
        let scenario = Scenario::parse("s.toml", &text).unwrap();
        let environment = Environment::new([]);
        let (mut plan, _) =
            Plan::resolve(&[scenario], &environment, &PlanOverrides::default()).unwrap();
        change(&mut plan.scenarios[0]);
        check(&plan, false).is_ok()
    }

    fn pinned(text: &str) -> Vec<PinnedAddresses> {
        vec![text.parse().unwrap()]
    }

    #[test]
    fn a_host_is_this_machine_only_if_its_addresses_are() {
        let fast = |plan: &mut ScenarioPlan| plan.warmup.requests = 500;
        assert!(is_allowed("http://localhost", fast));
        assert!(!is_allowed("http://foreign.example", fast));
        for (base_url, resolve, local) in [
            ("http://foreign.example", "foreign.example:80:127.0.0.1,[::1]", true),
            ("http://foreign.example", "foreign.example:81:127.0.0.1", false),
            ("http://foreign.example", "foreign.example:80:127.0.0.1,192.0.2.1", false),
            ("http://localhost", "localhost:80:192.0.2.1", false),
        ] {
            let change = |plan: &mut ScenarioPlan| {
                fast(plan);
                plan.target.pinned_addresses = pinned(resolve);
            };
            assert_eq!(is_allowed(base_url, change), local, "{resolve}");
        }
    }

    #[test]
    fn a_host_that_redirects_may_lead_to_counts_like_the_target() {
        let redirecting = |redirects| {
            move |plan: &mut ScenarioPlan| {
                plan.target.allowed_hosts = vec!["login.example".to_owned()];
                plan.requests[0].http_mut().redirects = redirects;
                plan.requests.push(plan.requests[0].clone());
            }
        };
        assert!(is_allowed("http://localhost", redirecting(0)));
        assert!(
            !is_allowed("http://localhost", redirecting(1)),
            "2 × 60/s may be redirected to login.example"
        );
    }
}
