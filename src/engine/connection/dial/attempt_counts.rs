//! Counts attempts to connect to hosts that have several addresses.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::record::AddressAttempts;

/// Attempts to connect, by host and address.
///
/// The number of addresses is limited: the target decides what a name resolves to, and that must
/// not fill the record.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct AttemptCounts(BTreeMap<(String, SocketAddr), AddressAttempts>);

impl AttemptCounts {
    /// Maximum number of addresses counted; attempts to further ones are not.
    const COUNTED: usize = 64;

    /// Adds attempts to an address of a host.
    pub(super) fn count(&mut self, host: &str, address: SocketAddr, attempts: AddressAttempts) {
        let key = (host.to_owned(), address);
        if self.0.len() < Self::COUNTED || self.0.contains_key(&key) {
            self.0.entry(key).or_default().add(attempts);
        }
    }

    /// Adds another lane's counts.
    pub(in crate::engine) fn add(&mut self, other: &Self) {
        for ((host, address), attempts) in &other.0 {
            self.count(host, *address, *attempts);
        }
    }

    /// The counts by host, then by address, as the record holds them: `192.0.2.1:443`.
    pub(in crate::engine) fn named(&self) -> BTreeMap<String, BTreeMap<String, AddressAttempts>> {
        let mut named: BTreeMap<String, BTreeMap<_, _>> = BTreeMap::new();
        for ((host, address), attempts) in &self.0 {
            named.entry(host.clone()).or_default().insert(address.to_string(), *attempts);
        }
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_by_host_and_address_up_to_a_maximum_number_of_addresses() {
        let address = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let once = AddressAttempts { connected: 1, ..AddressAttempts::default() };
        let (mut first, mut second) = (AttemptCounts::default(), AttemptCounts::default());
        first.count("z", address(443), once);
        second.count("z", address(443), once);
        for port in 1..=100 {
            second.count("a", address(port), once);
        }
        first.add(&second);
        let named = first.named();
        assert_eq!(named["z"]["192.0.2.1:443"].connected, 2);
        assert_eq!(named["a"]["192.0.2.1:1"].connected, 1);
        assert_eq!(named.values().map(BTreeMap::len).sum::<usize>(), AttemptCounts::COUNTED);
    }
}
