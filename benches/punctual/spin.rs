//! The reference client: one connection, and a whole core that reads the clock.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::{Nanos, now};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Sends `count` requests, one every `spacing`, without waiting for answers.
pub(crate) fn send(address: &str, count: u64, spacing: Nanos) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let start = now() + 10_000_000;
    let mut answers = [0; 4096];
    for index in 0..count {
        let due = start + index * spacing;
        let mut answered = index == 0;
        while now() < due {
            if !answered {
                answered = match stream.read(&mut answers) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => false,
                    read => read? > 0,
                };
            }
        }
        stream.write_all(REQUEST)?;
    }
    stream.set_nonblocking(false)?;
    stream.read(&mut answers).map(drop)
}
