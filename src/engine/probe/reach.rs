//! Whether a target can be reached, at which of its addresses, and what is spoken there.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::task::LocalSet;
use tokio::time::timeout;
use url::Host;

use super::super::clock;
use super::super::dial::{
    Dial as _, Dialled, HandshakeTrouble, Origin, Resolver as _, SystemResolver, TcpDial, Terms,
    Version, known_addresses, usable_addresses,
};
use super::super::{EngineError, runtime};
use crate::plan::TargetPlan;
use crate::record::{Dimension, Failure};
use crate::recorder::{Failed, Parts};

/// How many of a target's addresses are tried.
const TRIED: usize = 16;

/// A connection that was opened is listened to for so many of its round trips, within these bounds: a target that turns
/// whoever comes away says so by then.
const ROUND_TRIPS: u32 = 4;
const LISTENED_AT_LEAST: Duration = Duration::from_millis(50);
const LISTENED_AT_MOST: Duration = Duration::from_millis(500);

/// A target as it was found.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Its addresses; the error says why there are none.
    pub names: Result<Names, String>,
    /// Each usable address that was tried, in order; 16 at most.
    pub doors: Vec<Door>,
}

/// Where a target's addresses came from, and which there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// How they were found.
    pub found: Found,
    /// All of them.
    pub all: Vec<SocketAddr>,
    /// Those that connections may lead to; the error says that none may.
    pub usable: Result<Vec<SocketAddr>, String>,
}

/// How a target's addresses were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The URL holds the address itself.
    Written,
    /// They are given for the name.
    Given,
    /// They were looked up, which took so long.
    LookedUp(Duration),
}

/// What one address answered.
#[derive(Debug, Clone)]
pub struct Door {
    /// The address, with its port.
    pub address: SocketAddr,
    /// Whether a connection can be opened to it.
    pub opened: Result<Spoke, Refused>,
}

/// A connection that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoke {
    /// How long the TCP handshake took.
    pub connect: Duration,
    /// How long the TLS handshake took; `None` without TLS.
    pub tls: Option<Duration>,
    /// What was agreed on, such as `HTTP/2 over TLS 1.3`; `None` without TLS, where nothing is agreed on before a
    /// request.
    pub spoken: Option<String>,
}

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The kind of failure, as a run would count it.
    pub failure: Failure,
    /// The phase it was in; `None` where the connection was open already.
    pub phase: Option<Dimension>,
    /// What was seen.
    pub seen: String,
    /// What a TLS handshake met with, where that is known.
    pub trouble: Option<HandshakeTrouble>,
}

/// Looks a target's name up and opens a connection to each of its addresses at the same time, as a run would, but sends
/// no request. The look-up and the connections may take `limit` each, or less where the plan's timeouts are shorter.
///
/// The error says that no connection could be tried: its certificates cannot be used, for instance.
pub fn reach(target: &TargetPlan, limit: Duration) -> Result<Reach, EngineError> {
    let terms = Terms::new(target, false)?;
    let origin = Origin::of(&target.base_url).ok_or_else(|| {
        EngineError::Target(format!("{} names no host and port", target.base_url))
    })?;
    let runtime = runtime()?;
    let reach = LocalSet::new().block_on(&runtime, async {
        let names = names(target, &origin, limit).await;
        let usable = names.iter().filter_map(|names| names.usable.as_ref().ok()).flatten();
        let addresses: Vec<_> = usable.copied().take(TRIED).collect();
        Reach { names, doors: doors(&terms, &origin, &addresses, limit).await }
    });
    // A name look-up that hangs in the system must not keep anybody waiting.
    runtime.shutdown_background();
    Ok(reach)
}

