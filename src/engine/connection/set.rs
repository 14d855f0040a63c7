//! The connections of one worker task: to the base URL's origin, and to a few redirect targets.

use std::rc::Rc;

use tokio::time::timeout_at;

use super::dial::{RequestDestination, UrlOrigin};
use super::http::{ConnectionLoss, HttpConnection};
use super::shared::{ConnectionClaim, OpeningClaim, SharedConnection};
use super::unavailable::ConnectionUnavailable;
use crate::engine::time::clock::Instant;

/// The connections of one worker task.
pub(in crate::engine) struct ConnectionSet {
    home: HomeConnection,
    /// Connections to other origins; the most recently used is last.
    elsewhere: Vec<(UrlOrigin, HttpConnection)>,
}

/// The connection to the base URL's origin.
enum HomeConnection {
    Own(Option<HttpConnection>),
    Shared(Rc<SharedConnection>),
}

/// What a task gets when it needs a connection.
pub(in crate::engine) enum ConnectionAccess {
    /// A connection that is ready.
    Ready(HttpConnection),
    /// No connection; the task has to open it.
    Missing {
        /// Why the previous connection takes no more requests, unless a failed exchange says so.
        lost: Option<ConnectionLoss>,
        /// The claim to open the connection, if it is shared.
        opening: Option<OpeningClaim>,
    },
}

impl ConnectionSet {
    /// Maximum number of connections kept to other origins; the least recently used one is dropped
    /// first.
    pub(in crate::engine) const MAX_ELSEWHERE: usize = 2;

    /// A set without an open connection; `shared` is the connection to the base URL's origin if
    /// several tasks share it.
    pub(in crate::engine) fn new(shared: Option<Rc<SharedConnection>>) -> Self {
        let home = shared.map_or(HomeConnection::Own(None), HomeConnection::Shared);
        Self { home, elsewhere: Vec::new() }
    }

    /// Takes the connection to a destination. Waits until it can take a request, but no later than
    /// `by`.
    pub(in crate::engine) async fn take(
        &mut self,
        destination: RequestDestination<'_>,
        by: Instant,
    ) -> Result<ConnectionAccess, ConnectionUnavailable> {
        let idle = match (destination, &mut self.home) {
            (RequestDestination::Home, HomeConnection::Own(connection)) => connection.take(),
            (RequestDestination::Home, HomeConnection::Shared(shared)) => {
                let shared = Rc::clone(shared);
                let access = timeout_at(by, access_shared(&shared)).await;
                return access.map_err(|_elapsed| shared.unavailable());
            }
            (RequestDestination::Elsewhere(origin), _) => {
                let at = self.elsewhere.iter().position(|(known, _)| known == origin);
                at.map(|at| self.elsewhere.remove(at).1)
            }
        };
        let Some(mut connection) = idle else {
            return Ok(ConnectionAccess::Missing { lost: None, opening: None });
        };
        match connection.ready_by(by).await {
            Ok(true) => Ok(ConnectionAccess::Ready(connection)),
            Ok(false) => {
                Ok(ConnectionAccess::Missing { lost: connection.why_replaced(), opening: None })
            }
            Err(_elapsed) => Err(ConnectionUnavailable::on(&connection)),
        }
    }

    /// Whether the connection to the base URL's origin is open, as far as is known.
    pub(in crate::engine) fn is_open(&mut self) -> bool {
        match &mut self.home {
            HomeConnection::Own(own) => own.as_mut().is_some_and(HttpConnection::is_open),
            HomeConnection::Shared(shared) => shared.is_open(),
        }
    }

    /// Keeps a connection for the next exchange.
    pub(in crate::engine) fn put_back(
        &mut self,
        destination: RequestDestination<'_>,
        connection: HttpConnection,
    ) {
        match (destination, &mut self.home) {
            (RequestDestination::Home, HomeConnection::Own(own)) => *own = Some(connection),
            // A shared connection keeps its own handle.
            (RequestDestination::Home, HomeConnection::Shared(_)) => {}
            (RequestDestination::Elsewhere(origin), _) => {
                self.elsewhere.push((origin.clone(), connection));
            }
        }
    }

    /// Makes room for one more connection to a destination before it is opened.
    pub(in crate::engine) fn make_room(&mut self, destination: RequestDestination<'_>) {
        let is_full = self.elsewhere.len() >= Self::MAX_ELSEWHERE;
        if is_full && matches!(destination, RequestDestination::Elsewhere(_)) {
            self.elsewhere.remove(0);
        }
    }

    /// Drops every connection.
    pub(in crate::engine) fn clear(&mut self) {
        if let HomeConnection::Own(own) = &mut self.home {
            *own = None;
        }
        self.elsewhere.clear();
    }
}

/// A stream on the shared connection, or the claim to open it.
async fn access_shared(shared: &Rc<SharedConnection>) -> ConnectionAccess {
    loop {
        match shared.claim().await {
            ConnectionClaim::Open(mut opening) => {
                let lost = opening.lost.take();
                return ConnectionAccess::Missing { lost, opening: Some(opening) };
            }
            ConnectionClaim::Use(mut connection) => {
                if connection.ready().await {
                    return ConnectionAccess::Ready(connection);
                }
            }
        }
    }
}
