//! Counts the exchanges of a lane by the address and the connection that carried them.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddr;

use crate::record::{PeerConnection, PeerCounts, PeerMeasurement};

use super::Exchange;
use super::judgement::CeilingJudgement;
use super::used_connection::{ConnectionId, UsedConnection};

/// Minimum of the number of connections counted separately at a time: enough if each arrival opens
/// its own.
const MIN_OPEN: usize = 4_096;
/// How many connections are closed at once. More would keep the lane's thread from its arrivals.
const CLOSED_AT_ONCE: usize = 64;

/// The counts of each request of a lane.
#[derive(Debug)]
pub(super) struct PeerRecorder {
    requests: Vec<RequestPeers>,
    /// Maximum number of connections counted separately at a time. If an older one is used again,
    /// it counts as a new connection.
    max_open: usize,
}

/// A connection's address, if it has one, and what it carried.
type OpenConnection = (Option<SocketAddr>, PeerCounts);

/// Hashes connection numbers. The standard hasher would take as long as counting an exchange does.
#[derive(Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // Connection numbers are consecutive. Multiplying by an odd number keeps their low bits
        // distinct, which choose the bucket, and spreads the high bits, which are compared first.
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Debug, Default)]
struct RequestPeers {
    /// The most recently opened connections.
    connections: HashMap<u64, OpenConnection, BuildHasherDefault<NumberHasher>>,
    /// Their numbers, in the order of their first exchanges.
    order: VecDeque<u64>,
    /// What older connections carried, and exchanges of several connections.
    earlier: PeerMeasurement,
}

impl PeerRecorder {
    /// Counts for this many requests, on at most this many connections at a time.
    pub(super) fn new(requests: usize, connections: usize) -> Self {
        Self {
            requests: (0..requests).map(|_| RequestPeers::default()).collect(),
            max_open: connections.max(MIN_OPEN) + CLOSED_AT_ONCE,
        }
    }

    /// Counts one exchange of the measured stage; `judged` is how each ceiling judged it.
    pub(super) fn count(
        &mut self,
        request: usize,
        judged: &[CeilingJudgement],
        exchange: &Exchange,
    ) {
        let is_failed = exchange.failed.is_some();
        let Some(peers) = self.requests.get_mut(request) else { return };
        match exchange.connection {
            UsedConnection::One(id) => {
                peers.of_connection(id, self.max_open).count(judged, is_failed);
            }
            UsedConnection::Several(Some(address)) => {
                let mut counts = PeerCounts::default();
                counts.count(judged, is_failed);
                peers.earlier.add_to_address(&address.to_string(), &counts);
            }
            UsedConnection::Several(None) | UsedConnection::Missing => {}
        }
    }

    /// Hands over the counts of each request.
    pub(super) fn take(&mut self) -> Vec<PeerMeasurement> {
        let take = |peers: &mut RequestPeers| {
            peers.close_oldest(peers.order.len());
            std::mem::take(&mut peers.earlier)
        };
        self.requests.iter_mut().map(take).collect()
    }
}

impl RequestPeers {
    fn of_connection(&mut self, id: ConnectionId, max_open: usize) -> &mut PeerCounts {
        if self.connections.len() >= max_open && !self.connections.contains_key(&id.number) {
            self.close_oldest(CLOSED_AT_ONCE);
        }
        let open = self.connections.entry(id.number).or_insert_with(|| {
            self.order.push_back(id.number);
            (id.address, PeerCounts::default())
        });
        &mut open.1
    }

    fn close_oldest(&mut self, count: usize) {
        let mut numbers: Vec<u64> = self.order.drain(..count.min(self.order.len())).collect();
        numbers.sort_unstable();
        for (address, counts) in numbers.iter().filter_map(|number| self.connections.remove(number))
        {
            let address = address.map(|address| address.to_string());
            self.earlier.add_connection(PeerConnection { address, counts });
        }
    }
}

impl PeerCounts {
    fn count(&mut self, judged: &[CeilingJudgement], is_failed: bool) {
        self.exchanges += 1;
        self.failed += u64::from(is_failed);
        CeilingJudgement::add_each(&mut self.ceilings, judged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64, last: u8) -> ConnectionId {
        ConnectionId { number, address: Some(SocketAddr::from(([192, 0, 2, last], 80))) }
    }

    fn on(connection: UsedConnection) -> Exchange {
        Exchange { connection, ..Exchange::default() }
    }

    #[test]
    fn any_number_of_connections_needs_bounded_memory_and_loses_no_count() {
        let mut recorder = PeerRecorder::new(1, 8);
        for number in 0..20_000 {
            let before = recorder.requests[0].connections.len();
            recorder.count(0, &[], &on(UsedConnection::One(id(number, (number % 2) as u8))));
            let open = recorder.requests[0].connections.len();
            assert!(open <= recorder.max_open && before <= open + CLOSED_AT_ONCE);
        }
        let open = &recorder.requests[0].connections;
        let newest = 20_000 - open.len() as u64;
        assert!(open.keys().all(|number| *number >= newest), "an older one is open");
        let peers = recorder.take().remove(0);
        assert_eq!((peers.connections, peers.worst.len()), (20_000, 0));
        assert_eq!(peers.addresses["192.0.2.1:80"].exchanges, 10_000);
    }

    #[test]
    fn each_of_many_connections_used_in_turn_is_counted_as_one() {
        let mut recorder = PeerRecorder::new(1, 10_000);
        for number in (0..10_000).chain(0..10_000).chain(0..10_000) {
            recorder.count(0, &[], &on(UsedConnection::One(id(number, 1))));
        }
        let peers = recorder.take().remove(0);
        assert_eq!(peers.connections, 10_000);
        assert_eq!(peers.addresses["192.0.2.1:80"].exchanges, 30_000);
    }
}
