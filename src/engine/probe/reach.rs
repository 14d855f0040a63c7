//! Finds out whether a target can be reached, at which of its addresses, and over which protocol.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::task::LocalSet;
use tokio::time::timeout;
use url::Host;

use crate::engine::connection::dial::{
    ConnectionTerms, DialedConnection, Dialer as _, HandshakeProblem, NameResolver as _,
    NegotiatedVersion, SystemResolver, TcpDialer, UrlOrigin, known_addresses, reached_origin,
    usable_addresses,
};
use crate::engine::error::EngineError;
use crate::engine::thread::current_thread_runtime;
use crate::engine::time::clock;
use crate::library_text::describe_io;
use crate::plan::TargetPlan;
use crate::record::{Dimension, Failure};
use crate::recorder::{ExchangeFailure, ExchangeParts};

/// Maximum number of a target's addresses that are tried.
const TRIED: usize = 16;

/// How long to watch an opened connection, in round trips and within these bounds: a target that
/// rejects every client has closed it by then.
const ROUND_TRIPS: u32 = 4;
const LISTENED_AT_LEAST: Duration = Duration::from_millis(50);
const LISTENED_AT_MOST: Duration = Duration::from_millis(500);

/// The result of trying to reach a target.
#[derive(Debug, Clone)]
pub struct TargetReach {
    /// Its addresses, or why there are none.
    pub names: Result<TargetAddresses, String>,
    /// Each usable address that was tried, in order; at most 16.
    pub attempts: Vec<AddressAttempt>,
}

/// A target's addresses, and where they came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetAddresses {
    /// How they were found.
    pub found: AddressSource,
    /// All of them.
    pub all: Vec<SocketAddr>,
    /// The addresses that connections may use, or why there are none.
    pub usable: Result<Vec<SocketAddr>, String>,
}

/// How a target's addresses were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressSource {
    /// The URL holds the address itself.
    Written,
    /// The scenario gives them for the name.
    Given,
    /// There are none: the target is a Unix socket.
    Socket,
    /// A look-up found them, in this time.
    LookedUp(Duration),
}

/// The result of trying one address.
#[derive(Debug, Clone)]
pub struct AddressAttempt {
    /// The address, with its port, or the path of a Unix socket.
    pub address: String,
    /// The opened connection, or why none could be opened.
    pub opened: Result<OpenedConnection, ConnectionFailure>,
}

/// A connection that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedConnection {
    /// How long the TCP handshake took.
    pub connect: Duration,
    /// How long the TLS handshake took; `None` without TLS.
    pub tls: Option<Duration>,
    /// What both sides negotiated, such as `HTTP/2 over TLS 1.3`; `None` without TLS, because plain
    /// text negotiates nothing before a request.
    pub spoken: Option<String>,
}

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionFailure {
    /// The kind of failure, as a run would count it.
    pub failure: Failure,
    /// The phase of the failure; `None` if the connection was already open.
    pub phase: Option<Dimension>,
    /// What happened instead.
    pub seen: String,
    /// Why a TLS handshake failed, if that is known.
    pub trouble: Option<HandshakeProblem>,
}

/// Looks up a target's name and opens a connection to each of its addresses at the same time, as a
/// run would, but sends no request. The look-up and the connections may take `limit` each, or less
/// if the plan's timeouts are shorter.
///
/// Fails if no connection could be tried, for instance because the certificates cannot be used.
pub fn reach(target: &TargetPlan, limit: Duration) -> Result<TargetReach, EngineError> {
    let terms = ConnectionTerms::new(target, false)?;
    let origin = UrlOrigin::of(&target.base_url).ok_or_else(|| {
        EngineError::Target(format!("{} names no host and port", target.base_url))
    })?;
    let runtime = current_thread_runtime()?;
    let reach = LocalSet::new().block_on(&runtime, async {
        if let Some(path) = &target.unix_socket {
            return reach_socket(&terms, &origin, path, limit).await;
        }
        let names = names(target, &reached_origin(target, &origin), limit).await;
        let usable = names.iter().filter_map(|names| names.usable.as_ref().ok()).flatten();
        let addresses: Vec<_> = usable.copied().take(TRIED).collect();
        TargetReach { names, attempts: try_all(&terms, &origin, &addresses, limit).await }
    });
    // A look-up that hangs in the system would otherwise delay the return.
    runtime.shutdown_background();
    Ok(reach)
}

async fn reach_socket(
    terms: &ConnectionTerms,
    origin: &UrlOrigin,
    path: &Path,
    limit: Duration,
) -> TargetReach {
    let dial = TcpDialer::new(terms.clone(), 0, Box::new(SystemResolver));
    let shown = path.display().to_string();
    let opened = try_address(&dial, origin, limit).await;
    let opened = opened.map_err(|refused| refused.without_address(&shown));
    let names =
        TargetAddresses { found: AddressSource::Socket, all: Vec::new(), usable: Ok(Vec::new()) };
    TargetReach { names: Ok(names), attempts: vec![AddressAttempt { address: shown, opened }] }
}

