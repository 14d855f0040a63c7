//! Counts the exchanges of a lane by the address and the connection that carried them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::record::{Ceiling, CeilingCount, PeerConnection, PeerCounts, PeerMeasurement};

use super::used_connection::{ConnectionId, UsedConnection};
use super::{Exchange, slot};

/// The counts of each request of a lane.
#[derive(Debug)]
pub(super) struct PeerRecorder(Vec<RequestPeers>);

#[derive(Debug, Default)]
struct RequestPeers {
    /// The most recently opened connections.
    connections: BTreeMap<u64, (Option<SocketAddr>, PeerCounts)>,
    /// What older connections carried, and exchanges of several connections.
    earlier: PeerMeasurement,
}

impl PeerRecorder {
    /// Counts for this many requests.
    pub(super) fn new(requests: usize) -> Self {
        Self((0..requests).map(|_| RequestPeers::default()).collect())
    }

    /// Counts one exchange of the measured stage. Failures that do not count against the target
    /// are ignored, as in the tally.
    pub(super) fn count(&mut self, request: usize, ceilings: &[Ceiling], exchange: &Exchange) {
        let failed = exchange.failed.as_ref();
        if failed.is_some_and(|failed| !failed.failure.counts_against_target()) {
            return;
        }
        let Some(peers) = self.0.get_mut(request) else { return };
        match exchange.connection {
            UsedConnection::One(id) => peers.of_connection(id).count(ceilings, exchange),
            UsedConnection::Several(Some(address)) => {
                let mut counts = PeerCounts::default();
                counts.count(ceilings, exchange);
                peers.earlier.add_to_address(&address.to_string(), &counts);
            }
            UsedConnection::Several(None) | UsedConnection::Missing => {}
        }
    }

    /// Hands over the counts of each request.
    pub(super) fn take(&mut self) -> Vec<PeerMeasurement> {
        let take = |peers: &mut RequestPeers| {
            peers.close_before(u64::MAX);
            std::mem::take(&mut peers.earlier)
        };
        self.0.iter_mut().map(take).collect()
    }
}

impl RequestPeers {
    /// Maximum number of connections with counts of their own. An older one that is still used
    /// beyond that counts as another connection.
    const MAX_OPEN: usize = 4_096;

    fn of_connection(&mut self, id: ConnectionId) -> &mut PeerCounts {
        if self.connections.len() >= Self::MAX_OPEN && !self.connections.contains_key(&id.number) {
            let middle = self.connections.keys().nth(Self::MAX_OPEN / 2).copied();
            self.close_before(middle.unwrap_or(id.number));
        }
        let open = self.connections.entry(id.number);
        &mut open.or_insert_with(|| (id.address, PeerCounts::default())).1
    }

    fn close_before(&mut self, number: u64) {
        let later = self.connections.split_off(&number);
        for (address, counts) in std::mem::replace(&mut self.connections, later).into_values() {
            let address = address.map(|address| address.to_string());
            self.earlier.add_connection(PeerConnection { address, counts });
        }
    }
}

impl PeerCounts {
    fn count(&mut self, ceilings: &[Ceiling], exchange: &Exchange) {
        self.exchanges += 1;
        self.failed += u64::from(exchange.failed.is_some());
        self.ceilings.resize(ceilings.len(), CeilingCount::default());
        for (count, ceiling) in self.ceilings.iter_mut().zip(ceilings) {
            count.add(slot::judge(ceiling, exchange));
        }
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
        let mut recorder = PeerRecorder::new(1);
        for number in 0..20_000 {
            recorder.count(0, &[], &on(UsedConnection::One(id(number, (number % 2) as u8))));
        }
        assert!(recorder.0[0].connections.len() <= RequestPeers::MAX_OPEN);
        let peers = recorder.take().remove(0);
        assert_eq!((peers.connections, peers.worst.len()), (20_000, 0));
        assert_eq!(peers.addresses["192.0.2.1:80"].exchanges, 10_000);
    }
}
