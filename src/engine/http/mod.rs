//! One connection and the exchanges on it, whichever version of HTTP it speaks.

mod message;
mod one;
mod two;

use std::time::Duration;

use bytes::Bytes;
use http::response;
use tokio::time::timeout_at;

use super::clock::{self, Instant};
use super::dial::{Dialled, Spoken, Version, timed_out};
use crate::expect::{Captures, Expectations, Unmet};
use crate::plan::Timeouts;
use crate::record::Dimension;
use crate::recorder::{Failed, Parts};

pub(super) use message::{Asked, Message, Unsendable};
pub(super) use two::NO_STREAM;

/// An open connection: the whole of it on HTTP/1.1, one stream at a time of it on HTTP/2.
pub(super) enum Channel {
    One(one::Channel),
    Two(two::Channel),
}

/// How one exchange on a ready connection went.
pub(super) struct Served {
    /// When the last byte came in, or when it failed.
    pub(super) done: Instant,
    /// The answer's head, its body read to the end; or how the exchange failed.
    pub(super) answer: Result<response::Parts, Box<Failed>>,
    /// Whether the connection can carry another exchange.
    pub(super) reusable: bool,
}

/// The connection turned out to be closed before the request was sent, or the target said that it would not take it;
/// holds how that was seen.
pub(super) struct NotSent(pub(super) Box<Failed>);

impl Channel {
    /// Starts HTTP on a dialled stream by a deadline; ready for a first exchange.
    pub(super) async fn open(dialled: Dialled, deadline: Instant) -> Result<Self, Failed> {
        let Dialled { stream, spoken, .. } = dialled;
        match spoken.version {
            Version::Http1 => one::Channel::open(stream, spoken).await.map(Self::One),
            Version::Http2 => two::Channel::open(stream, spoken, deadline).await.map(Self::Two),
        }
    }

    /// The same, and on HTTP/1.1 heads are read that break its rules as far as `fetch` bears it; one that a run would take for
    /// something else than HTTP may be an answer then.
    pub(super) async fn open_tolerant(dialled: Dialled, deadline: Instant) -> Result<Self, Failed> {
        if dialled.spoken.version != Version::Http1 {
            return Self::open(dialled, deadline).await;
        }
        let Dialled { stream, spoken, .. } = dialled;
        one::Channel::open_tolerant(stream, spoken).await.map(Self::One)
    }

    /// Waits until the connection can take a request; false where the target has closed it.
    pub(super) async fn ready(&mut self) -> bool {
        match self {
            Self::One(channel) => channel.ready().await,
            Self::Two(channel) => channel.ready().await,
        }
    }

    /// Another way onto the same connection, where it can carry several exchanges at once.
    pub(super) fn share(&self) -> Option<Self> {
        match self {
            Self::One(_) => None,
            Self::Two(channel) => Some(Self::Two(channel.share())),
        }
    }

    /// Whether the target has neither closed the connection nor announced it.
    pub(super) fn is_open(&mut self) -> bool {
        match self {
            Self::One(channel) => channel.is_open(),
            Self::Two(channel) => channel.is_open(),
        }
    }

    /// Whether the target has said anything on the connection.
    pub(super) fn was_heard(&self) -> bool {
        match self {
            Self::One(_) => true,
            Self::Two(channel) => channel.was_heard(),
        }
    }

    /// Whether the target lets nothing be sent on the connection.
    pub(super) fn allows_no_stream(&self) -> bool {
        match self {
            Self::One(_) => false,
            Self::Two(channel) => channel.allows_no_stream(),
        }
    }

    /// Whether the connection was closed while an exchange was on it.
    pub(super) fn is_broken(&self) -> bool {
        match self {
            Self::One(_) => false,
            Self::Two(channel) => channel.is_broken(),
        }
    }

    /// What is spoken on the connection; `None` as long as the target has not shown that it does.
    pub(super) fn spoken(&self) -> Option<Spoken> {
        match self {
            Self::One(channel) => Some(channel.spoken()),
            Self::Two(channel) => channel.spoken(),
        }
    }

    /// Sends a request at `sent` and reads the whole answer.
    ///
    /// The phases are noted in `parts`, the body goes to `basket`. Nothing is sent twice: where the error says that
    /// it was not sent, the caller may send it on another connection.
    pub(super) async fn exchange(
        &mut self,
        message: &Message,
        sent: Instant,
        limits: Limits,
        parts: &mut Parts,
        basket: &mut Basket<'_>,
    ) -> Result<Served, NotSent> {
        match self {
            Self::One(channel) => channel.exchange(message, sent, limits, parts, basket).await,
            Self::Two(channel) => channel.exchange(message, sent, limits, parts, basket).await,
        }
    }
}

/// The head of an answer whose body may be still on its way, or never come to an end.
pub(super) struct Head {
    /// When all of it was there.
    pub(super) at: Instant,
    pub(super) parts: response::Parts,
}

