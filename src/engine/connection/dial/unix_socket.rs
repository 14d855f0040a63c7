//! Connections to a Unix domain socket on this machine.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};

use crate::library_text::{describe_io, is_local_shortage};
use crate::record::{Dimension, Failure};
use crate::recorder::ExchangeFailure;

/// How long to wait before the next attempt if the server's queue is full. A TCP connection waits
/// in the kernel instead.
const QUEUE_PAUSE: Duration = Duration::from_millis(1);

/// Connects to the socket at a path.
pub(super) async fn connect(path: &Path) -> Result<TcpStream, ExchangeFailure> {
    loop {
        match UnixStream::connect(path).await.and_then(into_stream) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                tokio::time::sleep(QUEUE_PAUSE).await;
            }
            connected => return connected.map_err(|error| failed(path, &error)),
        }
    }
}

/// The same socket under the type of TCP streams, which only reads, writes and closes it. Both
/// kinds then share everything above.
fn into_stream(stream: UnixStream) -> io::Result<TcpStream> {
    let descriptor = OwnedFd::from(stream.into_std()?);
    TcpStream::from_std(std::net::TcpStream::from(descriptor))
}

fn failed(path: &Path, error: &io::Error) -> ExchangeFailure {
    let shown = path.display();
    let (failure, seen, next) = match error.kind() {
        ErrorKind::NotFound => (
            Failure::Refused,
            format!("{shown}: there is no such socket"),
            Some("start the target, or correct the path of its socket"),
        ),
        ErrorKind::ConnectionRefused => (
            Failure::Refused,
            format!("{shown}: no process listens on this socket"),
            Some("start the target: the file is left from an earlier one, or is not a socket"),
        ),
        ErrorKind::PermissionDenied => (
            Failure::Unreachable,
            format!("{shown}: this user may not open the socket"),
            Some("run as a user or group that may write to the socket, or change its mode"),
        ),
        _ if is_local_shortage(error) => (Failure::Prober, describe_io(error), None),
        _ => (Failure::Unreachable, format!("{shown}: {}", describe_io(error)), None),
    };
    ExchangeFailure { next, ..ExchangeFailure::in_phase(failure, Dimension::Connect, seen) }
}
