//! A carrier's connections: the one to the base URL, its own or shared, and a few that redirects led to.

use std::rc::Rc;

use tokio::time::timeout_at;

use super::clock::Instant;
use super::dial::Origin;
use super::http::Channel;
use super::trunk::{Claim, Opening, Trunk};

/// A carrier's connections.
pub(super) struct Channels {
    home: Home,
    /// Connections to other origins, the one used last at the end.
    elsewhere: Vec<(Origin, Channel)>,
}

/// The connection to the base URL's origin.
enum Home {
    Own(Option<Channel>),
    Shared(Rc<Trunk>),
}

/// Where a request goes.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// The base URL's origin.
    Home,
    /// Where a redirect led.
    Elsewhere(&'a Origin),
}

/// What a carrier gets where it needs a connection.
pub(super) enum Access {
    /// One that is ready.
    Ready(Channel),
    /// None; it is to be opened.
    Missing {
        /// Whether the target had closed the one before while no exchange was on it.
        lost: bool,
        /// Where it is shared, the task of opening it.
        opening: Option<Opening>,
    },
}

/// Why no connection, or no stream on the shared one, became free in time.
pub(super) enum NoneFree {
    /// Others have them all.
    Taken,
    /// The target allows none.
    Forbidden,
    /// The shared connection is still being opened, or the target has not said a word on it.
    Silent,
}

impl NoneFree {
    /// Why no stream became free on an open connection.
    pub(super) fn on(channel: &Channel) -> Self {
        match (channel.was_heard(), channel.allows_no_stream()) {
            (false, _) => Self::Silent,
            (true, true) => Self::Forbidden,
            (true, false) => Self::Taken,
        }
    }
}

impl Channels {
    /// How many connections to other origins are kept; the one not used for longest makes room.
    pub(super) const ELSEWHERE: usize = 2;

    /// A carrier's connections, none open yet; with a `trunk` it shares the one to the base URL's origin.
    pub(super) fn new(trunk: Option<Rc<Trunk>>) -> Self {
        Self { home: trunk.map_or(Home::Own(None), Home::Shared), elsewhere: Vec::new() }
    }

    /// Takes the connection to a place, waiting until it can take a request, but not beyond `by`.
    pub(super) async fn take(&mut self, place: Place<'_>, by: Instant) -> Result<Access, NoneFree> {
        let kept = match (place, &mut self.home) {
            (Place::Home, Home::Own(channel)) => channel.take(),
            (Place::Home, Home::Shared(trunk)) => {
                let trunk = Rc::clone(trunk);
                let taken = timeout_at(by, shared(&trunk)).await;
                return taken.map_err(|_elapsed| trunk.none_free());
            }
            (Place::Elsewhere(origin), _) => {
                let at = self.elsewhere.iter().position(|(known, _)| known == origin);
                at.map(|at| self.elsewhere.remove(at).1)
            }
        };
        let Some(mut channel) = kept else {
            return Ok(Access::Missing { lost: false, opening: None });
        };
        match timeout_at(by, channel.ready()).await {
            Ok(true) => Ok(Access::Ready(channel)),
            Ok(false) => Ok(Access::Missing { lost: !channel.is_broken(), opening: None }),
            Err(_elapsed) => Err(NoneFree::on(&channel)),
        }
    }

    /// Whether the connection to the base URL's origin is open, as far as is known.
    pub(super) fn is_open(&mut self) -> bool {
        match &mut self.home {
            Home::Own(own) => own.as_mut().is_some_and(Channel::is_open),
            Home::Shared(trunk) => trunk.is_open(),
        }
    }

    /// Keeps a connection for the next exchange.
    pub(super) fn put_back(&mut self, place: Place<'_>, channel: Channel) {
        match (place, &mut self.home) {
            (Place::Home, Home::Own(own)) => *own = Some(channel),
            // The trunk has its own way onto it.
            (Place::Home, Home::Shared(_)) => {}
            (Place::Elsewhere(origin), _) => self.elsewhere.push((origin.clone(), channel)),
        }
    }

    /// Makes room for one more connection to a place before it is opened.
    pub(super) fn make_room(&mut self, place: Place<'_>) {
        if matches!(place, Place::Elsewhere(_)) && self.elsewhere.len() >= Self::ELSEWHERE {
            self.elsewhere.remove(0);
        }
    }

    /// Lets go of every connection.
    pub(super) fn clear(&mut self) {
        if let Home::Own(own) = &mut self.home {
            *own = None;
        }
        self.elsewhere.clear();
    }
}

/// A stream on the shared connection, or the task of opening it.
async fn shared(trunk: &Rc<Trunk>) -> Access {
    loop {
        match trunk.claim().await {
            Claim::Opening(opening) => {
                return Access::Missing { lost: opening.lost, opening: Some(opening) };
            }
            Claim::Shared(mut channel) => {
                if channel.ready().await {
                    return Access::Ready(channel);
                }
            }
        }
    }
}
