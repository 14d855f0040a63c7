//! Warnings about a host of which only some addresses work.

use std::collections::BTreeMap;

use crate::record::{AddressAttempts, ScenarioMeasurement, VerdictReason};

/// Maximum number of addresses named for a host; a further warning counts the rest.
const NAMED: usize = 4;

/// A warning for each address that failed while another address of the same host connected.
///
/// The prober goes on to another address, as RFC 8305 recommends, so no figure shows how clients
/// fare that do not.
pub(super) fn warnings(scenario: Option<&ScenarioMeasurement>) -> Vec<VerdictReason> {
    let hosts = scenario.into_iter().flat_map(|scenario| &scenario.attempts);
    hosts.flat_map(|(host, addresses)| of_host(host, addresses)).collect()
}

fn of_host(host: &str, addresses: &BTreeMap<String, AddressAttempts>) -> Vec<VerdictReason> {
    if addresses.values().all(|attempts| attempts.connected == 0) {
        // The host was down, not one address: its failures are reported as such.
        return Vec::new();
    }
    let mut bad: Vec<_> = addresses
        .iter()
        .filter(|(_, attempts)| is_notable(host, **attempts))
        .map(|(address, attempts)| (address, *attempts))
        .collect();
    bad.sort_by_key(|(_, attempts)| std::cmp::Reverse(troubles(*attempts)));
    let (named, others) = bad.split_at(bad.len().min(NAMED));
    let rest = (!others.is_empty()).then(|| VerdictReason {
        what: format!("{host}: {} more of its addresses failed too", others.len()),
        next: "`run.json` lists them all".to_owned(),
    });
    named
        .iter()
        .map(|(address, attempts)| of_address(host, address, *attempts))
        .chain(rest)
        .collect()
}

/// Whether an address needs a warning. For `localhost` refusals do not count: every machine gives
/// it two addresses, and most servers listen on one of them.
fn is_notable(host: &str, attempts: AddressAttempts) -> bool {
    let is_local = host == "localhost" || host.ends_with(".localhost");
    let refusals = if is_local { 0 } else { attempts.failed };
    attempts.unanswered + refusals + attempts.failed_handshakes > 0
}

fn troubles(attempts: AddressAttempts) -> u64 {
    attempts.unanswered + attempts.failed + attempts.failed_handshakes
}

fn of_address(host: &str, address: &str, attempts: AddressAttempts) -> VerdictReason {
    let AddressAttempts { connected, failed, unanswered, failed_handshakes } = attempts;
    let share = |part: u64, all: u64, noun: &str| match (part, all) {
        (1, 1) => format!("its only {noun}"),
        _ => format!("{part} of {all} {noun}s"),
    };
    let attempt = |part| share(part, attempts.tried(), "attempt");
    let parts = [
        (unanswered, format!("did not answer in {}", attempt(unanswered))),
        (failed, format!("did not accept a connection in {}", attempt(failed))),
        (
            failed_handshakes,
            format!("failed in {}", share(failed_handshakes, connected, "TLS handshake")),
        ),
    ];
    let parts: Vec<_> =
        parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, part)| part).collect();
    let price = if unanswered > 0 {
        "clients that try it first wait 250 ms or more before they try another, and some for \
         their whole connect timeout"
    } else if failed > 0 {
        "clients that try it first lose a round trip, and those that try no other address fail"
    } else {
        "clients that reach it fail, as few try another address after a failed handshake"
    };
    VerdictReason {
        what: format!("{host}: {address} {}; {price}", parts.join(" and ")),
        next: format!("repair this address, or remove it from the addresses of {host}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts_of(host: &str, addresses: &[(&str, AddressAttempts)]) -> Vec<String> {
        let addresses =
            addresses.iter().map(|&(address, attempts)| (address.to_owned(), attempts)).collect();
        of_host(host, &addresses).into_iter().map(|warning| warning.what).collect()
    }

    fn attempts(connected: u64, failed: u64, unanswered: u64) -> AddressAttempts {
        AddressAttempts { connected, failed, unanswered, failed_handshakes: 0 }
    }

    #[test]
    fn an_address_that_did_not_answer_is_named_with_how_often_and_what_it_costs_clients() {
        let of = [("127.0.0.9:80", attempts(0, 0, 3)), ("127.0.0.1:80", attempts(40, 0, 0))];
        let [ref only] = texts_of("svc.test", &of)[..] else { panic!() };
        let expected = "svc.test: 127.0.0.9:80 did not answer in 3 of 3 attempts; clients that try";
        assert!(only.starts_with(expected), "{only}");
    }

    #[test]
    fn an_address_that_refuses_or_recovers_is_named_too() {
        let of = [("a", attempts(0, 1, 0)), ("b", attempts(40, 0, 2)), ("c", attempts(9, 0, 0))];
        let texts = texts_of("svc.test", &of);
        assert!(texts[0].contains("b did not answer in 2 of 42 attempts"), "{texts:?}");
        assert!(
            texts[1].contains("a did not accept a connection in its only attempt"),
            "{texts:?}"
        );
        assert_eq!(texts.len(), 2);
    }

    #[test]
    fn failed_handshakes_of_one_address_are_named() {
        let broken = AddressAttempts { failed_handshakes: 3, ..attempts(3, 0, 0) };
        let texts = texts_of("svc.test", &[("a", broken), ("b", attempts(3, 0, 0))]);
        assert!(texts[0].contains("a failed in 3 of 3 TLS handshakes"), "{texts:?}");
    }

    #[test]
    fn a_host_that_never_answered_and_the_unused_address_of_localhost_need_no_warning() {
        assert!(
            texts_of("svc.test", &[("a", attempts(0, 1, 0)), ("b", attempts(0, 0, 1))]).is_empty()
        );
        let local = [("[::1]:80", attempts(0, 2, 0)), ("127.0.0.1:80", attempts(2, 0, 0))];
        assert!(texts_of("localhost", &local).is_empty());
    }

    #[test]
    fn of_many_addresses_only_the_worst_are_named() {
        let names: Vec<_> = (0..9).map(|index| format!("10.0.0.{index}:80")).collect();
        let mut of: Vec<_> = names.iter().map(|name| (&**name, attempts(0, 0, 1))).collect();
        of.push(("10.0.1.1:80", attempts(1, 0, 0)));
        let texts = texts_of("svc.test", &of);
        assert_eq!((texts.len(), &*texts[4]), (5, "svc.test: 5 more of its addresses failed too"));
    }
}
