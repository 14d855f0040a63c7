//! Which of several addresses a connection tries first.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use url::Host;

use super::address_counts::AddressCounts;
use crate::engine::time::clock::{self, Instant};

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
}

/// An attempt to connect to an address. If it is dropped before the address was reached, the
/// address is tried last from then on.
pub(super) struct ConnectAttempt<'a> {
    turns: &'a AddressRotation,
    address: SocketAddr,
    reached: bool,
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
        }
    }

    /// The addresses of a host in the order in which the next connection tries them.
    pub(super) fn order(
        &self,
        host: &Host,
        port: u16,
        addresses: &[SocketAddr],
    ) -> Vec<SocketAddr> {
        if let [only] = addresses {
            return vec![*only];
        }
        let turn = self.take(host, port);
        self.forgive_if_all(addresses);
        let (now, shunned) = (clock::now(), self.shunned.borrow());
        let is_shunned =
            |address: &SocketAddr| shunned.get(address).is_some_and(|&until| now < until);
        let (last, mut order): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(is_shunned);
        let first = turn % order.len().max(1);
        order.rotate_left(first);
        order.extend(last);
        order
    }

    /// How many attempts to connect to each address failed so far.
    pub(super) fn unreached(&self) -> AddressCounts {
        self.unreached.borrow().clone()
    }

    /// Starts to connect to an address.
    pub(super) fn attempt(&self, address: SocketAddr) -> ConnectAttempt<'_> {
        ConnectAttempt { turns: self, address, reached: false }
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
    }
}

impl ConnectAttempt<'_> {
    /// Notes that the address was reached.
    pub(super) fn reached(mut self) {
        self.reached = true;
        self.turns.shunned.borrow_mut().remove(&self.address);
    }

    /// Notes that the address was not at fault.
    pub(super) fn excused(mut self) {
        self.reached = true;
    }
}

impl Drop for ConnectAttempt<'_> {
    fn drop(&mut self) {
        if !self.reached {
            self.turns.shun(self.address);
            self.turns.unreached.borrow_mut().count(self.address, 1);
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
        let order = turns.order(&host("host"), 80, &all);
        order
            .iter()
            .map(|address| all.iter().position(|known| known == address).unwrap() + 1)
            .collect()
    }

    #[test]
    fn connections_use_a_hosts_addresses_in_turn() {
        paused(async {
            let turns = AddressRotation::new(0, millis(1_000));
            assert_eq!([order(&turns), order(&turns)], [[1, 2, 3], [2, 3, 1]]);
            turns.order(&host("other"), 80, &addresses());
            assert_eq!([order(&turns), order(&turns)], [[3, 1, 2], [1, 2, 3]]);
            assert_eq!(order(&AddressRotation::new(4, millis(1_000))), [2, 3, 1]);
        });
    }

    #[test]
    fn an_unreached_address_is_tried_last_for_a_while_or_until_it_is_reached() {
        paused(async {
            let turns = AddressRotation::new(0, millis(1_000));
            drop(turns.attempt(addresses()[0]));
            turns.attempt(addresses()[1]).reached();
            assert_eq!([order(&turns), order(&turns)], [[2, 3, 1], [3, 2, 1]]);
            tokio::time::sleep(millis(1_001)).await;
            assert_eq!([order(&turns), order(&turns)], [[3, 1, 2], [1, 2, 3]]);
            drop(turns.attempt(addresses()[1]));
            turns.attempt(addresses()[1]).reached();
            assert_eq!(order(&turns), [2, 3, 1]);
        });
    }

    #[test]
    fn if_all_addresses_failed_all_return_to_the_rotation() {
        paused(async {
            let turns = AddressRotation::new(0, millis(1_000));
            for address in addresses() {
                drop(turns.attempt(address));
            }
            assert_eq!(order(&turns), [1, 2, 3]);
            turns.attempt(addresses()[0]).reached();
            assert_eq!([order(&turns), order(&turns)], [[2, 3, 1], [3, 1, 2]]);
        });
    }

    #[test]
    fn a_failure_of_the_prober_does_not_count_against_the_address() {
        paused(async {
            let turns = AddressRotation::new(0, millis(1_000));
            turns.attempt(addresses()[0]).excused();
            drop(turns.attempt(addresses()[1]));
            assert_eq!(order(&turns), [1, 3, 2]);
            assert_eq!(
                turns.unreached().named().into_iter().collect::<Vec<_>>(),
                [("10.0.0.2:80".to_owned(), 1)]
            );
        });
    }

    #[test]
    fn new_hosts_and_addresses_do_not_fill_the_memory() {
        paused(async {
            let turns = AddressRotation::new(0, millis(1_000));
            for port in 1..=1_000 {
                turns.order(&host("host"), port, &addresses());
                drop(turns.attempt(SocketAddr::new(addresses()[0].ip(), port)));
            }
            assert!(turns.next.borrow().len() <= AddressRotation::REMEMBERED);
            assert!(turns.shunned.borrow().len() <= AddressRotation::REMEMBERED);
        });
    }
}
