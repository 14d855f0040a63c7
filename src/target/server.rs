//! Listening, accepting and serving: the only place of the rehearsal target that touches sockets.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use super::app::{ConnectionOrigin, TargetApp};
use super::clock::ServerClock;
use super::connection_opener::{ConnectionOpener, HttpStream, WireVersion};
use super::fly::FlyRehearsal;
use super::settings::TargetSettings;
use super::socket::SocketTransport;
use super::tls::ServerIdentity;
use super::{TargetError, http1, http2};
use crate::library_text::describe_io;

/// Connections that may wait to be accepted, so that a burst of them does not look like a slow
/// server.
const BACKLOG: i32 = 4096;

/// Pause after an accept that failed for lack of a resource, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Maximum time before a line of the arrival log is passed to its writing thread, and before the
/// rehearsal of Fly moves on without a request.
const UPKEEP: Duration = Duration::from_millis(500);

/// A rehearsal target that listens; connections queue until [`Self::run`] serves them.
///
/// Stalls and the arrival log count from the moment it is bound.
pub struct TargetServer {
    listener: StdListener,
    address: SocketAddr,
    front: ConnectionOpener,
    max_streams: u32,
    app: TargetApp,
}

impl TargetServer {
    /// Listens as `settings` say, and writes the certificates and the arrival log's first line if
    /// they ask for these. Needs no runtime.
    ///
    /// An error means that a setting does not fit ([`TargetError::is_usage`]), that the address is
    /// taken, or that a file cannot be written.
    pub fn bind(settings: &TargetSettings) -> Result<Self, TargetError> {
        settings.check_listen()?;
        settings.check_fault()?;
        let tls = settings.tls.then(|| ServerIdentity::make(settings)).transpose()?;
        if let Some(identity) = &tls {
            write(settings.tls_ca_out.as_deref(), &identity.authority)?;
            write(settings.tls_client_out.as_deref(), &identity.client)?;
        }
        let listen_failed = |source| TargetError::Listen { address: settings.listen, source };
        let listener = listen(settings.listen).map_err(listen_failed)?;
        let address = listener.local_addr().map_err(listen_failed)?;
        let app = TargetApp::new(settings, ServerClock::start())?;
        let tls = tls.map(|identity| identity.acceptor);
        let front = ConnectionOpener { http: settings.http, tls, tls_fault: settings.tls_fault };
        Ok(Self { listener, address, front, max_streams: settings.max_streams, app })
    }

    /// The address it listens on, its port never 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of its pages: `http://127.0.0.1:40123`, without a slash at the end.
    ///
    /// A server that listens on every address is named by loopback.
    pub fn base_url(&self) -> String {
        let scheme = if self.front.tls.is_some() { "https" } else { "http" };
        let host = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        format!("{scheme}://{}", SocketAddr::new(host, self.address.port()))
    }

    /// The environment in which a client of Fly finds the rehearsal of `--fly`: names and values,
    /// the app's name as `FLY_APP` among them. Empty without `--fly`.
    pub fn fly_environment(&self) -> Vec<(&'static str, String)> {
        self.app.fly().map_or_else(Vec::new, |fly| fly.environment(&self.base_url()))
    }

    /// Why the private addresses of the simulated machines cannot be used on this computer, and
    /// what to do about it; `None` if they can, or if there are none.
    pub fn private_address_problem(&self) -> Option<String> {
        let first = *self.app.fly()?.private_addresses().first()?;
        unusable_address(IpAddr::from(first).to_canonical())
    }

