//! One connection of HTTP/2 that several carriers share.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::Notify;

use super::channels::NoneFree;
use super::http::Channel;

/// A connection that several carriers of one lane share.
///
/// Where it is closed, the first who needs it opens it again and the others wait for that one.
#[derive(Default)]
pub(super) struct Trunk {
    state: RefCell<State>,
    bell: Notify,
}

#[derive(Default)]
enum State {
    #[default]
    Closed,
    Opening,
    Open(Channel),
}

/// What a carrier gets of a trunk.
pub(super) enum Claim {
    /// A way onto the open connection.
    Shared(Channel),
    /// The task of opening it.
    Opening(Opening),
}

/// The task of opening a trunk; dropped undone, it falls to the next who waits.
pub(super) struct Opening {
    trunk: Rc<Trunk>,
    /// Whether the target had closed the connection before while no exchange was on it.
    pub(super) lost: bool,
}

impl Trunk {
    /// A way onto the connection, or the task of opening it; waits while another opens it.
    pub(super) async fn claim(self: &Rc<Self>) -> Claim {
        loop {
            if let Some(claim) = self.try_claim() {
                return claim;
            }
            self.bell.notified().await;
        }
    }

    /// Whether there is an open connection.
    pub(super) fn is_open(&self) -> bool {
        match &mut *self.state.borrow_mut() {
            State::Open(channel) => channel.is_open(),
            State::Closed | State::Opening => false,
        }
    }

    /// Why those who wait for a stream have none.
    pub(super) fn none_free(&self) -> NoneFree {
        match &*self.state.borrow() {
            State::Open(channel) => NoneFree::on(channel),
            State::Closed | State::Opening => NoneFree::Silent,
        }
    }

    fn try_claim(self: &Rc<Self>) -> Option<Claim> {
        let mut state = self.state.borrow_mut();
        let lost = match &mut *state {
            State::Opening => return None,
            State::Closed => false,
            State::Open(channel) => {
                if channel.is_open() {
                    return channel.share().map(Claim::Shared);
                }
                !channel.is_broken()
            }
        };
        *state = State::Opening;
        Some(Claim::Opening(Opening { trunk: Rc::clone(self), lost }))
    }
}

impl Opening {
    /// Lets the others onto the connection; one that cannot be shared stays the opener's own.
    pub(super) fn done(self, opened: &Channel) {
        if let Some(channel) = opened.share() {
            *self.trunk.state.borrow_mut() = State::Open(channel);
            self.trunk.bell.notify_waiters();
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let mut state = self.trunk.state.borrow_mut();
        if matches!(*state, State::Opening) {
            *state = State::Closed;
            self.trunk.bell.notify_one();
        }
    }
}
