//! The two halves of the library's connection, and how they are polled.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{Client, Connection, Error};

use super::message_guard::MessageGuard;
use crate::library_text::{Defect, await_without_panic};

/// Why a request has no answer.
#[derive(Debug, Clone)]
pub(super) enum WireError {
    /// The library's error, which may be one that the server reported.
    Library(Arc<Error>),
    /// A panic of the library.
    Defect(Defect),
}

impl WireError {
    /// The error that the server reported.
    pub(super) fn of_server(&self) -> Option<&DbError> {
        match self {
            Self::Library(error) => error.as_db_error(),
            Self::Defect(_) => None,
        }
    }

    /// Whether the server completed its answer with this error, so that the session goes on.
    pub(super) fn completes_answer(&self) -> bool {
        let severity = self.of_server().map(DbError::parsed_severity);
        severity
            .is_some_and(|severity| !matches!(severity, Some(Severity::Fatal | Severity::Panic)))
    }
}

impl From<Error> for WireError {
    fn from(error: Error) -> Self {
        Self::Library(Arc::new(error))
    }
}

/// A connection, driven by whoever waits for an answer.
///
/// If a task of its own drove the connection, as the library intends, each message of a timed
/// exchange would cost two task switches, and a dropped session would leave the task behind.
/// Nothing is sent or received between requests.
pub(super) struct Wire {
    pub(super) client: Client,
    pub(super) driver: WireDriver,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

/// The half that reads and writes.
pub(super) struct WireDriver {
    /// The connection, or why it ended.
    connection: Result<Box<Connection<MessageGuard, NoTlsStream>>, WireError>,
}

impl Wire {
    pub(super) fn new(client: Client, connection: Connection<MessageGuard, NoTlsStream>) -> Self {
        Self { client, driver: WireDriver { connection: Ok(Box::new(connection)) } }
    }

    /// Sends a Terminate message and closes the connection.
    pub(super) async fn close(self) {
        drop(self.client);
        if let Ok(connection) = self.driver.connection {
            let _ended = await_without_panic(pin!(connection)).await;
        }
    }
}

impl WireDriver {
    /// Waits for a request of the client, and drives the connection meanwhile.
    ///
    /// If the connection has ended, the error says why it did, now or during an earlier request.
    pub(super) async fn drive_until_answered<T>(
        &mut self,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, WireError> {
        // The library's futures are large.
        let mut request = Box::pin(request);
        let both = poll_fn(|cx| {
            if let Poll::Ready(answer) = request.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            self.drive(cx);
            request.as_mut().poll(cx)
        });
        match await_without_panic(pin!(both)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => match &self.connection {
                Err(ended) if error.is_closed() => Err(ended.clone()),
                _ => Err(error.into()),
            },
            Err(defect) => {
                let error = WireError::Defect(defect);
                self.connection = Err(error.clone());
                Err(error)
            }
        }
    }

    /// Whether the connection has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.connection.is_err()
    }

    /// Reads and writes what is ready. The end of the connection ends its requests.
    fn drive(&mut self, cx: &mut Context<'_>) {
        let Ok(connection) = &mut self.connection else { return };
        if let Poll::Ready(Err(error)) = Pin::new(connection).poll(cx) {
            self.connection = Err(error.into());
        }
    }
}

#[cfg(test)]
mod tests;