    /// Serves until `until` is done, then drops every connection and completes the arrival log.
    ///
    /// Must run on a tokio runtime with I/O and time; serves only on the calling thread. An error
    /// means that the listener failed or that the arrival log is incomplete.
    pub async fn run(self, until: impl Future<Output = ()>) -> Result<(), TargetError> {
        let listen_failed = |source| TargetError::Listen { address: self.address, source };
        let listener = TcpListener::from_std(self.listener).map_err(listen_failed)?;
        let (front, app, max_streams) = (Rc::new(self.front), Rc::new(self.app), self.max_streams);
        let acceptor = ConnectionAcceptor { front, app: Rc::clone(&app), max_streams };
        let connections = LocalSet::new();
        connections
            .run_until(async {
                tokio::select! {
                    () = until => {}
                    () = acceptor.clone().accept(listener) => {}
                    () = keep_up(&acceptor, self.address.port()) => {}
                    () = app.drive_timer() => {}
                }
            })
            .await;
        drop((connections, acceptor));
        app.close_log()
    }
}

/// Serves the connections of a listener.
#[derive(Clone)]
struct ConnectionAcceptor {
    front: Rc<ConnectionOpener>,
    app: Rc<TargetApp>,
    max_streams: u32,
}

impl ConnectionAcceptor {
    async fn accept(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let address = stream.local_addr().ok().map(|address| address.ip());
                    let origin = self.app.next_connection(address);
                    spawn_local(self.clone().converse(stream, origin));
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    /// One connection from its acceptance to its end. An error affects only its client, which
    /// notices it.
    async fn converse(self, stream: TcpStream, origin: ConnectionOrigin) {
        match self.front.open(stream).await {
            None => {}
            Some((HttpStream::Plain(stream), spoken)) => self.serve(stream, spoken, origin).await,
            Some((HttpStream::Tls(stream), spoken)) => self.serve(*stream, spoken, origin).await,
        }
    }

    async fn serve(
        &self,
        stream: impl SocketTransport,
        spoken: WireVersion,
        origin: ConnectionOrigin,
    ) {
        match spoken {
            WireVersion::Http1 => http1::serve(stream, &self.app, origin).await,
            WireVersion::Http2 => http2::serve(stream, &self.app, origin, self.max_streams).await,
        }
    }
}

/// Why nobody can listen on an address of this computer.
fn unusable_address(address: IpAddr) -> Option<String> {
    let error = listen(SocketAddr::new(address, 0)).err()?;
    let why = describe_io(&error);
    Some(format!(
        "the machines' private addresses, {address} and the next ones, cannot be used on this \
         computer: {why}. Requests to them fail; use Linux, which has all of them, or add each as \
         an alias (macOS: `sudo ifconfig lo0 alias {address}`) and start the target again"
    ))
}

fn listen(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Writes a PEM file if the settings name one. Only its owner may read it, as it may hold a key.
fn write(path: Option<&Path>, pem: &str) -> Result<(), TargetError> {
    let Some(path) = path else { return Ok(()) };
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(pem.as_bytes()));
    written.map_err(|source| TargetError::Write { path: path.to_owned(), source })
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Does what no connection asks for: writes the arrival log, lets the rehearsal of Fly move on, and
/// listens at the private addresses of its machines.
async fn keep_up(acceptor: &ConnectionAcceptor, port: u16) {
    let mut addresses = 0;
    loop {
        let app = &acceptor.app;
        let private = app.fly().map_or_else(Vec::new, FlyRehearsal::private_addresses);
        for address in private.get(addresses..).unwrap_or_default() {
            // `private_address_problem` reports a computer without these addresses. If the server
            // listens on every address, this one is taken, and its connections arrive there.
            let address = SocketAddr::new(IpAddr::from(*address).to_canonical(), port);
            let listener = listen(address).and_then(TcpListener::from_std);
            listener.ok().map(|listener| spawn_local(acceptor.clone().accept(listener)));
        }
        addresses = private.len();
        tokio::time::sleep(UPKEEP).await;
        app.flush_log();
        app.advance_fly();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_this_computer_does_not_have_is_named_with_a_remedy() {
        // An address of RFC 5737, which no computer has.
        let problem = unusable_address(Ipv4Addr::new(192, 0, 2, 1).into()).unwrap();
        assert!(problem.contains("ifconfig lo0 alias 192.0.2.1"), "{problem}");
        assert_eq!(unusable_address(Ipv4Addr::LOCALHOST.into()), None);
    }
}
