//! Whether a plan's targets can be reached, at which addresses, and what they speak.

use std::net::SocketAddr;
use std::time::Duration;

use super::trust;
use crate::engine::EngineError;
use crate::engine::probe::{
    self, AddressAttempt, AddressSource, ConnectionFailure, OpenedConnection, TargetAddresses,
    TargetReach,
};
use crate::plan::{Plan, ScenarioPlan, TargetPlan};
use crate::record::checkup::CheckFinding;
use crate::record::{Dimension, Failure};
use crate::units::format_duration;

/// A look-up this slow has probably waited for a name server that does not answer.
const SLOW_LOOKUP: Duration = Duration::from_secs(1);

/// Maximum number of addresses listed.
const NAMED: usize = 6;

/// Resolves every target of a plan and connects to each of its addresses, all targets at the same
/// time. Sends no request. A look-up and a connection may each take `limit`, or the plan's timeout
/// if that is shorter.
pub fn targets(plan: &Plan, limit: Duration) -> Vec<CheckFinding> {
    let targets = distinct(plan);
    std::thread::scope(|scope| {
        let look = |scenario: &ScenarioPlan| {
            (!is_guessed(scenario)).then(|| probe::reach(&scenario.target, limit))
        };
        let looks: Vec<_> = targets
            .iter()
            .map(|target| target[0])
            .map(|first| scope.spawn(move || look(first)))
            .collect();
        let reached =
            looks.into_iter().map(|look| look.join().unwrap_or(Some(Err(EngineError::ThreadLost))));
        targets
            .iter()
            .zip(reached)
            .flat_map(|(scenarios, reached)| judge(scenarios, reached))
            .collect()
    })
}

/// The scenarios of each target that are reached on the same terms; at least one each.
fn distinct(plan: &Plan) -> Vec<Vec<&ScenarioPlan>> {
    let terms = |scenario: &ScenarioPlan| {
        let TargetPlan {
            base_url,
            protocol,
            trust,
            identity,
            family,
            pinned_addresses: resolve,
            unix_socket,
            proxies,
            ..
        } = scenario.target.clone();
        let route = (unix_socket, proxies);
        (base_url.origin(), protocol, trust, identity, family, resolve, route)
    };
    let mut distinct: Vec<Vec<&ScenarioPlan>> = Vec::new();
    for scenario in plan.scenarios.iter().filter(|scenario| scenario.uses_http()) {
        match distinct.iter_mut().find(|known| terms(known[0]) == terms(scenario)) {
            Some(known) => known.push(scenario),
            None => distinct.push(vec![scenario]),
        }
    }
    distinct
}

/// Whether variables of the base URL have no value. A placeholder is not a host to connect to.
fn is_guessed(scenario: &ScenarioPlan) -> bool {
    scenario.shown.base_url.contains("${")
}

fn judge(
    scenarios: &[&ScenarioPlan],
    reached: Option<Result<TargetReach, EngineError>>,
) -> Vec<CheckFinding> {
    let (scenario, target) = (scenarios[0], &scenarios[0].target);
    let names: Vec<_> = scenarios.iter().map(|scenario| scenario.shown.name.as_str()).collect();
    let proxy = target.proxies.for_url(&target.base_url);
    let by = proxy.map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default();
    let group = format!("target {}{by} ({})", place(scenario), names.join(", "));
    let reach = match reached {
        None => {
            let unknown = CheckFinding::ok(
                &group,
                "address",
                "not known: a variable of the base URL has no value",
            );
            return vec![unknown.warn("set the variable and check again")];
        }
        Some(Err(error)) => return vec![trust::failed(&error, &group)],
        Some(Ok(reach)) => reach,
    };
    let is_secure = target.base_url.scheme() == "https";
    let mut findings: Vec<_> =
        trust::of(&target.trust, &group).filter(|_| is_secure).into_iter().collect();
    findings.push(addresses(&reach.names, &group));
    findings.extend(connections(&reach.attempts, &group));
    findings
}

