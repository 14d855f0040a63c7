//! The body of an answer.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::response;

use super::{ExchangeLimits, arrival, if_ready, unmet};
use crate::engine::connection::socket_peek::SocketPeek;
use crate::engine::time::clock::{self, Instant};
use crate::expect::{CaptureSet, ExpectationSet};
use crate::record::Dimension;
use crate::recorder::ExchangeFailure;

/// The head of an answer whose body may still be arriving, or may never end.
pub(in crate::engine) struct ResponseHead {
    /// When the head was complete.
    pub(in crate::engine) at: Instant,
    pub(in crate::engine) parts: response::Parts,
}

/// How long the body of an answer may take, counted from its head; zero means not to wait for more.
pub(in crate::engine) type BodyTimeLimit<'a> = &'a dyn Fn(&response::Parts) -> Duration;

/// Receives the body of an answer.
pub(in crate::engine) struct BodyCollector<'a> {
    expectations: &'a ExpectationSet,
    needs_body: bool,
    memory: &'a mut Vec<u8>,
    /// Where to put the head before the body arrives, and how long the body may then take; `None`
    /// if the caller does not need it early.
    head: Option<(&'a mut Option<ResponseHead>, BodyTimeLimit<'a>)>,
    /// Body bytes received.
    pub(in crate::engine) received: u64,
}

impl<'a> BodyCollector<'a> {
    /// Maximum memory for bodies that is kept between exchanges.
    const MEMORY_KEPT: usize = 256 << 10;

    /// A collector that keeps what expectations and captures need; it reuses the space of `memory`.
    pub(in crate::engine) fn new(
        expectations: &'a ExpectationSet,
        captures: &CaptureSet,
        memory: &'a mut Vec<u8>,
    ) -> Self {
        memory.clear();
        memory.shrink_to(Self::MEMORY_KEPT);
        let needs_body = expectations.needs_body() || captures.needs_body();
        Self { expectations, needs_body, memory, head: None, received: 0 }
    }

    /// The same collector. It stores the head in `head` as soon as it arrives, and limits the time
    /// for the body.
    pub(in crate::engine) fn with_head(
        self,
        head: &'a mut Option<ResponseHead>,
        patience: BodyTimeLimit<'a>,
    ) -> Self {
        Self { head: Some((head, patience)), ..self }
    }

    /// Receives the head; returns the limits of the body.
    pub(super) fn see(
        &mut self,
        parts: &response::Parts,
        limits: ExchangeLimits,
    ) -> ExchangeLimits {
        let Some((head, patience)) = &mut self.head else { return limits };
        let at = clock::now();
        **head = Some(ResponseHead { at, parts: parts.clone() });
        limits.until(Some(at + patience(parts)))
    }

    fn take(&mut self, data: &[u8]) -> Result<(), ExchangeFailure> {
        self.received += data.len() as u64;
        if self.received > self.expectations.max_body().0 {
            return Err(unmet(self.expectations.too_large_body()));
        }
        if self.needs_body {
            self.memory.extend_from_slice(data);
        }
        Ok(())
    }
}

/// A body that arrives in chunks.
pub(super) trait BodyChunks {
    /// The next chunk of the body, or `None` at its end.
    async fn next(&mut self) -> Option<Result<Bytes, ExchangeFailure>>;
}

/// Reads a body to its end, within its limits of time and size.
pub(super) async fn read(
    mut body: impl BodyChunks,
    peek: Option<&SocketPeek>,
    limits: ExchangeLimits,
    collector: &mut BodyCollector<'_>,
) -> Result<(), ExchangeFailure> {
    loop {
        let mut next = pin!(body.next());
        let arrived = match if_ready(next.as_mut()).await {
            Some(piece) => Ok(piece),
            None => arrival(peek, (clock::now(), limits.deadline), next).await,
        };
        match arrived {
            Err(_elapsed) => return Err(limits.ran_out(Dimension::Body)),
            Ok(None) => return Ok(()),
            Ok(Some(piece)) => collector.take(&piece?)?,
        }
    }
}
