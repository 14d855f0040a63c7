//! Which of several addresses a connection tries first.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use url::Host;

use super::address_counts::AddressCounts;
use super::attempt_counts::AttemptCounts;
use crate::engine::time::clock::{self, Instant};
use crate::record::AddressAttempts;

/// Rotates a lane's connections over the addresses of each host.
///
/// Connections use a host's addresses in turn. An address that could not be connected to is tried
/// last for a while. Connections opened during that time lose no time on it as long as another
/// address answers.
pub(super) struct AddressRotation {
    /// The position of each host's first connection in the rotation.
    first: usize,
    /// How long an address is tried last after a failed attempt to connect.
    penalty: Duration,
    next: RefCell<HashMap<(Host, u16), usize>>,
    /// Until when an address is tried last.
    shunned: RefCell<HashMap<SocketAddr, Instant>>,
    /// Attempts that failed, by address.
    unreached: RefCell<AddressCounts>,
    /// Attempts to connect to hosts with several addresses.
    attempts: RefCell<AttemptCounts>,
}

/// The addresses of a host in the order in which a connection tries them.
pub(super) struct AddressOrder<'a> {
    turns: &'a AddressRotation,
    /// The host, if it has several addresses.
    choice_of: Option<String>,
    pub(super) addresses: Vec<SocketAddr>,
}

/// An attempt to connect to an address. If it is dropped after the address had time to answer, the
/// address is tried last from then on.
pub(super) struct ConnectAttempt<'a> {
    turns: &'a AddressRotation,
    choice_of: Option<String>,
    address: SocketAddr,
    /// When the address has had time to answer; `None` if the attempt has ended.
    patient_until: Option<Instant>,
}

impl AddressRotation {
    /// Maximum number of hosts and addresses remembered, so that a target that keeps redirecting to
    /// new ports does not fill the memory.
    const REMEMBERED: usize = 256;

    /// Lanes that run one scenario together start at different positions.
    pub(super) fn new(first: usize, penalty: Duration) -> Self {
        Self {
            first,
            penalty,
            next: RefCell::default(),
            shunned: RefCell::default(),
            unreached: RefCell::default(),
            attempts: RefCell::default(),
        }
    }

    /// The addresses of a host in the order in which the next connection tries them: from the one
    /// whose turn it is, with IPv6 and IPv4 alternating (RFC 8305, section 4). Those that failed
    /// lately come last.
    pub(super) fn order(
        &self,
        host: &Host,
        port: u16,
        addresses: &[SocketAddr],
    ) -> AddressOrder<'_> {
        if let [only] = addresses {
            return AddressOrder { turns: self, choice_of: None, addresses: vec![*only] };
        }
        let turn = self.take(host, port);
        self.forgive_if_all(addresses);
        let (now, mut shunned) = (clock::now(), self.shunned.borrow_mut());
        let is_shunned =
            |address: &SocketAddr| shunned.get(address).is_some_and(|&until| now < until);
        let (last, mut order): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(is_shunned);
        let first = turn % order.len().max(1);
        order.rotate_left(first);
        // One connection finds out whether the address has recovered; the others lose no time.
        if let Some(until) = order.first().and_then(|first| shunned.get_mut(first)) {
            *until = now + self.penalty;
        }
        let mut order = alternate_families(order);
        order.extend(alternate_families(last));
        AddressOrder { turns: self, choice_of: Some(host.to_string()), addresses: order }
    }

    /// How many attempts to connect to each address failed so far.
    pub(super) fn unreached(&self) -> AddressCounts {
        self.unreached.borrow().clone()
    }

    /// The attempts to connect to hosts with several addresses so far.
    pub(super) fn attempts(&self) -> AttemptCounts {
        self.attempts.borrow().clone()
    }

    /// Counts a TLS handshake that failed after one of a host's several addresses had connected.
    pub(super) fn count_failed_handshake(&self, host: &Host, address: SocketAddr) {
        let failed = AddressAttempts { failed_handshakes: 1, ..AddressAttempts::default() };
        self.attempts.borrow_mut().count(&host.to_string(), address, failed);
    }

    fn take(&self, host: &Host, port: u16) -> usize {
        let mut next = self.next.borrow_mut();
        let key = (host.clone(), port);
        if next.len() >= Self::REMEMBERED && !next.contains_key(&key) {
            next.clear();
        }
        let next = next.entry(key).or_insert(self.first);
        std::mem::replace(next, next.wrapping_add(1))
    }

    /// If every address of a host failed, the target was down, not one address. All return to the
    /// rotation.
    fn forgive_if_all(&self, addresses: &[SocketAddr]) {
        let (now, mut shunned) = (clock::now(), self.shunned.borrow_mut());
        if addresses.iter().all(|address| shunned.get(address).is_some_and(|&until| now < until)) {
            shunned.retain(|address, _| !addresses.contains(address));
        }
    }

    fn shun(&self, address: SocketAddr) {
        let mut shunned = self.shunned.borrow_mut();
        if shunned.len() >= Self::REMEMBERED {
            shunned.clear();
        }
        shunned.insert(address, clock::now() + self.penalty);
        self.unreached.borrow_mut().count(address, 1);
    }
}

