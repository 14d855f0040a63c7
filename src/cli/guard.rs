//! Refuses heavy load on a foreign host unless a flag allows it, and plans that are too large.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::exit::CommandError;
use crate::plan::{
    Environment, FOREIGN_LIMIT, LoadConsent, LoadPlan, Plan, RequestAction, RequestPlan, RetryPlan,
    ScenarioPlan,
};
use crate::record::RunRecord;
use crate::units::Rate;

/// Refuses a plan that has more requests than a run, or that exceeds the limit for a foreign host
/// without consent.
///
/// Every try and every redirect that may be followed counts, a redirect for the target's own host
/// and for each host it may lead to. The engine holds the same limit while it sends.
pub(super) fn check(plan: &Plan) -> Result<(), CommandError> {
    refuse(&problems(&plan.scenarios, plan.consent, ["the plan", "this run"]))
}

/// Refuses each scenario that exceeds a limit alone. Scenarios that exceed it only together are a
/// warning: whoever checks many files need not run them at once.
pub(super) fn check_each(plan: &Plan) -> Result<(), CommandError> {
    let alone = plan.scenarios.iter().flat_map(|scenario| {
        let source = &scenario.shown.source;
        let subjects = [source.as_str(), &format!("`tollgate run {source}`")];
        problems(std::slice::from_ref(scenario), plan.consent, subjects)
    });
    refuse(&alone.collect::<Vec<_>>())?;
    let subjects = ["the plan of all files", "run together, these files"];
    for problem in problems(&plan.scenarios, plan.consent, subjects) {
        tracing::warn!("WARNING: {problem}");
    }
    Ok(())
}

fn refuse(problems: &[String]) -> Result<(), CommandError> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(CommandError::usage(format!("error: {}", problems.join("\nerror: "))))
}

/// The limits that scenarios exceed if they run together, in sentences with these subjects: what
/// has the requests, and what would send them.
fn problems(
    scenarios: &[ScenarioPlan],
    consent: LoadConsent,
    [plan, run]: [&str; 2],
) -> Vec<String> {
    let requests = scenarios.iter().map(|scenario| scenario.shown.requests.len());
    let size = RunRecord::surplus(requests).map(|surplus| {
        format!("{plan} has {surplus}; name fewer files at once, or split the scenario")
    });
    let heaviest = heaviest(scenarios).filter(|_| consent == LoadConsent::Missing);
    let load = heaviest.map(|(host, weight)| excess(run, &host, weight));
    size.into_iter().chain(load).collect()
}

/// Requests per second, or at once, by foreign host.
type HostWeights = BTreeMap<String, f64>;

/// The foreign host with the most requests, if they exceed the limit.
///
/// The loads of all scenarios run at the same time, setups and teardowns one after the other.
fn heaviest(scenarios: &[ScenarioPlan]) -> Option<(String, f64)> {
    let (mut loads, mut hosts) = (HostWeights::new(), HostWeights::new());
    for scenario in scenarios {
        for (host, weight) in load_weights(scenario) {
            *loads.entry(host).or_default() += weight;
        }
        for steps in [&scenario.setup, &scenario.teardown] {
            raise(&mut hosts, weights(scenario, steps, ArrivalLoad::ONCE));
        }
    }
    raise(&mut hosts, loads);
    // A check does not know the host of a variable that is not set.
    hosts.retain(|host, _| !Environment::is_placeholder(host));
    let heaviest = hosts.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
    heaviest.filter(|(_, weight)| *weight > f64::from(FOREIGN_LIMIT))
}

/// Keeps the larger weight of each host.
fn raise(hosts: &mut HostWeights, others: HostWeights) {
    for (host, weight) in others {
        let largest = hosts.entry(host).or_default();
        *largest = largest.max(weight);
    }
}

fn excess(subject: &str, host: &str, weight: f64) -> String {
    let planned = if weight.is_finite() {
        format!("up to {weight:.0} requests per second or in a burst")
    } else {
        "requests as fast as the target responds".to_owned()
    };
    format!(
        "{subject} would send {planned} to {host}, and more than {FOREIGN_LIMIT} to a host that is \
         not this machine needs your consent; add --yes-load-this-host if you may load this host"
    )
}