/// The name of a target: scheme, host and port.
fn place(scenario: &ScenarioPlan) -> String {
    if is_guessed(scenario) || scenario.target.unix_socket.is_some() {
        return scenario.shown.base_url.clone();
    }
    let url = &scenario.target.base_url;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

fn addresses(names: &Result<TargetAddresses, String>, group: &str) -> CheckFinding {
    let found = |what| CheckFinding::ok(group, "name", what);
    let TargetAddresses { found: how, all, usable } = match names {
        Ok(names) => names,
        Err(why) => {
            return found(format!("not resolved: {why}")).fail(
                "look at the name and at this machine's resolver (/etc/resolv.conf), or give addresses with `--resolve \
                 HOST:PORT:ADDRESS`",
            );
        }
    };
    let what = match how {
        AddressSource::Socket => "no look-up is needed: a Unix socket".to_owned(),
        AddressSource::Written => format!("no look-up is needed: {}", listed(all)),
        AddressSource::Given => format!("no look-up is needed: {} by `resolve`", listed(all)),
        AddressSource::LookedUp(took) => {
            format!("{} in {}: {}", families(all), format_duration(*took), listed(all))
        }
    };
    match (usable, how) {
        (Err(why), _) => {
            found(format!("{what}; {why}")).fail("allow the other version of IP, or give addresses")
        }
        (Ok(_), AddressSource::LookedUp(took)) if *took >= SLOW_LOOKUP => found(what)
            .warn("look at the name servers (/etc/resolv.conf): the first may not answer"),
        (Ok(_), _) => found(what),
    }
}

fn families(all: &[SocketAddr]) -> String {
    let v4 = all.iter().filter(|address| address.is_ipv4()).count();
    format!("{v4} IPv4 and {} IPv6 addresses", all.len() - v4)
}

fn listed(all: &[SocketAddr]) -> String {
    let named: Vec<_> = all.iter().take(NAMED).map(|address| address.ip().to_string()).collect();
    let more =
        if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    format!("{}{more}", named.join(", "))
}

/// One finding for each address that was tried.
fn connections(attempts: &[AddressAttempt], group: &str) -> Vec<CheckFinding> {
    let some_open = attempts.iter().any(|attempt| attempt.opened.is_ok());
    attempts.iter().map(|attempt| judge_attempt(attempt, some_open, group)).collect()
}

fn judge_attempt(attempt: &AddressAttempt, some_open: bool, group: &str) -> CheckFinding {
    let found = |what: String| {
        CheckFinding::ok(group, "connection", format!("{}: {what}", attempt.address))
    };
    match &attempt.opened {
        Ok(OpenedConnection { connect, tls, spoken }) => found(match (tls, spoken) {
            (Some(tls), Some(spoken)) => {
                format!(
                    "{spoken}; TCP {}, TLS {}",
                    format_duration(*connect),
                    format_duration(*tls)
                )
            }
            _ => format!(
                "open; {} {} (what it speaks shows in a request; none was sent)",
                if attempt.address.contains('/') { "socket" } else { "TCP" },
                format_duration(*connect)
            ),
        }),
        Err(refused) => {
            let found = found(failure_text(refused));
            // A run goes on to another address only before a connection is open.
            if some_open && refused.phase == Some(Dimension::Connect) {
                found.warn(format!("another address answers and is used; {}", remedy(refused)))
            } else {
                found.fail(remedy(refused))
            }
        }
    }
}

/// The kind of failure and its detail, without repetition.
fn failure_text(refused: &ConnectionFailure) -> String {
    let ConnectionFailure { failure, seen, .. } = refused;
    let kind = failure.description();
    if seen.to_lowercase().starts_with(kind) { seen.clone() } else { format!("{kind}: {seen}") }
}

fn remedy(refused: &ConnectionFailure) -> &'static str {
    match (refused.trouble, refused.failure) {
        (Some(trouble), _) => trouble.remedy(),
        (None, Failure::Refused) => "start the target, or correct the port: nothing listens there",
        (None, Failure::TimedOut) if refused.phase == Some(Dimension::Tls) => {
            "look at the target: it takes the connection and never answers the TLS handshake"
        }
        (None, Failure::TimedOut) => {
            "look whether a firewall is in between, or whether the target is down"
        }
        (None, Failure::Unreachable) => {
            "look at this machine's routes; `--ipv4` or `--ipv6` leaves the other version of IP out"
        }
        (None, Failure::Reset | Failure::Closed) => {
            "look at the target's log, and at what stands before it: a proxy without a backend closes so"
        }
        (None, Failure::Protocol) => {
            "ask for a version it speaks (`--http auto`), or let the target speak this one"
        }
        (None, Failure::Malformed) => "look at the port: this is another service's",
        (None, Failure::Proxy) => "check the proxy first: the target was not reached",
        (None, Failure::OwnLimit) => {
            "look with another client, for example curl: the limit is tollgate's"
        }
        (None, Failure::Prober) => "this machine lacks descriptors, ports or memory: see above",
        (None, _) => {
            "look at the target's log: `openssl s_client -connect HOST:PORT` shows the handshake"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::probe::HandshakeProblem;
    use crate::record::checkup::CheckState;

    fn attempt(
        address: &str,
        opened: Result<OpenedConnection, ConnectionFailure>,
    ) -> AddressAttempt {
        AddressAttempt { address: address.to_owned(), opened }
    }

    fn refused(
        failure: Failure,
        phase: Dimension,
        trouble: Option<HandshakeProblem>,
    ) -> ConnectionFailure {
        ConnectionFailure {
            failure,
            phase: Some(phase),
            seen: "connection refused".to_owned(),
            trouble,
        }
    }

    fn open() -> OpenedConnection {
        let took = Duration::from_millis(2);
        OpenedConnection {
            connect: took,
            tls: Some(took),
            spoken: Some("HTTP/2 over TLS 1.3".to_owned()),
        }
    }

    fn states(all: &[AddressAttempt]) -> Vec<CheckState> {
        connections(all, "t").iter().map(|finding| finding.state).collect()
    }

    #[test]
    fn a_closed_address_is_a_warning_if_another_one_answers() {
        let closed = || Err(refused(Failure::Refused, Dimension::Connect, None));
        let (one, other) = ("192.0.2.1:443", "[2001:db8::1]:443");
        assert_eq!(
            states(&[attempt(one, Ok(open())), attempt(other, closed())]),
            [CheckState::Ok, CheckState::Warn]
        );
        assert_eq!(
            states(&[attempt(one, closed()), attempt(other, closed())]),
            [CheckState::Fail, CheckState::Fail]
        );
        // A run does not try another address after a failed handshake, so its exchanges fail.
        let expired = Err(refused(Failure::Tls, Dimension::Tls, Some(HandshakeProblem::Expired)));
        assert_eq!(
            states(&[attempt(one, Ok(open())), attempt(other, expired)]),
            [CheckState::Ok, CheckState::Fail]
        );
    }

    #[test]
    fn a_connection_shows_its_protocol_or_its_failure_without_repetition() {
        let text_of = |opened| judge_attempt(&attempt("192.0.2.1:443", opened), false, "t").what;
        assert_eq!(text_of(Ok(open())), "192.0.2.1:443: HTTP/2 over TLS 1.3; TCP 2 ms, TLS 2 ms");
        let closed = refused(Failure::Refused, Dimension::Connect, None);
        assert_eq!(text_of(Err(closed.clone())), "192.0.2.1:443: connection refused");
        let reset =
            ConnectionFailure { failure: Failure::Reset, seen: "by peer".to_owned(), ..closed };
        assert_eq!(text_of(Err(reset)), "192.0.2.1:443: connection reset: by peer");
    }

    #[test]
    fn a_name_shows_its_addresses_and_why_they_cannot_be_used() {
        let all: Vec<SocketAddr> =
            ["192.0.2.1:80", "[2001:db8::1]:80"].map(|at| at.parse().unwrap()).into();
        let names = |millis, usable: Result<(), &str>| {
            let usable = usable.map(|()| all.clone()).map_err(str::to_owned);
            let found = AddressSource::LookedUp(Duration::from_millis(millis));
            addresses(&Ok(TargetAddresses { found, all: all.clone(), usable }), "t")
        };
        let found = names(3, Ok(()));
        assert_eq!(found.what, "1 IPv4 and 1 IPv6 addresses in 3 ms: 192.0.2.1, 2001:db8::1");
        assert_eq!([found.state, names(1_000, Ok(())).state], [CheckState::Ok, CheckState::Warn]);
        assert_eq!(names(3, Err("no IPv6 address in a")).state, CheckState::Fail);
        assert_eq!(addresses(&Err("no answer within 5 s".to_owned()), "t").state, CheckState::Fail);
        let many: Vec<SocketAddr> =
            (1..=9).map(|last| SocketAddr::from(([192, 0, 2, last], 80))).collect();
        assert!(listed(&many).ends_with("192.0.2.6 and 3 more"));
    }
}
