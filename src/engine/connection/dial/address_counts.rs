//! Counts connections, or failed attempts, by address.

use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Counts of connections by the address they were opened to.
///
/// The number of separate addresses is limited: the target decides what a name resolves to, and
/// that must not fill the record.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct AddressCounts {
    known: BTreeMap<SocketAddr, u64>,
    others: u64,
}

impl AddressCounts {
    /// Maximum number of addresses counted separately.
    const APART: usize = 64;
    /// The name under which the remaining addresses are counted.
    const OTHERS: &str = "(others)";

    /// Counts connections to an address.
    pub(in crate::engine) fn count(&mut self, address: SocketAddr, connections: u64) {
        if self.known.len() < Self::APART || self.known.contains_key(&address) {
            *self.known.entry(address).or_default() += connections;
        } else {
            self.others += connections;
        }
    }

    /// Adds another lane's counts.
    pub(in crate::engine) fn add(&mut self, other: &Self) {
        self.others += other.others;
        for (&address, &connections) in &other.known {
            self.count(address, connections);
        }
    }

    /// The counts under the addresses' names in the record, such as `192.0.2.1:443`.
    pub(in crate::engine) fn named(&self) -> BTreeMap<String, u64> {
        let known =
            self.known.iter().map(|(address, &connections)| (address.to_string(), connections));
        let others = (self.others > 0).then(|| (Self::OTHERS.to_owned(), self.others));
        known.chain(others).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_by_address_up_to_a_maximum_number_of_addresses() {
        let address = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let (mut first, mut second) = (AddressCounts::default(), AddressCounts::default());
        first.count(address(443), 2);
        for port in 1..=100 {
            second.count(address(port), 1);
        }
        first.add(&second);
        let named = first.named();
        assert_eq!((named["192.0.2.1:443"], named["192.0.2.1:1"], named.len()), (2, 1, 65));
        assert_eq!((named["(others)"], named.values().sum::<u64>()), (37, 102));
    }
}
