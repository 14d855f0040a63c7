//! What the errors of an HTTP/2 connection mean.

use std::cell::OnceCell;
use std::io;
use std::rc::Rc;

use h2::Reason;

use crate::engine::connection::dial::NegotiatedProtocol;
use crate::engine::connection::library_limit::LibraryLimit;
use crate::engine::connection::wire::WireStamps;
use crate::engine::defect::defect_failure;
use crate::engine::time::clock::{self, Instant};
use crate::library_text::{describe_io, describe_reason};
use crate::record::{Dimension, Failure};
use crate::recorder::ExchangeFailure;

/// What explains a failure on a connection.
pub(super) struct FailureContext {
    pub(super) stamps: Rc<WireStamps>,
    pub(super) spoken: NegotiatedProtocol,
    /// The I/O error that ended the stream of bytes. `h2` does not pass it on to waiting exchanges.
    end: OnceCell<io::Error>,
}

impl FailureContext {
    pub(super) fn new(stamps: Rc<WireStamps>, spoken: NegotiatedProtocol) -> Self {
        Self { stamps, spoken, end: OnceCell::new() }
    }

    /// Notes the error that ended the stream of bytes. The first one counts.
    pub(super) fn note_end(&self, end: io::Error) {
        let _first = self.end.set(end);
    }

    /// The latest time at which what was just taken from the connection can have arrived, for an
    /// exchange sent at `sent`.
    pub(super) fn read_by(&self, sent: Instant) -> Instant {
        self.stamps.last_read().unwrap_or_else(clock::now).max(sent)
    }

    /// The failure that an error means for an exchange in a phase.
    pub(super) fn failed(&self, error: &h2::Error, phase: Dimension) -> ExchangeFailure {
        if let Some(defect) = self.stamps.defect() {
            return defect_failure(defect);
        }
        if let Some(flood) = self.stamps.flood() {
            return flood.failed(phase);
        }
        if let Some(rule) = self.stamps.frames().broken {
            let seen = format!("the target broke the rules of HTTP/2 ({rule})");
            return ExchangeFailure::in_phase(Failure::Malformed, phase, seen);
        }
        let of_h2 = || LibraryLimit::of_h2(error, self.stamps.frames());
        if let Some(limit) = self.stamps.limit().or_else(of_h2) {
            return limit.failed(phase);
        }
        let (failure, seen) = if self.spoken.tls.is_none() && !self.stamps.greeted_in_http2() {
            (Failure::Protocol, instead_of_http2(&self.stamps).to_owned())
        } else if let Some(end) = error.get_io() {
            self.of_end(self.end.get().unwrap_or(end))
        } else {
            of_frame(error)
        };
        ExchangeFailure::in_phase(failure, phase, seen)
    }

    fn of_end(&self, end: &io::Error) -> (Failure, String) {
        let announced = self.stamps.goaway().map(ended_connection);
        let failure = match end.kind() {
            _ if self.stamps.ended() => {
                let closed = || "the target closed the connection".to_owned();
                return (Failure::Closed, announced.unwrap_or_else(closed));
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Failure::Reset,
            // `h2` keeps only the kind of an I/O error. Of the layers below, only TLS reports
            // invalid data.
            io::ErrorKind::InvalidData if self.spoken.tls.is_some() => Failure::Tls,
            _ => Failure::Closed,
        };
        let text = describe_io(end);
        (failure, announced.map_or(text.clone(), |announced| format!("{announced}: {text}")))
    }
}

/// The description of a GOAWAY with this error code.
fn ended_connection(code: u32) -> String {
    format!("the target ended the connection ({})", describe_reason(Reason::from(code)))
}

/// The failure and description for a frame of the target, or for one that breaks the rules.
fn of_frame(error: &h2::Error) -> (Failure, String) {
    let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
    let words = |what: &str| format!("the target {what} ({})", describe_reason(reason));
    match (error.is_remote(), error.is_library()) {
        (true, _) if reason == Reason::HTTP_1_1_REQUIRED => {
            (Failure::Protocol, words("asks for HTTP/1.1"))
        }
        (true, _) if error.is_go_away() => (Failure::Closed, words("ended the connection")),
        (true, _) => (Failure::Reset, words("reset the stream")),
        (_, true) => (Failure::Malformed, words("broke the rules of HTTP/2")),
        _ => (Failure::Malformed, "what the target sent is not HTTP/2".to_owned()),
    }
}

/// What a target does that does not speak HTTP/2, although the scenario expects it to.
fn instead_of_http2(stamps: &WireStamps) -> &'static str {
    if stamps.greeted(b"HTTP/1.") {
        "the target answered in HTTP/1.1"
    } else if stamps.heard() {
        "the target did not answer in HTTP/2"
    } else {
        "the target closed the connection before it sent any HTTP/2"
    }
}