/// The same addresses with IPv6 and IPv4 alternating, as long as there are both. The first stays
/// first, and the order within each family stays.
fn alternate_families(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv4) else { return addresses };
    let (same, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv4() == first);
    let mut order = Vec::with_capacity(same.len() + other.len());
    let (mut same, mut other) = (same.into_iter(), other.into_iter());
    loop {
        let pair = [same.next(), other.next()];
        if pair == [None, None] {
            return order;
        }
        order.extend(pair.into_iter().flatten());
    }
}

impl<'a> AddressOrder<'a> {
    /// Starts to connect to an address, which has `patience` to answer.
    pub(super) fn attempt(&self, address: SocketAddr, patience: Duration) -> ConnectAttempt<'a> {
        ConnectAttempt {
            turns: self.turns,
            choice_of: self.choice_of.clone(),
            address,
            patient_until: Some(clock::now() + patience),
        }
    }
}

impl ConnectAttempt<'_> {
    /// The address.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Notes that the address was reached.
    pub(super) fn reached(mut self) {
        self.end(AddressAttempts { connected: 1, ..AddressAttempts::default() });
        self.turns.shunned.borrow_mut().remove(&self.address);
    }

    /// Notes that the attempt failed with an error.
    pub(super) fn failed(mut self) {
        self.end(AddressAttempts { failed: 1, ..AddressAttempts::default() });
        self.turns.shun(self.address);
    }

    /// Notes that this machine has no route to the address, which says nothing about the target:
    /// often the machine has no IPv6.
    pub(super) fn unroutable(mut self) {
        self.patient_until = None;
        self.turns.shun(self.address);
    }

    /// Notes that the address was not at fault.
    pub(super) fn excused(mut self) {
        self.patient_until = None;
    }

    fn end(&mut self, attempts: AddressAttempts) {
        self.patient_until = None;
        if let Some(host) = &self.choice_of {
            self.turns.attempts.borrow_mut().count(host, self.address, attempts);
        }
    }
}

