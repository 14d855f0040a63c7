//! One HTTP/2 connection that several worker tasks of a lane share.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::Notify;

use super::http::{ConnectionLoss, HttpConnection};
use super::unavailable::ConnectionUnavailable;

/// A connection that several worker tasks of one lane share.
///
/// When it is closed, the first task that needs it opens it again and the others wait.
#[derive(Default)]
pub(in crate::engine) struct SharedConnection {
    state: RefCell<SharedState>,
    /// Wakes the tasks that wait for another task to open the connection.
    changed: Notify,
}

#[derive(Default)]
enum SharedState {
    #[default]
    Closed,
    Opening,
    Open(HttpConnection),
}

/// What a task gets of a shared connection.
pub(super) enum ConnectionClaim {
    /// A handle to the open connection.
    Use(HttpConnection),
    /// The duty to open it.
    Open(OpeningClaim),
}

/// The duty to open a shared connection. If dropped, it passes to the next waiting task.
pub(in crate::engine) struct OpeningClaim {
    connection: Rc<SharedConnection>,
    /// Why the previous connection takes no more requests, unless a failed exchange says so.
    pub(super) lost: Option<ConnectionLoss>,
}

impl SharedConnection {
    /// A handle to the connection, or the claim to open it; waits while another task opens it.
    pub(super) async fn claim(self: &Rc<Self>) -> ConnectionClaim {
        loop {
            if let Some(claim) = self.try_claim() {
                return claim;
            }
            self.changed.notified().await;
        }
    }

    /// Whether the connection is open.
    pub(super) fn is_open(&self) -> bool {
        match &mut *self.state.borrow_mut() {
            SharedState::Open(connection) => connection.is_open(),
            SharedState::Closed | SharedState::Opening => false,
        }
    }

    /// Why the tasks that wait for a stream have none.
    pub(super) fn unavailable(&self) -> ConnectionUnavailable {
        match &*self.state.borrow() {
            SharedState::Open(connection) => ConnectionUnavailable::on(connection),
            SharedState::Closed | SharedState::Opening => ConnectionUnavailable::Silent,
        }
    }

    fn try_claim(self: &Rc<Self>) -> Option<ConnectionClaim> {
        let mut state = self.state.borrow_mut();
        let lost = match &mut *state {
            SharedState::Opening => return None,
            SharedState::Closed => None,
            SharedState::Open(connection) => {
                if connection.is_open() {
                    return connection.share().map(ConnectionClaim::Use);
                }
                connection.why_replaced()
            }
        };
        *state = SharedState::Opening;
        Some(ConnectionClaim::Open(OpeningClaim { connection: Rc::clone(self), lost }))
    }
}

impl OpeningClaim {
    /// Shares the opened connection. One that cannot be shared belongs only to the opening task.
    pub(in crate::engine) fn complete(self, opened: &HttpConnection) {
        if let Some(handle) = opened.share() {
            *self.connection.state.borrow_mut() = SharedState::Open(handle);
            self.connection.changed.notify_waiters();
        }
    }
}

impl Drop for OpeningClaim {
    fn drop(&mut self) {
        let mut state = self.connection.state.borrow_mut();
        if matches!(*state, SharedState::Opening) {
            *state = SharedState::Closed;
            self.connection.changed.notify_one();
        }
    }
}