/// Arrivals that may be in progress at the same time.
#[derive(Clone, Copy)]
struct ArrivalLoad {
    /// Arrivals per second, or at once.
    arrivals: f64,
    /// Maximum number of them in progress.
    slots: f64,
}

impl ArrivalLoad {
    /// A setup or teardown.
    const ONCE: Self = Self { arrivals: 1.0, slots: 1.0 };

    /// The tries of a step, per second or at once. Arrivals in progress try again at most once per
    /// pause, but for the last try of a poll, whose pause may be shorter.
    fn tries(self, planned: RetryPlan) -> f64 {
        let (again, pause) = match planned {
            RetryPlan::Once => return self.arrivals,
            RetryPlan::Retry { times, after } => (f64::from(times), after),
            RetryPlan::Poll { every, within } => (per(within, every).ceil(), every),
        };
        if self.arrivals <= 0.0 || again <= 0.0 {
            return self.arrivals;
        }
        let paced = self.slots * per(Duration::from_secs(1), pause) + self.arrivals;
        self.arrivals + (self.arrivals * again).min(paced)
    }
}

/// How often `pause` fits into `time`.
fn per(time: Duration, pause: Duration) -> f64 {
    if pause.is_zero() { f64::INFINITY } else { time.as_secs_f64() / pause.as_secs_f64() }
}

/// The requests of a scenario's measured stage or of its warm-up for each foreign host, whichever
/// are more. If an arrival sends only one of the requests, the most that one of them needs.
fn load_weights(scenario: &ScenarioPlan) -> HostWeights {
    let connections = f64::from(scenario.load.max_connections());
    let slots = connections * f64::from(scenario.streams.max(1));
    let load = |arrivals| ArrivalLoad { arrivals, slots };
    let mut hosts = HostWeights::new();
    for load in [load(arrivals(scenario)), load(scenario.warmup.requests as f64)] {
        if scenario.draw.is_none() {
            raise(&mut hosts, weights(scenario, &scenario.requests, load));
            continue;
        }
        for request in &scenario.requests {
            raise(&mut hosts, weights(scenario, std::slice::from_ref(request), load));
        }
    }
    hosts
}

/// The requests for each host that is not this machine, if each arrival sends all of these steps.
fn weights(scenario: &ScenarioPlan, steps: &[RequestPlan], load: ArrivalLoad) -> HostWeights {
    let target = &scenario.target;
    let mut weights = HostWeights::new();
    let mut add = |host: &str, weight: f64| {
        *weights.entry(host.trim_end_matches('.').to_owned()).or_default() += weight;
    };
    for request in steps.iter().filter(|request| request.missing_variable.is_none()) {
        let tries = load.tries(request.tries);
        let http = match &request.action {
            RequestAction::Http(http) => http,
            RequestAction::Sql(sql) if sql.address.is_local() => continue,
            RequestAction::Sql(sql) => {
                add(sql.address.host(), tries);
                continue;
            }
        };
        let is_foreign = |host: &&str| !target.is_own_machine(host);
        http.url.host_str().filter(is_foreign).into_iter().for_each(|host| add(host, tries));
        if http.redirects > 0 {
            let own = target.base_url.host_str().into_iter();
            let named = scenario.named_hosts();
            let led_to: BTreeSet<&str> =
                own.chain(named).chain(target.allowed_hosts.iter().map(String::as_str)).collect();
            let hops = tries * f64::from(http.redirects);
            led_to.into_iter().filter(is_foreign).for_each(|host| add(host, hops));
        }
    }
    weights
}

/// Maximum arrivals per second. Infinite in a closed model that only its duration ends.
fn arrivals(scenario: &ScenarioPlan) -> f64 {
    let measured = match &scenario.load {
        LoadPlan::Open { schedule, .. } => {
            Rate::as_per_second(schedule.peak()).min(schedule.count() as f64)
        }
        LoadPlan::Closed { iterations, .. } => iterations.map_or(f64::INFINITY, |all| all as f64),
    };
    measured * scenario.shown.side_share()
}

