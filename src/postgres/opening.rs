//! Opens a connection: dials, agrees on TLS, and logs in.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_postgres::NoTls;

use super::message_guard::{DatabaseStream, MessageGuard};
use super::transaction_state::TransactionState;
use super::wire::{Wire, WireError};
use super::wire_fault::WireFault;
use super::{DatabaseAddress, PgError, PostgresTls, tls};
use crate::library_text::await_without_panic;

/// How long an address may be silent before the next one is tried as well: the *Connection Attempt
/// Delay* that RFC 8305 recommends.
const DELAY: Duration = Duration::from_millis(250);

/// Maximum number of a host's addresses that are tried.
const TRIED: usize = 8;

/// Asks whether the server has TLS: a length of 8, and the request code that stands in place of a
/// version.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Opens a connection. The state follows what its server reports about transactions.
pub(super) async fn open(address: &DatabaseAddress) -> Result<(Wire, TransactionState), PgError> {
    let at = address.display_name();
    let socket = secure(address, &at).await?;
    let state = TransactionState::default();
    let guard = MessageGuard::new(socket, state.clone());
    let config = address.login();
    // The library's futures are large.
    let mut login = Box::pin(config.connect_raw(guard, NoTls));
    let opened = match await_without_panic(login.as_mut()).await {
        Ok(opened) => opened.map_err(WireError::from),
        Err(defect) => Err(WireError::Defect(defect)),
    };
    match opened {
        Ok((client, connection)) => Ok((Wire::new(client, connection), state)),
        Err(error) => Err(PgError::of_login(&at, &error)),
    }
}

/// A stream on which the login may be sent.
async fn secure(address: &DatabaseAddress, at: &str) -> Result<Box<dyn DatabaseStream>, PgError> {
    let of_io = |error: io::Error| PgError::of_io(at, &error);
    if address.tls() == PostgresTls::Plaintext {
        return dial(address).await.map_err(of_io);
    }
    let connector = tls::connector(address, at)?;
    let mut socket = dial(address).await.map_err(of_io)?;
    if !has_tls(&mut socket).await.map_err(of_io)? {
        return match address.tls() {
            PostgresTls::WhereOffered => Ok(socket),
            _ => Err(PgError::no_tls(at)),
        };
    }
    let name = ServerName::try_from(address.peer().to_owned()).map_err(|_| {
        let why = format!("{} is not a name that a certificate can contain", address.peer());
        PgError::without_tls(at, why)
    })?;
    Ok(Box::new(connector.connect(name, socket).await.map_err(of_io)?))
}

/// Asks a server whether it has TLS.
///
/// Reads exactly one byte. Plain text that was injected after it then reaches the TLS handshake,
/// which refuses it.
async fn has_tls(socket: &mut (impl DatabaseStream + ?Sized)) -> io::Result<bool> {
    socket.write_all(&SSL_REQUEST).await?;
    socket.flush().await?;
    match socket.read_u8().await? {
        b'S' => Ok(true),
        b'N' => Ok(false),
        // An error, which nobody vouches for, so it is not shown.
        b'E' => Err(io::ErrorKind::ConnectionAborted.into()),
        _ => Err(WireFault::NotPostgres("its answer on TLS is neither yes nor no").into()),
    }
}

async fn dial(address: &DatabaseAddress) -> io::Result<Box<dyn DatabaseStream>> {
    if let Some(socket) = address.socket() {
        return Ok(Box::new(UnixStream::connect(socket).await?));
    }
    let found = lookup_host((address.peer(), address.port())).await?;
    let stream = connect_any(found.take(TRIED).collect()).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

/// Connects to the first address that accepts a connection. The next one is tried when one refuses,
/// or is silent for a while; the silent one may still win.
async fn connect_any(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut untried = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        attempts.extend(untried.next().map(TcpStream::connect));
        let ended = if untried.len() == 0 {
            attempts.next().await
        } else {
            let Ok(ended) = timeout(DELAY, attempts.next()).await else { continue };
            ended
        };
        match ended {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => failure = error,
            None => return Err(failure),
        }
    }
}

#[cfg(all(test, target_os = "linux"))] // All of 127.0.0.0/8 is this machine.
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};

    #[tokio::test]
    async fn the_first_address_that_accepts_a_connection_is_used() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let open = server.local_addr().unwrap();
        let [silent, refusing] =
            [9, 8].map(|last| SocketAddr::from(([127, 0, 0, last], open.port())));
        let hole = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        hole.bind(&silent.into()).unwrap();
        hole.listen(0).unwrap();
        let _in_its_queue = std::net::TcpStream::connect(silent).unwrap();
        for addresses in [&[silent, refusing, open][..], &[open, silent], &[refusing, open]] {
            let stream = connect_any(addresses.to_vec()).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), open, "{addresses:?}");
        }
        let kind = |addresses| async { connect_any(addresses).await.unwrap_err().kind() };
        assert_eq!(kind(vec![refusing]).await, io::ErrorKind::ConnectionRefused);
        assert_eq!(kind(Vec::new()).await, io::ErrorKind::AddrNotAvailable);
    }
}
