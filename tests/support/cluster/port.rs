//! A loopback port that stays free while its server is down.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

/// Below the ports that systems use for outgoing connections (from 32,768 on), so that none of
/// these takes the port of a server that is being restarted.
const FIRST: u16 = 10_240;
const PAIRS: u16 = 11_000;

/// A port for a server. Listening on the port above it reserves it against other tests.
pub(super) struct Port {
    number: u16,
    _neighbour: TcpListener,
}

impl Port {
    pub(super) fn reserve() -> Self {
        let from = RandomState::new().build_hasher().finish() % u64::from(PAIRS);
        let from = u16::try_from(from).unwrap();
        let mut numbers = (0..PAIRS).map(|step| FIRST + 2 * ((from + step) % PAIRS));
        numbers.find_map(Self::try_at).unwrap_or_else(|| panic!("no free loopback port was found"))
    }

    /// The port above comes first: a test that does not get it never uses the port itself.
    fn try_at(number: u16) -> Option<Self> {
        let neighbour = TcpListener::bind((Ipv4Addr::LOCALHOST, number + 1)).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self { number, _neighbour: neighbour })
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }
}
