//! One message sent and answered: a whole exchange, or one hop of an exchange whose redirects are followed.

use http::response;

use super::channels::{Access, Channels, NoneFree};
use super::clock::{self, Instant};
use super::http::{Basket, Channel, Limits, NO_STREAM, NotSent, Served};
use super::lane::Lane;
use super::prepared::Ask;
use crate::record::{Dimension, Failure};
use crate::recorder::{Failed, Parts};

/// How often a message that was not sent is tried on another connection.
const ATTEMPTS: u32 = 3;

/// How one message fared.
pub(super) struct Hop {
    /// Wait, setup, service and their phases.
    pub(super) parts: Parts,
    /// Whether a connection was opened for it.
    pub(super) fresh: bool,
    /// Body bytes received.
    pub(super) body_bytes: u64,
    /// When the last byte of its answer came in, or when it failed.
    pub(super) done: Instant,
    /// The answer's head, or how it failed.
    pub(super) answer: Result<response::Parts, Box<Failed>>,
}

/// Why a message got no answer.
enum End {
    /// It failed.
    Failed(Box<Failed>),
    /// The run was asked to end while it waited to be sent.
    Stopped,
}

/// What a message is sent with.
pub(super) struct Sending<'a> {
    pub(super) lane: &'a Lane,
    pub(super) channels: &'a mut Channels,
    pub(super) ask: &'a Ask,
    /// Since when a connection is waited for.
    pub(super) since: Instant,
    /// When it must be over, beside its timeouts.
    pub(super) end: Option<Instant>,
    /// Those of the whole exchange; set when a connection first takes it.
    pub(super) limits: &'a mut Option<Limits>,
}

/// What is noted of a message on its way.
#[derive(Default)]
struct Notes {
    parts: Parts,
    fresh: bool,
}

impl Sending<'_> {
    /// Sends the message and reads its answer; `None` where the run was asked to end before it was sent.
    pub(super) async fn carry_out(mut self, basket: &mut Basket<'_>) -> Option<Hop> {
        let mut notes = Notes::default();
        let (done, answer) = match self.send(&mut notes, basket).await {
            Ok(Served { done, answer, .. }) => (done, answer),
            Err(End::Failed(failed)) => (clock::now(), Err(failed)),
            Err(End::Stopped) => return None,
        };
        Some(Hop {
            parts: notes.parts,
            fresh: notes.fresh,
            body_bytes: basket.received,
            done,
            answer,
        })
    }

    /// Sends on the connection that is there, or on a new one where there is none or it turns out to be closed.
    async fn send(&mut self, notes: &mut Notes, basket: &mut Basket<'_>) -> Result<Served, End> {
        let (mut lost, mut attempts) = (false, 0);
        loop {
            attempts += 1;
            let (access, limits) = self.access(&mut notes.parts).await?;
            let (mut channel, is_new) = match access {
                Access::Ready(channel) => (channel, false),
                Access::Missing { lost: closed, opening } => {
                    notes.fresh = true;
                    let channel = self
                        .open(lost || closed, limits, &mut notes.parts)
                        .await
                        .map_err(End::Failed)?;
                    if let Some(opening) = opening {
                        opening.done(&channel);
                    }
                    (channel, true)
                }
            };
            let (sent, message) = (self.since, &self.ask.message);
            match channel.exchange(message, sent, limits, &mut notes.parts, basket).await {
                Ok(served) => {
                    notes.parts.took(Dimension::Service, served.done - sent);
                    self.keep(channel, is_new, served.reusable);
                    return Ok(served);
                }
                Err(NotSent(failed)) if is_new || attempts == ATTEMPTS => {
                    notes.parts.died(Dimension::FirstByte);
                    notes.parts.died(Dimension::Service);
                    return Err(End::Failed(failed));
                }
                Err(NotSent(_)) => lost = true,
            }
        }
    }

    /// A connection, or the word that there is none; an exchange's limits begin when it first gets that far. Until then
    /// a run that is asked to end ends its waiting.
    async fn access(&mut self, parts: &mut Parts) -> Result<(Access, Limits), End> {
        let timeouts = self.lane.timeouts();
        let by = self.limits.map_or_else(|| self.since + timeouts.whole, |limits| limits.deadline);
        let by = self.end.map_or(by, |end| by.min(end));
        let taken = tokio::select! {
            biased;
            taken = self.channels.take(self.ask.place(), by) => taken,
            () = self.lane.draining(), if self.limits.is_none() => return Err(End::Stopped),
        };
        let now = clock::now();
        let access = taken.map_err(|why| {
            parts.died(Dimension::Wait);
            End::Failed(Box::new(self.none_free(&why)))
        })?;
        parts.add(Dimension::Wait, now - self.since);
        self.since = now;
        Ok((access, *self.limits.get_or_insert_with(|| Limits::new(timeouts, now).until(self.end))))
    }

    async fn open(
        &mut self,
        lost: bool,
        limits: Limits,
        parts: &mut Parts,
    ) -> Result<Channel, Box<Failed>> {
        let place = self.ask.place();
        self.channels.make_room(place);
        let opened = self.lane.open(place, lost, limits.deadline, parts).await;
        let ready = clock::now();
        match &opened {
            Ok(_) => parts.opened_in(ready - self.since),
            Err(_) => parts.died(Dimension::Setup),
        }
        self.since = ready;
        opened
    }

    fn keep(&mut self, channel: Channel, is_new: bool, is_reusable: bool) {
        if is_new {
            self.lane.note_spoken(&channel);
        }
        if is_reusable {
            self.channels.put_back(self.ask.place(), channel);
        }
    }

    /// What waiting too long comes to: at first nothing of the exchange was sent, later on its time has run out.
    fn late(&self) -> Failure {
        if self.limits.is_some() { Failure::TimedOut } else { Failure::Dropped }
    }

    /// No connection became free. A target that has not said a word does not hold its streams; it is silent.
    fn none_free(&self, why: &NoneFree) -> Failed {
        let whole = crate::units::show(self.lane.timeouts().whole);
        let (failure, seen) = match why {
            NoneFree::Silent => {
                (Failure::TimedOut, format!("no word on the shared connection within {whole}"))
            }
            NoneFree::Forbidden => (self.late(), NO_STREAM.to_owned()),
            NoneFree::Taken => (self.late(), format!("no stream free within {whole}")),
        };
        Failed::in_phase(failure, Dimension::Wait, seen)
    }
}