/// A host of a scenario's requests that is the machine that sends them.
pub(super) fn loopback_host(scenario: &ScenarioPlan) -> Option<&str> {
    scenario.requests.iter().find_map(|request| match &request.action {
        RequestAction::Http(http) => {
            http.url.host_str().filter(|host| scenario.target.is_own_machine(host))
        }
        RequestAction::Sql(sql) => Some(sql.address.host()).filter(|_| sql.address.is_local()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Schedule;
    use crate::plan::{PinnedAddresses, PlanOverrides};
    use crate::scenario::Scenario;

    /// A plan of 60 requests per second to `base_url`.
    fn plan(base_url: &str) -> Plan {
        let text = format!(
            "name = \"s\"\nbudgets = [\"errors = 0\"]\n[target]\nbase_url = \"{base_url}\"\n\
             [[request]]\nname = \"a\"\npath = \"/\"\n[load]\narrival_rate = \"60/s\"\nduration = \"9s\"\n"
        );
        let scenario = Scenario::parse("s.toml", &text).unwrap();
        let environment = Environment::new([]);
        Plan::resolve(&[scenario], &environment, &PlanOverrides::default()).unwrap().0
    }

    /// Whether that plan is allowed after `change`.
    fn is_allowed(base_url: &str, change: impl Fn(&mut ScenarioPlan)) -> bool {
        let mut plan = plan(base_url);
        change(&mut plan.scenarios[0]);
        check(&plan).is_ok()
    }

    #[test]
    fn more_requests_than_a_run_has_are_refused_and_by_a_check_only_in_one_scenario() {
        let mut plan = plan("http://localhost");
        let request = plan.scenarios[0].shown.requests[0].clone();
        plan.scenarios[0].shown.requests = vec![request; RunRecord::MOST_REQUESTS];
        assert!(check(&plan).is_ok() && check_each(&plan).is_ok());
        let mut together = Plan::from_scenarios(vec![plan.scenarios[0].clone(); 2]);
        together.consent = LoadConsent::Given;
        let refused = check(&together).unwrap_err().to_string();
        assert!(refused.contains("the plan has 8000 requests in 2 scenarios;"), "{refused}");
        assert!(check_each(&together).is_ok());
        let shown = &mut together.scenarios[1].shown;
        shown.requests.push(shown.requests[0].clone());
        let refused = check_each(&together).unwrap_err().to_string();
        assert!(refused.contains("s.toml has 4001 requests in 1 scenario;"), "{refused}");
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

    #[test]
    fn every_try_counts_as_often_as_its_pauses_allow() {
        let millis = Duration::from_millis;
        let retry = |times, after| RetryPlan::Retry { times, after: millis(after) };
        let poll = |every, within| RetryPlan::Poll { every: millis(every), within: millis(within) };
        for (tries, rate, is_lawful) in [
            (retry(1, 0), 60.0, false),
            (retry(100, 0), 60.0, false),
            (retry(100, 1_000), 30.0, true),
            (retry(1, 10), 60.0, false),
            (poll(1, 1_000), 60.0, false),
            (poll(500, 5_000), 30.0, true),
        ] {
            let change = |plan: &mut ScenarioPlan| {
                plan.requests[0].tries = tries;
                let LoadPlan::Open { schedule, .. } = &plan.load else { unreachable!() };
                let rate = Rate::per_second(rate).unwrap();
                let schedule = Schedule::constant(rate, schedule.duration());
                plan.load = LoadPlan::Open { schedule, connections: 8, max_connections: 8 };
            };
            assert_eq!(is_allowed("http://foreign.example", change), is_lawful, "{tries:?}");
            assert!(is_allowed("http://localhost", change), "{tries:?}");
        }
    }

    #[test]
    fn setups_teardowns_and_warm_ups_count_with_their_tries() {
        let tries = RetryPlan::Retry { times: 200, after: Duration::ZERO };
        let repeated = move |plan: &ScenarioPlan| {
            let mut step = plan.requests[0].clone();
            step.tries = tries;
            vec![step]
        };
        assert!(is_allowed("http://foreign.example", |plan| plan.setup = plan.requests.clone()));
        assert!(!is_allowed("http://foreign.example", |plan| plan.setup = repeated(plan)));
        assert!(!is_allowed("http://foreign.example", |plan| plan.teardown = repeated(plan)));
        let warm = |plan: &mut ScenarioPlan| {
            plan.warmup.requests = 90;
            plan.requests.push(plan.requests[0].clone());
        };
        assert!(!is_allowed("http://foreign.example", warm), "90 arrivals of 2 requests");
    }
}
