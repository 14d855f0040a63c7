//! Exchanges and exceedances by what carried them: remote addresses and single connections.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CeilingCount, counts};

/// Counts of the exchanges that one remote address or one connection carried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerCounts {
    /// Finished exchanges.
    #[serde(deserialize_with = "counts::read")]
    pub exchanges: u64,
    /// Exchanges that failed.
    #[serde(deserialize_with = "counts::read")]
    pub failed: u64,
    /// Exceedances, one count per ceiling, in the order of the request's plan.
    pub ceilings: Vec<CeilingCount>,
}

impl PeerCounts {
    /// Adds other counts of the same request.
    pub fn add(&mut self, other: &Self) {
        self.exchanges += other.exchanges;
        self.failed += other.failed;
        CeilingCount::add_each(&mut self.ceilings, &other.ceilings);
    }

    /// What a connection is ranked by: its failures, then its exceedances of each ceiling, with and
    /// without the wait.
    fn rank(&self, criterion: usize) -> u64 {
        let Some(at) = criterion.checked_sub(1) else { return self.failed };
        self.ceilings.get(at / 2).map_or(0, |count| {
            if at % 2 == 0 { count.exceeded } else { count.exceeded_without_wait }
        })
    }

    fn criteria(&self) -> usize {
        1 + 2 * self.ceilings.len()
    }
}

/// One connection and what it carried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerConnection {
    /// Its remote address, as `192.0.2.1:443`; absent for a Unix socket or a database session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Counts of its exchanges.
    #[serde(flatten)]
    pub counts: PeerCounts,
}

/// The exchanges of one request in the measured stage, by what carried them.
///
/// An exchange whose redirects or tries used several connections counts for their common address,
/// or for none. One without a connection, such as a dropped one, counts for none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerMeasurement {
    /// Counts by remote address: at most 64, and the sum of all others as `(others)`. A proxy's
    /// address stands for the targets behind it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub addresses: BTreeMap<String, PeerCounts>,
    /// How many connections carried exchanges.
    #[serde(deserialize_with = "counts::read")]
    pub connections: u64,
    /// The connections with the most failures, with the most exceedances of each ceiling, and with
    /// the most of those that waiting does not explain: two of each, if there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worst: Vec<PeerConnection>,
}

impl PeerMeasurement {
    /// Maximum number of addresses counted separately.
    const MAX_ADDRESSES: usize = 64;
    /// The name under which the remaining addresses are counted.
    pub const OTHERS: &str = "(others)";
    /// How many connections are kept by each criterion.
    const WORST_PER_CRITERION: usize = 2;

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.connections == 0 && self.addresses.is_empty()
    }

    /// Adds what one more connection carried.
    pub fn add_connection(&mut self, connection: PeerConnection) {
        self.connections += 1;
        if let Some(address) = &connection.address {
            self.add_to_address(address, &connection.counts);
        }
        // Most connections are not among the worst, and this is called during the run.
        if self.ranks_among_worst(&connection.counts) {
            self.worst.push(connection);
            self.keep_worst();
        }
    }

    /// Adds exchanges that several connections to one address carried.
    pub fn add_to_address(&mut self, address: &str, counts: &PeerCounts) {
        let is_separate =
            self.addresses.contains_key(address) || self.addresses.len() < Self::MAX_ADDRESSES;
        let name = if is_separate { address } else { Self::OTHERS };
        self.addresses.entry(name.to_owned()).or_default().add(counts);
    }

    /// Adds what other lanes or probers measured of the same request. Their connections are other
    /// connections.
    pub fn merge(&mut self, other: &Self) {
        for (address, counts) in &other.addresses {
            self.add_to_address(address, counts);
        }
        self.connections += other.connections;
        self.worst.extend(other.worst.iter().cloned());
        self.keep_worst();
    }

    fn ranks_among_worst(&self, counts: &PeerCounts) -> bool {
        (0..counts.criteria()).any(|criterion| {
            let rank = counts.rank(criterion);
            let worse = self.worst.iter().filter(|one| one.counts.rank(criterion) >= rank);
            rank > 0 && worse.take(Self::WORST_PER_CRITERION).count() < Self::WORST_PER_CRITERION
        })
    }

    fn keep_worst(&mut self) {
        let criteria = self.worst.iter().map(|one| one.counts.criteria()).max().unwrap_or(0);
        let mut is_kept = vec![false; self.worst.len()];
        for criterion in 0..criteria {
            let rank = |at: &usize| self.worst[*at].counts.rank(criterion);
            let mut ranked: Vec<usize> = (0..self.worst.len()).filter(|at| rank(at) > 0).collect();
            ranked.sort_by_key(|at| std::cmp::Reverse(rank(at)));
            ranked.iter().take(Self::WORST_PER_CRITERION).for_each(|&at| is_kept[at] = true);
        }
        let mut is_kept = is_kept.into_iter();
        self.worst.retain(|_| is_kept.next() == Some(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(address: &str, exceeded: u64, failed: u64) -> PeerConnection {
        let count = CeilingCount { judged: 100, exceeded, ..CeilingCount::default() };
        let counts = PeerCounts { exchanges: 100, failed, ceilings: vec![count] };
        PeerConnection { address: Some(address.to_owned()), counts }
    }

    #[test]
    fn the_connections_with_the_most_exceedances_and_failures_are_kept() {
        let mut peers = PeerMeasurement::default();
        for exceeded in 0..50 {
            peers.add_connection(connection("192.0.2.1:80", exceeded, 0));
        }
        peers.add_connection(connection("192.0.2.2:80", 1, 7));
        let kept: Vec<_> = peers.worst.iter().map(|one| one.counts.ceilings[0].exceeded).collect();
        assert_eq!((kept, peers.connections), (vec![48, 49, 1], 51));
    }

    #[test]
    fn a_slow_connection_for_which_all_others_wait_is_kept() {
        let mut peers = PeerMeasurement::default();
        for exceeded in [40, 41, 42, 43] {
            peers.add_connection(connection("192.0.2.1:80", exceeded, 0));
        }
        let mut slow = connection("192.0.2.2:80", 5, 0);
        slow.counts.ceilings[0].exceeded_without_wait = 5;
        peers.add_connection(slow.clone());
        assert_eq!(peers.worst.len(), 3);
        assert!(peers.worst.contains(&slow));
    }

    #[test]
    fn shards_add_addresses_and_keep_the_worst_of_all_connections() {
        let (mut one, mut other) = (PeerMeasurement::default(), PeerMeasurement::default());
        one.add_connection(connection("192.0.2.1:80", 3, 0));
        other.add_connection(connection("192.0.2.1:80", 9, 0));
        other.add_connection(connection("192.0.2.1:80", 0, 0));
        one.merge(&other);
        assert_eq!(one.addresses["192.0.2.1:80"].ceilings[0].exceeded, 12);
        assert_eq!(one.addresses["192.0.2.1:80"].exchanges, 300);
        assert_eq!((one.connections, one.worst.len()), (3, 2));
    }

    #[test]
    fn addresses_beyond_the_maximum_are_counted_together() {
        let mut peers = PeerMeasurement::default();
        for port in 0..100 {
            peers.add_connection(connection(&format!("192.0.2.1:{port}"), 0, 0));
        }
        assert_eq!(peers.addresses.len(), 65);
        assert_eq!(peers.addresses[PeerMeasurement::OTHERS].exchanges, 3_600);
    }
}
