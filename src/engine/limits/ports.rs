//! Checks before a run that there are enough local ports for the planned connections.
//!
//! A connection takes one of this machine's ports, and each port can be taken once per remote
//! address and port. The number of ports is read on Linux only.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::engine::connection::dial::{UrlOrigin, known_addresses};
use crate::engine::error::EngineError;
use crate::plan::{ConnectionReuse, LoadPlan, Plan, ScenarioPlan};
use crate::units;

const ALLOW_MORE: &str = "allow more with `sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"`";

/// Ports may run out during a plan, depending on how the run goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortWarning {
    /// What may run out, with its figures.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for PortWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

/// The local ports that this machine provides for connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LocalPorts {
    /// How many are available for one remote address and port.
    free: u64,
    /// In which cases a port can be used again soon after this machine closed its connection.
    lent_again: PortReuse,
}

/// In which cases a port can be used again one second after this machine closed its connection,
/// instead of one minute (`net.ipv4.tcp_tw_reuse`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PortReuse {
    Nowhere,
    OnLoopback,
    Everywhere,
}

/// The ports a plan needs for one destination.
#[derive(Debug, Default)]
struct PortDemand {
    /// Connections open at once.
    open: u64,
    /// Closed connections that still hold their ports, if this machine closes first.
    held: u64,
    /// How long they hold their ports.
    hold: Duration,
    /// Whether only a look-up shows how many addresses it has.
    is_name: bool,
}

/// Fails if a plan opens more connections to an address than there are ports.
pub(in crate::engine) fn provide(plan: &Plan) -> Result<(), EngineError> {
    LocalPorts::of_system().map_or(Ok(()), |ports| ports.suffice(plan))
}

/// In which ways a plan may run out of ports, depending on how the run goes.
pub(in crate::engine) fn warnings(plan: &Plan) -> Vec<PortWarning> {
    LocalPorts::of_system().map(|ports| ports.warnings(plan)).unwrap_or_default()
}

/// How many ports one remote address can use; `None` if the system does not report it.
pub(in crate::engine) fn free() -> Option<u64> {
    LocalPorts::of_system().map(|ports| ports.free)
}

impl LocalPorts {
    #[cfg(target_os = "linux")]
    fn of_system() -> Option<Self> {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"));
        let (range, reserved) =
            (read("ip_local_port_range").ok()?, read("ip_local_reserved_ports"));
        Self::parse(
            &range,
            &reserved.unwrap_or_default(),
            &read("tcp_tw_reuse").unwrap_or_default(),
        )
    }

    #[cfg(not(target_os = "linux"))]
    fn of_system() -> Option<Self> {
        None
    }

    /// Parses the port range (`32768 60999`), the reserved ports in it (`8080,9000-9010`) and the
    /// reuse setting (`0`, `1`, or `2` for the loopback interface only).
    fn parse(range: &str, reserved: &str, lent_again: &str) -> Option<Self> {
        let (first, last) = range.trim().split_once(char::is_whitespace)?;
        let range: RangeInclusive<u64> = first.parse().ok()?..=last.trim().parse().ok()?;
        let reserved = reserved.trim().split(',').filter_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            Some((last.min(*range.end()) + 1).saturating_sub(first.max(*range.start())))
        });
        Some(Self {
            free: (range.end() + 1).saturating_sub(*range.start()).saturating_sub(reserved.sum()),
            lent_again: match lent_again.trim() {
                "1" => PortReuse::Everywhere,
                "2" => PortReuse::OnLoopback,
                _ => PortReuse::Nowhere,
            },
        })
    }

    /// How long a connection that this machine closed holds its port.
    fn hold(self, is_loopback: bool) -> Duration {
        Duration::from_secs(match self.lent_again {
            PortReuse::Everywhere => 1,
            PortReuse::OnLoopback if is_loopback => 1,
            PortReuse::OnLoopback | PortReuse::Nowhere => 60,
        })
    }

    fn suffice(self, plan: &Plan) -> Result<(), EngineError> {
        let mut wanted = self.wanted(plan).into_iter();
        match wanted.find(|(_, wanted)| !wanted.is_name && wanted.open > self.free) {
            Some((address, PortDemand { open: connections, .. })) => {
                Err(EngineError::Ports { connections, address, free: self.free })
            }
            None => Ok(()),
        }
    }

    fn warnings(self, plan: &Plan) -> Vec<PortWarning> {
        let wanted = self.wanted(plan).into_iter();
        wanted.filter_map(|(destination, wanted)| self.warning(&destination, &wanted)).collect()
    }

    fn warning(self, destination: &str, wanted: &PortDemand) -> Option<PortWarning> {
        let &PortDemand { open, held, hold, is_name } = wanted;
        let free = self.free;
        let one = if is_name { " if it has one address," } else { "" };
        if is_name && open > free {
            Some(PortWarning {
                what: format!(
                    "{open} connections to {destination} need as many local ports{one} and this machine has {free}"
                ),
                remedy: format!("plan fewer connections, or {ALLOW_MORE}"),
            })
        } else if open.saturating_add(held) > free {
            let hold = units::duration_literal(hold);
            Some(PortWarning {
                what: format!(
                    "{held} connections to {destination} are closed within {hold}; unless the target closes them, \
                     each holds its local port for as long,{one} and this machine has {free}"
                ),
                remedy: format!("send fewer, keep connections, or {ALLOW_MORE}"),
            })
        } else {
            None
        }
    }

    /// The ports a plan needs for each address, or for each name whose addresses are not known yet.
    fn wanted(self, plan: &Plan) -> BTreeMap<String, PortDemand> {
        let mut all: BTreeMap<String, PortDemand> = BTreeMap::new();
        let probers = u64::from(plan.shard_plan.map_or(1, |part| part.shard.of));
        // A Unix socket needs no port.
        let needs_ports = |scenario: &&ScenarioPlan| {
            scenario.uses_http() && scenario.target.unix_socket.is_none()
        };
        for scenario in plan.scenarios.iter().filter(needs_ports) {
            let destinations = PortDestinations::of(scenario);
            let among = destinations.names.len() as u64;
            let hold = self.hold(destinations.are_loopback);
            let open = u64::from(scenario.load.max_connections()).div_ceil(among);
            let closed = closed_within(hold, scenario).div_ceil(probers * among);
            for name in destinations.names {
                let wanted = all.entry(name).or_default();
                wanted.open += open;
                wanted.held += closed;
                (wanted.hold, wanted.is_name) = (hold, destinations.are_one_name);
            }
        }
        all
    }
}

/// The addresses that a scenario's connections are spread over evenly.
struct PortDestinations {
    /// The addresses, or the name if they are not known; at least one.
    names: Vec<String>,
    are_one_name: bool,
    are_loopback: bool,
}

impl PortDestinations {
    fn of(scenario: &ScenarioPlan) -> Self {
        let base_url = &scenario.target.base_url;
        let origin = UrlOrigin::of(base_url);
        let proxy = scenario.target.proxies.for_url(base_url);
        let url = proxy.map_or(base_url, |proxy| &proxy.url);
        let known = origin.as_ref().map(|origin| known_addresses(&scenario.target, origin));
        let known = known.unwrap_or_default();
        if known.is_empty() {
            let name = url.host_str().unwrap_or_default();
            let port = url.port_or_known_default().unwrap_or_default();
            let are_loopback = name == "localhost";
            return Self {
                names: vec![format!("{name}:{port}")],
                are_one_name: true,
                are_loopback,
            };
        }
        Self {
            names: known.iter().map(ToString::to_string).collect(),
            are_one_name: false,
            are_loopback: known.iter().all(|address| address.ip().is_loopback()),
        }
    }
}

/// Maximum number of connections closed within `hold`, if each arrival has its own connection.
fn closed_within(hold: Duration, scenario: &ScenarioPlan) -> u64 {
    match (&scenario.load, scenario.reuse) {
        (LoadPlan::Open { schedule, .. }, ConnectionReuse::Fresh) => {
            let within = |from| {
                schedule.count_before(from + hold).saturating_sub(schedule.count_before(from))
            };
            let starts = 0..=schedule.duration().as_secs();
            starts.map(|from| within(Duration::from_secs(from))).max().unwrap_or(0)
        }
        // In the closed model the target decides how fast connections end.
        (LoadPlan::Closed { .. }, _) | (_, ConnectionReuse::Keep) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::harness;
    use crate::plan::{PinnedAddresses, RampStep, Schedule};
    use crate::units::Rate;

    const PORTS: LocalPorts = LocalPorts { free: 1_000, lent_again: PortReuse::OnLoopback };

    /// A scenario of 30 s with this rate of arrivals and this many connections.
    fn scenario(url: &str, per_second: f64, connections: u32) -> ScenarioPlan {
        let mut scenario = harness::open(per_second, 30, connections);
        scenario.target.base_url = url::Url::parse(url).unwrap();
        scenario
    }

    fn fresh(url: &str, per_second: f64, connections: u32) -> ScenarioPlan {
        ScenarioPlan { reuse: ConnectionReuse::Fresh, ..scenario(url, per_second, connections) }
    }

    fn refusal(scenarios: Vec<ScenarioPlan>) -> Option<String> {
        PORTS.suffice(&Plan::from_scenarios(scenarios)).err().map(|error| error.to_string())
    }

    fn warnings(scenario: ScenarioPlan) -> Vec<String> {
        PORTS
            .warnings(&Plan::from_scenarios(vec![scenario]))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_systems_ports_are_its_range_without_the_reserved_ones() {
        let free = |range, reserved| LocalPorts::parse(range, reserved, "0\n").unwrap().free;
        assert_eq!(free("32768\t60999\n", "\n"), 28_232);
        assert_eq!(free("1000 1999", "80,1000,1990-1999,1999-3000,40000"), 1_000 - 1 - 10 - 1);
        assert_eq!(LocalPorts::parse("nonsense", "", "0"), None);
        let held = |lent_again, is_loopback| {
            LocalPorts::parse("1 9", "", lent_again).unwrap().hold(is_loopback).as_secs()
        };
        assert_eq!(
            [held("0\n", true), held("1", false), held("2", true), held("2", false)],
            [60, 1, 1, 60]
        );
    }

    #[test]
    fn more_connections_to_an_address_than_there_are_ports_are_refused_with_the_remedy() {
        assert_eq!(refusal(vec![scenario("http://192.0.2.1/", 10.0, 1_000)]), None);
        let error = refusal(vec![scenario("http://192.0.2.1/", 10.0, 1_001)]).unwrap();
        assert_eq!(
            error,
            "1001 connections to 192.0.2.1:80 need as many local ports and this machine has 1000; plan fewer \
             connections, give the target more addresses with `resolve`, or allow more with `sysctl -w \
             net.ipv4.ip_local_port_range=\"1024 65535\"`"
        );
    }

    #[test]
    fn scenarios_to_the_same_address_share_its_ports_and_other_addresses_have_their_own() {
        let to = |url| scenario(url, 10.0, 600);
        let mut given = to("https://name.test/");
        let addresses = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap()).to_vec();
        given.target.pinned_addresses =
            vec![PinnedAddresses { host: "name.test".to_owned(), port: 443, addresses }];
        assert_eq!(
            refusal(vec![to("http://192.0.2.1/"), to("http://192.0.2.1:81/"), given.clone()]),
            None
        );
        assert_eq!(refusal(vec![to("https://192.0.2.1/"), given.clone()]), None);
        let error = refusal(vec![to("https://192.0.2.1/"), given.clone(), given]).unwrap();
        assert!(error.starts_with("1200 connections to 192.0.2.1:443 "), "{error}");
    }

    #[test]
    fn a_name_that_may_have_several_addresses_causes_a_warning_and_no_error() {
        let scenario = scenario("https://example.org/", 10.0, 1_001);
        assert_eq!(refusal(vec![scenario.clone()]), None);
        let doubts = warnings(scenario);
        assert_eq!(doubts.len(), 1);
        assert!(doubts[0].starts_with(
            "1001 connections to example.org:443 need as many local ports if it has one address, and this machine \
             has 1000; plan fewer connections, or allow more with `sysctl -w"
        ));
    }

    #[test]
    fn closed_connections_hold_their_ports_for_a_minute_or_on_loopback_for_a_second() {
        assert_eq!(warnings(fresh("http://192.0.2.1/", 33.0, 10)), Vec::<String>::new());
        let doubted = warnings(fresh("http://192.0.2.1/", 34.0, 10));
        assert_eq!(doubted.len(), 1);
        assert!(
            doubted[0].starts_with(
                "1020 connections to 192.0.2.1:80 are closed within 1m; unless the target closes them, each holds its \
                 local port for as long, and this machine has 1000; send fewer, keep connections, or allow more with"
            ),
            "{}",
            doubted[0]
        );
        assert!(warnings(scenario("http://192.0.2.1/", 34.0, 10)).is_empty());
        assert!(warnings(fresh("http://127.0.0.1/", 980.0, 10)).is_empty());
        assert_eq!(warnings(fresh("http://localhost/", 1_100.0, 10)).len(), 1);
    }

    #[test]
    fn the_busiest_time_of_a_ramp_decides() {
        let mut ramping = fresh("http://192.0.2.1/", 1.0, 10);
        let rate = |per_second| Some(Rate::per_second(per_second).unwrap());
        let stage = |seconds, per_second| RampStep {
            duration: Duration::from_secs(seconds),
            to: rate(per_second),
        };
        let schedule = Schedule::ramping(rate(1.0), &[stage(600, 1.0), stage(60, 20.0)]).unwrap();
        let count = schedule.count();
        ramping.load = LoadPlan::Open { schedule, connections: 10, max_connections: 10 };
        let held = closed_within(Duration::from_mins(1), &ramping);
        assert!((600..=640).contains(&held) && count > 1_200, "{held} of {count}");
    }
}