impl Drop for ConnectAttempt<'_> {
    fn drop(&mut self) {
        if self.patient_until.is_some_and(|until| until <= clock::now()) {
            self.end(AddressAttempts { unanswered: 1, ..AddressAttempts::default() });
            self.turns.shun(self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::harness::{millis, paused};

    fn host(name: &str) -> Host {
        Host::parse(name).unwrap()
    }

    fn addresses() -> [SocketAddr; 3] {
        ["10.0.0.1:80", "10.0.0.2:80", "[::3]:80"].map(|address| address.parse().unwrap())
    }

    /// The position of each address in the order of the next connection.
    fn order(turns: &AddressRotation) -> Vec<usize> {
        let all = addresses();
        let order = turns.order(&host("host"), 80, &all).addresses;
        order
            .iter()
            .map(|address| all.iter().position(|known| known == address).unwrap() + 1)
            .collect()
    }

    /// An attempt on one of the addresses, which has 100 ms to answer.
    fn attempt(turns: &AddressRotation, address: SocketAddr) -> ConnectAttempt<'_> {
        let choice_of = Some("host".to_owned());
        AddressOrder { turns, choice_of, addresses: vec![address] }.attempt(address, millis(100))
    }

    #[test]
    fn connections_use_a_hosts_addresses_in_turn() {
        paused(async {
            let turns = AddressRotation::new(0, millis(1_000));
            assert_eq!([order(&turns), order(&turns)], [[1, 3, 2], [2, 3, 1]]);
            turns.order(&host("other"), 80, &addresses());
            assert_eq!([order(&turns), order(&turns)], [[3, 1, 2], [1, 3, 2]]);
            assert_eq!(order(&AddressRotation::new(4, millis(1_000))), [2, 3, 1]);
        });
    }

    #[test]
    fn an_unreached_address_is_tried_last_for_a_while_or_until_it_is_reached() {
        paused(async {
            let turns = AddressRotation::new(0, millis(1_000));
            attempt(&turns, addresses()[0]).failed();
            attempt(&turns, addresses()[1]).reached();
            assert_eq!([order(&turns), order(&turns)], [[2, 3, 1], [3, 2, 1]]);
            tokio::time::sleep(millis(1_001)).await;
            assert_eq!([order(&turns), order(&turns)], [[3, 1, 2], [1, 3, 2]]);
            attempt(&turns, addresses()[1]).failed();
            attempt(&turns, addresses()[1]).reached();
            assert_eq!(order(&turns), [2, 3, 1]);
        });
    }

    #[test]
    fn one_connection_finds_out_whether_an_address_has_recovered() {
        paused(async {
            let turns = AddressRotation::new(0, millis(1_000));
            attempt(&turns, addresses()[0]).failed();
            tokio::time::sleep(millis(1_001)).await;
            assert_eq!([order(&turns), order(&turns)], [[1, 3, 2], [3, 2, 1]]);
            attempt(&turns, addresses()[0]).reached();
            assert_eq!([order(&turns), order(&turns)], [[3, 1, 2], [1, 3, 2]]);
        });
    }

    #[test]
    fn if_all_addresses_failed_all_return_to_the_rotation() {
        paused(async {
            let turns = AddressRotation::new(0, millis(1_000));
            for address in addresses() {
                attempt(&turns, address).failed();
            }
            assert_eq!(order(&turns), [1, 3, 2]);
            attempt(&turns, addresses()[0]).reached();
            assert_eq!([order(&turns), order(&turns)], [[2, 3, 1], [3, 1, 2]]);
        });
    }

    #[test]
    fn a_failure_of_the_prober_does_not_count_against_the_address() {
        paused(async {
            let turns = AddressRotation::new(0, millis(1_000));
            attempt(&turns, addresses()[0]).excused();
            attempt(&turns, addresses()[1]).failed();
            assert_eq!(order(&turns), [1, 3, 2]);
            assert_eq!(
                turns.unreached().named().into_iter().collect::<Vec<_>>(),
                [("10.0.0.2:80".to_owned(), 1)]
            );
        });
    }

    #[test]
    fn an_attempt_that_is_dropped_counts_only_if_the_address_had_time_to_answer() {
        paused(async {
            let turns = AddressRotation::new(0, millis(1_000));
            let [slow, early] = [attempt(&turns, addresses()[0]), attempt(&turns, addresses()[1])];
            tokio::time::sleep(millis(99)).await;
            drop(early);
            tokio::time::sleep(millis(2)).await;
            drop(slow);
            assert_eq!(order(&turns), [2, 3, 1]);
            let named = turns.attempts().named();
            assert_eq!(named["host"]["10.0.0.1:80"].unanswered, 1);
            assert_eq!(named["host"].len(), 1);
        });
    }

    #[test]
    fn an_address_without_a_route_is_tried_last_but_not_counted_against_the_host() {
        paused(async {
            let turns = AddressRotation::new(0, millis(1_000));
            attempt(&turns, addresses()[2]).unroutable();
            assert_eq!([order(&turns), order(&turns)], [[1, 2, 3], [2, 1, 3]]);
            assert!(turns.attempts().named().is_empty());
        });
    }

    #[test]
    fn new_hosts_and_addresses_do_not_fill_the_memory() {
        paused(async {
            let turns = AddressRotation::new(0, millis(1_000));
            for port in 1..=1_000 {
                turns.order(&host("host"), port, &addresses());
                attempt(&turns, SocketAddr::new(addresses()[0].ip(), port)).failed();
            }
            assert!(turns.next.borrow().len() <= AddressRotation::REMEMBERED);
            assert!(turns.shunned.borrow().len() <= AddressRotation::REMEMBERED);
        });
    }
}