async fn names(
    target: &TargetPlan,
    origin: &UrlOrigin,
    limit: Duration,
) -> Result<TargetAddresses, String> {
    let Host::Domain(name) = &origin.host else {
        return Ok(known(target, origin, AddressSource::Written));
    };
    let given = known(target, origin, AddressSource::Given);
    if !given.all.is_empty() {
        return Ok(given);
    }
    let (begun, limit) = (clock::now(), limit.min(target.timeouts.dns));
    let found = timeout(limit, SystemResolver.look_up(name, origin.port)).await;
    let found =
        found.map_err(|_| format!("no answer within {}", crate::units::format_duration(limit)))?;
    let mut all = Vec::new();
    for address in found.map_err(|error| describe_io(&error))? {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    let usable = usable_addresses(target, name, &all);
    Ok(TargetAddresses { found: AddressSource::LookedUp(clock::now() - begun), all, usable })
}

fn known(target: &TargetPlan, origin: &UrlOrigin, found: AddressSource) -> TargetAddresses {
    let all = known_addresses(target, origin);
    TargetAddresses { found, usable: Ok(all.clone()), all }
}

async fn try_all(
    terms: &ConnectionTerms,
    origin: &UrlOrigin,
    addresses: &[SocketAddr],
    limit: Duration,
) -> Vec<AddressAttempt> {
    let try_address = |&address: &SocketAddr| {
        let (terms, origin) = (terms.to_one(origin, address.ip(), limit), origin.clone());
        let dial = TcpDialer::new(terms, 0, Box::new(SystemResolver));
        let attempt = async move { try_address(&dial, &origin, limit).await };
        (address, tokio::task::spawn_local(attempt))
    };
    let under_way: Vec<_> = addresses.iter().map(try_address).collect();
    let mut attempts = Vec::new();
    for (address, attempt) in under_way {
        let lost = |_| Err(ConnectionFailure::of(Failure::Prober, "the attempt was given up"));
        let address = address.to_string();
        let opened = attempt.await.unwrap_or_else(lost);
        let opened = opened.map_err(|refused| refused.without_address(&address));
        attempts.push(AddressAttempt { address, opened });
    }
    attempts
}

/// Opens a connection, and checks that the target does not close it at once.
async fn try_address(
    dial: &TcpDialer,
    origin: &UrlOrigin,
    limit: Duration,
) -> Result<OpenedConnection, ConnectionFailure> {
    let mut parts = ExchangeParts::default();
    let dialled = dial.dial(origin, &mut parts, clock::now() + limit).await;
    let DialedConnection { mut stream, spoken, .. } =
        dialled.map_err(|failed| ConnectionFailure::new(failed, dial.trouble()))?;
    let connect = parts.duration(Dimension::Connect);
    let listened = (connect * ROUND_TRIPS).clamp(LISTENED_AT_LEAST, LISTENED_AT_MOST).min(limit);
    let spoke = OpenedConnection {
        connect,
        tls: origin.secure.then(|| parts.duration(Dimension::Tls)),
        spoken: origin.secure.then(|| spoken.to_string()),
    };
    let mut byte = [0];
    match timeout(listened, stream.as_mut().read(&mut byte)).await {
        Err(_silent) => Ok(spoke),
        Ok(Ok(0)) => {
            Err(ConnectionFailure::of(Failure::Closed, "the target closed the connection at once"))
        }
        Ok(Ok(_)) if spoken.version == NegotiatedVersion::Http1 => Err(ConnectionFailure::of(
            Failure::Malformed,
            "it sends data before any request, which no HTTP/1.1 server does",
        )),
        Ok(Ok(_)) => Ok(spoke),
        Ok(Err(error)) => Err(ConnectionFailure::by(&error)),
    }
}

impl ConnectionFailure {
    pub(super) fn new(failed: ExchangeFailure, trouble: Option<HandshakeProblem>) -> Self {
        Self { failure: failed.failure, phase: failed.phase, seen: failed.seen, trouble }
    }

    /// The same failure; what was seen no longer starts with the address.
    fn without_address(self, address: &str) -> Self {
        let bare = self.seen.strip_prefix(address).and_then(|rest| rest.strip_prefix(": "));
        match bare.map(str::to_owned) {
            Some(seen) => Self { seen, ..self },
            None => self,
        }
    }

    fn of(failure: Failure, seen: &str) -> Self {
        Self { failure, phase: None, seen: seen.to_owned(), trouble: None }
    }

    /// The failure of an open connection that ended at once.
    fn by(error: &std::io::Error) -> Self {
        let trouble = HandshakeProblem::of(error);
        let failure = match error.kind() {
            _ if trouble.is_some() => Failure::Tls,
            std::io::ErrorKind::ConnectionReset => Failure::Reset,
            _ => Failure::Closed,
        };
        Self { failure, phase: None, seen: describe_io(error), trouble }
    }
}