/// How long the body of an answer may take from its head on; with none, no more is waited for.
pub(super) type Patience<'a> = &'a dyn Fn(&response::Parts) -> Duration;

/// Takes in the body of an answer.
pub(super) struct Basket<'a> {
    expectations: &'a Expectations,
    needs_body: bool,
    kept: &'a mut Vec<u8>,
    /// Where the head is put before the body comes, if anybody asks for it, and how long the body may take then.
    head: Option<(&'a mut Option<Head>, Patience<'a>)>,
    /// Body bytes received.
    pub(super) received: u64,
}

impl<'a> Basket<'a> {
    /// The most memory for bodies that is kept between exchanges.
    const MEMORY_KEPT: usize = 256 << 10;

    /// A basket that keeps what expectations and captures look at; `kept` is only memory to be used again.
    pub(super) fn new(
        expectations: &'a Expectations,
        captures: &Captures,
        kept: &'a mut Vec<u8>,
    ) -> Self {
        kept.clear();
        kept.shrink_to(Self::MEMORY_KEPT);
        let needs_body = expectations.needs_body() || captures.needs_body();
        Self { expectations, needs_body, kept, head: None, received: 0 }
    }

    /// The same basket, which puts the head into `head` as soon as that is there, and has so much patience with the body.
    pub(super) fn with_head(self, head: &'a mut Option<Head>, patience: Patience<'a>) -> Self {
        Self { head: Some((head, patience)), ..self }
    }

    /// Sees the head; returns the limits of the body.
    fn see(&mut self, parts: &response::Parts, limits: Limits) -> Limits {
        let Some((head, patience)) = &mut self.head else { return limits };
        let at = clock::now();
        **head = Some(Head { at, parts: parts.clone() });
        limits.until(Some(at + patience(parts)))
    }

    fn take(&mut self, data: &[u8]) -> Result<(), Failed> {
        self.received += data.len() as u64;
        if self.received > self.expectations.max_body().0 {
            return Err(unmet(self.expectations.too_large()));
        }
        if self.needs_body {
            self.kept.extend_from_slice(data);
        }
        Ok(())
    }
}

/// A body that comes in pieces.
trait Pieces {
    /// The next piece that is body, or `None` at its end.
    async fn next(&mut self) -> Option<Result<Bytes, Failed>>;
}

/// Reads a body to its end, within its limits in time and size.
async fn read(
    mut body: impl Pieces,
    limits: Limits,
    basket: &mut Basket<'_>,
) -> Result<(), Failed> {
    loop {
        match timeout_at(limits.deadline, body.next()).await {
            Err(_elapsed) => return Err(limits.ran_out(Dimension::Body)),
            Ok(None) => return Ok(()),
            Ok(Some(piece)) => basket.take(&piece?)?,
        }
    }
}

/// Notes the phases of an exchange that ended at `done`, the first byte of its answer having come in at `first`.
fn note_phases(
    parts: &mut Parts,
    sent: Instant,
    first: Option<Instant>,
    done: Instant,
    is_complete: bool,
) {
    let Some(first) = first else { return parts.died(Dimension::FirstByte) };
    parts.took(Dimension::FirstByte, first - sent);
    parts.note(Dimension::Body, is_complete.then(|| done - first));
}

/// The phase an exchange is in, by whether a first byte of its answer came in.
fn phase(answered: bool) -> Dimension {
    if answered { Dimension::Body } else { Dimension::FirstByte }
}

/// How long one exchange may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// When it must be done.
    pub(super) deadline: Instant,
    /// How long the first byte may take.
    pub(super) first_byte: Duration,
    /// How long it may take as a whole, for the message.
    pub(super) whole: Duration,
}

impl Limits {
    /// The limits of an exchange that a connection took at `taken`.
    pub(super) fn new(timeouts: &Timeouts, taken: Instant) -> Self {
        let Timeouts { first_byte, whole, .. } = *timeouts;
        Self { deadline: taken + whole, first_byte, whole }
    }

    /// The same, and over by `end`.
    pub(super) fn until(self, end: Option<Instant>) -> Self {
        let Some(end) = end.filter(|&end| end < self.deadline) else { return self };
        let whole = self.whole.saturating_sub(self.deadline - end);
        Self { deadline: end, whole, ..self }
    }

    /// When the first byte of the answer to what was sent at `sent` must have come in.
    fn first_byte_by(&self, sent: Instant) -> Instant {
        self.deadline.min(sent + self.first_byte)
    }

    fn ran_out(&self, phase: Dimension) -> Failed {
        let limit = if phase == Dimension::FirstByte {
            self.first_byte.min(self.whole)
        } else {
            self.whole
        };
        timed_out(phase, limit)
    }
}

/// An answer that is not the expected one.
pub(super) fn unmet(unmet: Unmet) -> Failed {
    let Unmet { failure, expected, seen } = unmet;
    Failed { failure, phase: None, expected, seen, next: None }
}
