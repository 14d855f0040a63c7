//! Holds what a process sends to another machine to the limit that needs no consent.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use url::Host;

use super::dial::UrlOrigin;
use crate::engine::time::clock::{self, Instant};
use crate::plan::{FOREIGN_LIMIT, LoadConsent, LoadPlan, Plan, ScenarioPlan, TargetPlan};
use crate::record::{Dimension, Failure};
use crate::recorder::ExchangeFailure;

/// How much more than its mean rate random arrivals may need for a long time.
const RANDOM_EXCESS: f64 = 1.1;

/// Maximum number of hosts remembered. The oldest is forgotten first.
const MAX_HOSTS: usize = 10_000;

/// What all threads and scenarios of this process sent to other machines: for each, the instant
/// by which its sends are paid for.
static PAID_UNTIL: Mutex<BTreeMap<ForeignHost, Instant>> = Mutex::new(BTreeMap::new());

/// Another machine. A name may have several addresses, and an address several names, so each is
/// counted on its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum ForeignHost {
    Name(String),
    Address(IpAddr),
}

impl ForeignHost {
    /// The host of a URL, which may be an address.
    fn of_url(host: &str) -> Self {
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => Self::Address(ip.to_canonical()),
            Err(_) => Self::Name(host.trim_end_matches('.').to_ascii_lowercase()),
        }
    }
}

/// A token bucket for each other machine: tokens come at the rate that needs no consent, from the
/// start of the run on.
#[derive(Debug, Clone)]
pub(in crate::engine) struct SendLimit {
    start: Instant,
    /// The time in which a token comes.
    cost: Duration,
    /// The time in which the tokens come that are there at the start: one warm-up and a second.
    burst: Duration,
    /// For how long unused tokens are kept in addition. Arrivals that a target made wait follow
    /// each other at once when it answers again.
    kept: Duration,
}

impl SendLimit {
    /// The limit of a plan that starts now; `None` if other machines may get more.
    ///
    /// Each shard has its share, so that all of them together stay below the limit.
    pub(in crate::engine) fn of(plan: &Plan) -> Option<Self> {
        if plan.consent == LoadConsent::Given {
            return None;
        }
        let is_random = |scenario: &ScenarioPlan| {
            let is_poisson = match &scenario.load {
                LoadPlan::Open { schedule, .. } => schedule.is_random(),
                LoadPlan::Closed { .. } => false,
            };
            is_poisson || scenario.coin().is_some()
        };
        let excess = if plan.scenarios.iter().any(is_random) { RANDOM_EXCESS } else { 1.0 };
        let limit = f64::from(FOREIGN_LIMIT);
        let of = plan.shard().of;
        let cost = Duration::from_secs_f64(f64::from(of) / (limit * excess));
        // Shards take turns, so a share may be one arrival larger than an equal one.
        let one_arrival: f64 = plan.scenarios.iter().map(requests_of_arrival).sum();
        let warmup = plan
            .scenarios
            .iter()
            .map(|scenario| scenario.warmup.requests as f64 * requests_of_arrival(scenario));
        let at_once = (limit + warmup.sum::<f64>().min(limit)) / f64::from(of) + one_arrival;
        let kept = plan.scenarios.iter().map(|scenario| scenario.target.timeouts.whole).max();
        Some(Self {
            start: clock::now(),
            cost,
            burst: cost.mul_f64(at_once),
            kept: kept.unwrap_or_default(),
        })
    }

    /// Takes a token of a host; whether there was one.
    fn take(&self, host: ForeignHost) -> bool {
        let now = clock::now();
        let mut hosts = PAID_UNTIL.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= MAX_HOSTS && !hosts.contains_key(&host) {
            let oldest = hosts.iter().min_by_key(|(_, paid_until)| **paid_until);
            let oldest = oldest.map(|(host, _)| host.clone());
            oldest.map(|host| hosts.remove(&host));
        }
        let earliest = now.checked_sub(self.kept).unwrap_or(self.start).max(self.start);
        let paid_until = hosts.entry(host).or_insert(earliest);
        let next = (*paid_until).max(earliest) + self.cost;
        let is_free = next <= now + self.burst;
        if is_free {
            *paid_until = next;
        }
        is_free
    }
}

/// The requests of one arrival, if each is answered as expected at once.
fn requests_of_arrival(scenario: &ScenarioPlan) -> f64 {
    scenario.requests.iter().map(|request| f64::from(request.redirects()) + 1.0).sum()
}

/// Asks before each request to the hosts of a scenario whether it may be sent.
#[derive(Debug, Clone)]
pub(in crate::engine) struct SendGuard {
    limit: SendLimit,
    target: TargetPlan,
}

impl SendGuard {
    pub(in crate::engine) fn new(limit: SendLimit, target: TargetPlan) -> Self {
        Self { limit, target }
    }

    /// Whether a host is this machine by its name, so that only its addresses are limited.
    pub(in crate::engine) fn is_own_machine(&self, host: &str) -> bool {
        self.target.is_own_machine(host)
    }

