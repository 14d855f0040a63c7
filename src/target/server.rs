//! Listening, accepting and serving: the only place of the rehearsal target that touches sockets.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsAcceptor;

use super::Error;
use super::app::App;
use super::clock::Clock;
use super::settings::Settings;
use super::tls::Identity;

/// Connections that may wait to be accepted, so that a burst of them does not look like a slow server.
const BACKLOG: i32 = 4096;

/// Pause after an accept that failed for want of something, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// How long a line of the arrival log waits at most before it is on its way to the file.
const LOG_FLUSH: Duration = Duration::from_millis(500);

/// A rehearsal target that listens; connections queue until [`Self::run`] serves them.
///
/// Its time, which stalls and the arrival log count from, starts when it is bound.
pub struct Server {
    listener: StdListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    app: App,
}

impl Server {
    /// Listens as `settings` say, and writes the authority's certificate and the arrival log's first line where they
    /// ask for these. Needs no runtime.
    ///
    /// An error means that a setting does not fit ([`Error::is_usage`]), that the address is taken, or that a file
    /// cannot be written.
    pub fn bind(settings: &Settings) -> Result<Self, Error> {
        settings.check_listen()?;
        let tls = settings.tls.then(|| Identity::make(settings.listen.ip())).transpose()?;
        if let (Some(path), Some(identity)) = (&settings.tls_ca_out, &tls) {
            std::fs::write(path, &identity.authority)
                .map_err(|source| Error::Write { path: path.clone(), source })?;
        }
        let listen_failed = |source| Error::Listen { address: settings.listen, source };
        let listener = listen(settings.listen).map_err(listen_failed)?;
        let address = listener.local_addr().map_err(listen_failed)?;
        let app = App::new(settings, Clock::start())?;
        Ok(Self { listener, address, tls: tls.map(|identity| identity.acceptor), app })
    }

    /// The address it listens on, its port never 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where its pages are: `http://127.0.0.1:40123`, without a slash at the end.
    ///
    /// A server that listens on every address is named by loopback.
    pub fn base_url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let host = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        format!("{scheme}://{}", SocketAddr::new(host, self.address.port()))
    }

    /// Serves until `until` is done, then drops every connection and completes the arrival log.
    ///
    /// Has to run on a tokio runtime with I/O and time, and serves on the calling thread alone. An error means that
    /// the listener is of no use or that the arrival log is not complete.
    pub async fn run(self, until: impl Future<Output = ()>) -> Result<(), Error> {
        let listen_failed = |source| Error::Listen { address: self.address, source };
        let listener = TcpListener::from_std(self.listener).map_err(listen_failed)?;
        let app = Rc::new(self.app);
        let connections = LocalSet::new();
        connections
            .run_until(async {
                tokio::select! {
                    () = until => {}
                    () = accept(&listener, self.tls, &app) => {}
                    () = flush_now_and_then(&app) => {}
                }
            })
            .await;
        drop(connections);
        app.close_log()
    }
}

fn listen(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

async fn accept(listener: &TcpListener, tls: Option<TlsAcceptor>, app: &Rc<App>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let number = app.next_connection();
                spawn_local(converse(stream, tls.clone(), Rc::clone(app), number));
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// One connection from its acceptance to its end. Whatever breaks it concerns its client alone, who sees it.
async fn converse(stream: TcpStream, tls: Option<TlsAcceptor>, app: Rc<App>, number: u64) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    match tls {
        None => serve(stream, app, number).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, app, number).await;
            }
        }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, app: Rc<App>, number: u64) {
    let service = service_fn(|request| {
        let visit = app.receive(number, &request);
        let app = &app;
        async move {
            app.hold(&visit).await;
            Ok::<_, Infallible>(visit.response)
        }
    });
    // One buffer for head and body: copying a small page costs less than the kernel's gathering of two pieces.
    let connection = http1::Builder::new().writev(false).serve_connection(TokioIo::new(stream), service);
    let _ = pin!(connection).await;
}

async fn flush_now_and_then(app: &App) {
    loop {
        tokio::time::sleep(LOG_FLUSH).await;
        app.flush_log();
    }
}
