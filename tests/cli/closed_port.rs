//! A port on which nothing listens and which no other test can take.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A loopback address that refuses connections while this value lives.
pub(crate) struct ClosedPort(Socket);

impl ClosedPort {
    /// Binds a socket to a free port, and does not listen.
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        Self(socket)
    }
}

impl fmt::Display for ClosedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.local_addr().unwrap().as_socket().unwrap().fmt(f)
    }
}