async fn names(target: &TargetPlan, origin: &Origin, limit: Duration) -> Result<Names, String> {
    let Host::Domain(name) = &origin.host else {
        return Ok(known(target, origin, Found::Written));
    };
    let given = known(target, origin, Found::Given);
    if !given.all.is_empty() {
        return Ok(given);
    }
    let (begun, limit) = (clock::now(), limit.min(target.timeouts.dns));
    let found = timeout(limit, SystemResolver.look_up(name, origin.port)).await;
    let found = found.map_err(|_| format!("no answer within {}", crate::units::show(limit)))?;
    let mut all = Vec::new();
    for address in found.map_err(|error| error.to_string())? {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    let usable = usable_addresses(target, name, &all);
    Ok(Names { found: Found::LookedUp(clock::now() - begun), all, usable })
}

fn known(target: &TargetPlan, origin: &Origin, found: Found) -> Names {
    let all = known_addresses(target, origin);
    Names { found, usable: Ok(all.clone()), all }
}

async fn doors(
    terms: &Terms,
    origin: &Origin,
    addresses: &[SocketAddr],
    limit: Duration,
) -> Vec<Door> {
    let knock = |&address: &SocketAddr| {
        let (terms, origin) = (terms.to_one(origin, address.ip(), limit), origin.clone());
        let dial = TcpDial::new(terms, 0, Box::new(SystemResolver));
        let knocking = async move { knock(&dial, &origin, limit).await };
        (address, tokio::task::spawn_local(knocking))
    };
    let under_way: Vec<_> = addresses.iter().map(knock).collect();
    let mut doors = Vec::new();
    for (address, knocking) in under_way {
        let lost = |_| Err(Refused::of(Failure::Prober, "the attempt was given up"));
        // Whoever is told of a door is told its address.
        let here = format!("{address}: ");
        let bare = |refused: Refused| match refused.seen.strip_prefix(&here) {
            Some(seen) => Refused { seen: seen.to_owned(), ..refused },
            None => refused,
        };
        doors.push(Door { address, opened: knocking.await.unwrap_or_else(lost).map_err(bare) });
    }
    doors
}

/// Opens a connection, and listens whether it stays open.
async fn knock(dial: &TcpDial, origin: &Origin, limit: Duration) -> Result<Spoke, Refused> {
    let mut parts = Parts::default();
    let dialled = dial.dial(origin, &mut parts, clock::now() + limit).await;
    let Dialled { mut stream, spoken, .. } =
        dialled.map_err(|failed| Refused::new(failed, dial.trouble()))?;
    let connect = parts.duration(Dimension::Connect);
    let listened = (connect * ROUND_TRIPS).clamp(LISTENED_AT_LEAST, LISTENED_AT_MOST).min(limit);
    let spoke = Spoke {
        connect,
        tls: origin.secure.then(|| parts.duration(Dimension::Tls)),
        spoken: origin.secure.then(|| spoken.to_string()),
    };
    let mut byte = [0];
    match timeout(listened, stream.as_mut().read(&mut byte)).await {
        Err(_silent) => Ok(spoke),
        Ok(Ok(0)) => Err(Refused::of(Failure::Closed, "the target closed the connection at once")),
        Ok(Ok(_)) if spoken.version == Version::Http1 => Err(Refused::of(
            Failure::Malformed,
            "it speaks before it is asked, as no HTTP/1.1 server does",
        )),
        Ok(Ok(_)) => Ok(spoke),
        Ok(Err(error)) => Err(Refused::by(&error)),
    }
}

impl Refused {
    pub(super) fn new(failed: Failed, trouble: Option<HandshakeTrouble>) -> Self {
        Self { failure: failed.failure, phase: failed.phase, seen: failed.seen, trouble }
    }

    fn of(failure: Failure, seen: &str) -> Self {
        Self { failure, phase: None, seen: seen.to_owned(), trouble: None }
    }

    /// A connection that was open and came to an end at once.
    fn by(error: &std::io::Error) -> Self {
        let trouble = HandshakeTrouble::of(error);
        let failure = match error.kind() {
            _ if trouble.is_some() => Failure::Tls,
            std::io::ErrorKind::ConnectionReset => Failure::Reset,
            _ => Failure::Closed,
        };
        Self { failure, phase: None, seen: error.to_string(), trouble }
    }
}
