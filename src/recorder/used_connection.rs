//! The connection that carried an exchange.

use std::net::SocketAddr;

/// One connection of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionId {
    /// Its number in the lane, counted up from the first.
    pub number: u64,
    /// Its remote address, if it has one.
    pub address: Option<SocketAddr>,
}

/// The connection that carried an exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UsedConnection {
    /// No connection took it.
    #[default]
    Missing,
    /// All its hops and tries used one.
    One(ConnectionId),
    /// Its hops or tries used several. The address is set if it is the same for all.
    Several(Option<SocketAddr>),
}

impl UsedConnection {
    /// Adds the connection of another hop or try.
    pub fn add(&mut self, other: Self) {
        let address = |used| match used {
            Self::Missing => None,
            Self::One(id) => id.address,
            Self::Several(address) => address,
        };
        *self = match (*self, other) {
            (used, Self::Missing) | (Self::Missing, used) => used,
            (Self::One(one), Self::One(two)) if one.number == two.number => *self,
            (one, two) => Self::Several(address(one).filter(|one| address(two) == Some(*one))),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64, last: u8) -> ConnectionId {
        ConnectionId { number, address: Some(SocketAddr::from(([192, 0, 2, last], 80))) }
    }

    #[test]
    fn hops_on_several_connections_have_only_a_common_address() {
        let used = |ids: &[ConnectionId]| {
            let mut used = UsedConnection::default();
            for &id in ids {
                used.add(UsedConnection::One(id));
            }
            used
        };
        assert_eq!(used(&[]), UsedConnection::Missing);
        assert_eq!(used(&[id(1, 1), id(1, 1)]), UsedConnection::One(id(1, 1)));
        assert_eq!(used(&[id(1, 1), id(2, 1)]), UsedConnection::Several(id(1, 1).address));
        assert_eq!(used(&[id(1, 1), id(2, 2)]), UsedConnection::Several(None));
        assert_eq!(used(&[id(1, 1), id(2, 2), id(3, 1)]), UsedConnection::Several(None));
    }
}