    /// Counts a request to a host; fails if it may not be sent.
    pub(in crate::engine) async fn admit_name(
        &self,
        host: &str,
    ) -> Result<(), Box<ExchangeFailure>> {
        if self.limit.take(ForeignHost::of_url(host)) { Ok(()) } else { refuse(host).await }
    }

    /// Counts a request to an origin on a connection to an address; fails if it may not be sent.
    /// The address of a proxy is not the origin's. An origin that is an address was counted before.
    pub(in crate::engine) async fn admit_address(
        &self,
        origin: &UrlOrigin,
        address: SocketAddr,
    ) -> Result<(), Box<ExchangeFailure>> {
        let ip = address.ip().to_canonical();
        let is_admitted = ip.is_loopback()
            || !matches!(origin.host, Host::Domain(_))
            || self.target.proxies.for_host(origin.secure, &origin.host).is_some()
            || self.limit.take(ForeignHost::Address(ip));
        if is_admitted { Ok(()) } else { refuse(&ip.to_string()).await }
    }
}

/// How long a refused request takes. A loop of them must not keep a thread busy.
const REFUSAL_PAUSE: Duration = Duration::from_millis(1);

async fn refuse(host: &str) -> Result<(), Box<ExchangeFailure>> {
    tokio::time::sleep(REFUSAL_PAUSE).await;
    let seen = format!(
        "not sent: more than {FOREIGN_LIMIT} requests per second to {host} need your consent"
    );
    let mut failed = ExchangeFailure::in_phase(Failure::OwnLimit, Dimension::Wait, seen);
    failed.next = Some("add --yes-load-this-host if you may load this host");
    Err(Box::new(failed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::harness::open;

    fn limit(at_once: u32, of: u32) -> SendLimit {
        let cost = Duration::from_millis(10) * of;
        SendLimit { start: clock::now(), cost, burst: cost * at_once, kept: Duration::from_secs(2) }
    }

    fn sent(limit: &SendLimit, host: &str, tries: u32) -> usize {
        (0..tries).filter(|_| limit.take(ForeignHost::of_url(host))).count()
    }

    /// How many of these tries a guard admits on connections to an address.
    async fn admitted(guard: &SendGuard, name: &str, address: &str, tries: u32) -> usize {
        let origin = UrlOrigin::of(&format!("http://{name}/").parse().unwrap()).unwrap();
        let mut admitted = 0;
        for _ in 0..tries {
            let admission = guard.admit_address(&origin, address.parse().unwrap()).await;
            admitted += usize::from(admission.is_ok());
        }
        admitted
    }

    #[tokio::test(start_paused = true)]
    async fn names_and_ports_share_the_limit_of_their_address() {
        let guard = SendGuard::new(limit(100, 1), open(1.0, 1, 1).target);
        let mut sum = admitted(&guard, "one.test", "192.0.2.7:80", 40).await;
        sum += admitted(&guard, "other.test", "192.0.2.7:80", 40).await;
        sum += admitted(&guard, "other.test", "[::ffff:192.0.2.7]:443", 15).await;
        assert_eq!(sum, 95);
        assert_eq!(sent(&guard.limit, "192.0.2.7", 3), 3, "such as a database");
        assert_eq!(sent(&guard.limit, "[::ffff:192.0.2.7]", 9), 2);
        // Refusals take 1 ms each.
        assert_eq!(admitted(&guard, "third.test", "192.0.2.7:8080", 9).await, 0);
        assert_eq!(admitted(&guard, "third.test", "192.0.2.8:80", 60).await, 60);
        assert_eq!(admitted(&guard, "own.test", "[::ffff:127.0.0.1]:80", 5_000).await, 5_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_is_an_address_is_counted_once() {
        let guard = SendGuard::new(limit(100, 1), open(1.0, 1, 1).target);
        for _ in 0..100 {
            guard.admit_name("[2001:db8::7]").await.unwrap();
            let origin = UrlOrigin::of(&"http://[2001:db8::7]/".parse().unwrap()).unwrap();
            guard.admit_address(&origin, "[2001:db8::7]:80".parse().unwrap()).await.unwrap();
        }
        assert!(guard.admit_name("2001:db8::7").await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_gets_a_burst_and_then_the_rate_however_often_it_is_tried() {
        let limit = limit(100, 1);
        assert_eq!(sent(&limit, "a.test", 10_000), 100);
        let mut later = 0;
        for _ in 0..1_000 {
            tokio::time::advance(Duration::from_millis(3)).await;
            later += sent(&limit, "a.test", 10);
        }
        assert_eq!(later, 300, "100 per second for 3 s");
        assert_eq!(sent(&limit, "b.test", 10_000), 300, "unused tokens are kept for 2 s");
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_send_share_the_limit_of_a_host_and_shards_divide_it() {
        let (one, other) = (limit(100, 1), limit(100, 1));
        assert_eq!(sent(&one, "c.test", 60) + sent(&other, "c.test", 60), 100);
        let share = limit(25, 4);
        assert_eq!(sent(&share, "d.test", 1_000), 25);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(sent(&share, "d.test", 1_000), 25);
    }
}
