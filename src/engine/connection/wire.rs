//! The bytes of an exchange, with time stamps.

mod stamped_stream;

use std::cell::{Cell, OnceCell};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::client::TlsStream;

use crate::engine::connection::flood::{Flood, FloodMeter};
use crate::engine::connection::frame_filter::FrameFacts;
use crate::engine::connection::interim_scan::InterimScan;
use crate::engine::connection::library_limit::LibraryLimit;
use crate::engine::connection::socket_peek::{PeekableStream, SocketPeek};
use crate::engine::time::clock::{self, Instant};
use crate::library_text::Defect;

pub(in crate::engine) use stamped_stream::StampedStream;

/// A connected byte stream: TCP, TLS over TCP, or a stream of a test.
pub(in crate::engine) trait ByteStream: AsyncRead + AsyncWrite + Unpin {
    /// A check of its socket for unread input; `None` if it has no socket.
    fn socket_peek(&self) -> Option<SocketPeek> {
        None
    }

    /// Notes that data came out of it.
    fn note_data(&self) {}
}

impl ByteStream for PeekableStream {
    fn socket_peek(&self) -> Option<SocketPeek> {
        Some(Self::socket_peek(self, false))
    }
}

impl ByteStream for TlsStream<PeekableStream> {
    fn socket_peek(&self) -> Option<SocketPeek> {
        Some(self.get_ref().0.socket_peek(true))
    }

    fn note_data(&self) {
        self.get_ref().0.note_data();
    }
}

#[cfg(test)]
impl ByteStream for tokio::io::DuplexStream {}

/// How many of a connection's first bytes are remembered: the length of an HTTP/2 frame header.
const GREETING: usize = 9;

/// The framing of a chunk of a body that is not counted.
const CHUNK_FRAMING: u64 = 16;

/// What an interim answer costs its reader in addition to its bytes, in bytes.
const INTERIM_COST: u64 = 512;

/// When bytes arrived and how many were written.
#[derive(Debug, Default)]
pub(in crate::engine) struct WireStamps {
    first_read: Cell<Option<Instant>>,
    last_read: Cell<Option<Instant>>,
    /// Bytes written since the connection was opened.
    written: Cell<u64>,
    /// Bytes read since the last reset.
    read_bytes: Cell<u64>,
    /// The same when the last data of a body over HTTP/1.1 was taken.
    read_at_data: Cell<u64>,
    /// Whether the target has closed its side.
    ended: Cell<bool>,
    /// Whether the target has sent more than its answer.
    surplus: Cell<bool>,
    /// Whether the target takes no more bytes.
    write_closed: Cell<bool>,
    /// Whether bytes are left that the socket did not take.
    has_unsent: Cell<bool>,
    /// The limit of the TLS library that ended the connection.
    limit: Cell<Option<LibraryLimit>>,
    /// The panic that ended the connection.
    defect: OnceCell<Defect>,
    frames: Cell<FrameFacts>,
    greeting: Cell<[u8; GREETING]>,
    greeted: Cell<usize>,
    flood: FloodMeter,
    /// How many exchanges are in progress.
    exchanges: Cell<usize>,
    /// How many exchanges have begun.
    begun: Cell<u64>,
    /// Whether the body of an answer is being read.
    is_in_body: Cell<bool>,
    interim: Cell<InterimScan>,
}

/// After how many exchanges a target is taken to keep a connection open after an answer.
const PROVEN: u64 = 16;

impl WireStamps {
    /// Forgets the previous exchange, as the only one on the connection begins.
    pub(in crate::engine) fn reset(&self) {
        self.is_in_body.set(false);
        self.interim.set(InterimScan::default());
        self.begin();
        self.first_read.set(None);
        self.last_read.set(None);
        self.read_bytes.set(0);
        self.read_at_data.set(0);
    }

    /// Notes that one of several exchanges begins; returns how many were in progress before.
    pub(super) fn begin_exchange(&self) -> usize {
        self.begin();
        self.exchanges.replace(self.exchanges.get() + 1)
    }

    fn begin(&self) {
        self.flood.begin_exchange();
        self.begun.set(self.begun.get() + 1);
    }

    /// Notes that one of several exchanges is over.
    pub(super) fn end_exchange(&self) {
        self.exchanges.set(self.exchanges.get().saturating_sub(1));
    }

    /// Notes the head of an answer over HTTP/1.1.
    pub(super) fn note_head(&self, head: &http::response::Parts) {
        self.is_in_body.set(true);
        if self.flood.is_strained() {
            let fields = head.headers.iter();
            let size: usize =
                fields.map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
            self.flood.credit(size as u64);
        }
    }

    /// What the interim answers in these bytes cost in addition to their size.
    fn cost_of_interim(&self, bytes: &[u8]) -> u64 {
        let mut scan = self.interim.get();
        let begun = scan.read(bytes);
        self.interim.set(scan);
        begun * INTERIM_COST
    }

    /// Notes a piece of a body over HTTP/1.1, whose framing may take some bytes more.
    pub(super) fn note_data(&self, bytes: usize) {
        self.flood.credit(bytes as u64 + CHUNK_FRAMING);
        self.read_at_data.set(self.read_bytes.get());
    }

    /// How much was read since the last data, in bytes.
    pub(super) fn read_without_data(&self) -> u64 {
        self.read_bytes.get() - self.read_at_data.get()
    }

    /// The flood that ended the connection, if one did.
    pub(super) fn flood(&self) -> Option<Flood> {
        self.flood.flood()
    }

    /// When the first byte since the last reset arrived.
    pub(in crate::engine) fn first_read(&self) -> Option<Instant> {
        self.first_read.get()
    }

    /// When the last byte so far arrived, or the end of the stream.
    pub(in crate::engine) fn last_read(&self) -> Option<Instant> {
        self.last_read.get()
    }

    /// The last read of a connection that has carried many exchanges: its target does not close
    /// right behind an answer.
    pub(super) fn last_read_if_proven(&self) -> Option<Instant> {
        self.last_read.get().filter(|_| self.begun.get() >= PROVEN)
    }

    /// Bytes read since the last reset.
    pub(in crate::engine) fn read_bytes(&self) -> u64 {
        self.read_bytes.get()
    }

    /// Bytes written since the connection was opened.
    pub(in crate::engine) fn written(&self) -> u64 {
        self.written.get()
    }

    /// Whether the target has closed its side.
    pub(in crate::engine) fn ended(&self) -> bool {
        self.ended.get()
    }

    /// Notes that the target sent more than its answer.
    pub(in crate::engine) fn note_surplus(&self) {
        self.surplus.set(true);
    }

    /// Whether the target has sent more than its answer.
    pub(in crate::engine) fn has_surplus(&self) -> bool {
        self.surplus.get()
    }

    /// Whether the target takes no more bytes. Its answer may still be on the way.
    pub(in crate::engine) fn is_write_closed(&self) -> bool {
        self.write_closed.get()
    }

    /// Whether a part of a request is still to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        self.has_unsent.get()
    }

    /// Notes the panic that ended the connection.
    pub(super) fn note_defect(&self, defect: Defect) {
        let _first = self.defect.set(defect);
    }

    /// The panic that ended the connection, if one did.
    pub(super) fn defect(&self) -> Option<&Defect> {
        self.defect.get()
    }

    /// The limit of the TLS library that ended the connection, if one did.
    pub(super) fn limit(&self) -> Option<LibraryLimit> {
        self.limit.get()
    }

    /// Whether `h2` would soon end the connection, because of frames that cannot be removed. It
    /// takes 100 of them.
    pub(super) fn is_near_limit(&self) -> bool {
        self.frames.get().padded_empty >= 50
    }

    /// The error code with which the target announced the end of an HTTP/2 connection.
    pub(super) fn goaway(&self) -> Option<u32> {
        self.frames.get().goaway
    }

    /// What is known of the frames that the target sent.
    pub(super) fn frames(&self) -> FrameFacts {
        self.frames.get()
    }

    /// Whether the first bytes the target sent are the head of a SETTINGS frame, with which every
    /// HTTP/2 server begins (RFC 9113, section 3.4): its type is 4, it acknowledges nothing, and
    /// its stream is 0.
    pub(in crate::engine) fn greeted_in_http2(&self) -> bool {
        let greeting = self.greeting.get();
        self.greeted.get() == GREETING
            && greeting[3] == 4
            && greeting[4] & 1 == 0
            && greeting[5..] == [0; 4]
    }

    /// Whether the target's first bytes start with these; only the first [`GREETING`] bytes are
    /// known.
    pub(in crate::engine) fn greeted(&self, with: &[u8]) -> bool {
        self.greeting.get()[..self.greeted.get()].starts_with(with)
    }

    /// Whether the target has sent anything at all.
    pub(in crate::engine) fn heard(&self) -> bool {
        self.greeted.get() > 0
    }

    fn read(&self, bytes: &[u8]) {
        let now = clock::now();
        if self.first_read.get().is_none() {
            self.first_read.set(Some(now));
        }
        self.last_read.set(Some(now));
        self.read_bytes.set(self.read_bytes.get() + bytes.len() as u64);
        let known = self.greeted.get();
        if known < GREETING {
            let more = bytes.len().min(GREETING - known);
            let mut greeting = self.greeting.get();
            greeting[known..known + more].copy_from_slice(&bytes[..more]);
            self.greeting.set(greeting);
            self.greeted.set(known + more);
        }
    }

    /// The end of the stream also ends a body without a length, so its time counts.
    fn end(&self) {
        self.ended.set(true);
        if self.first_read.get().is_some() {
            self.last_read.set(Some(clock::now()));
        }
    }

    fn wrote(&self, written: usize) {
        self.flood.credit(written as u64);
        self.written.set(self.written.get() + written as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_read_counts_only_once_a_connection_has_carried_many_exchanges() {
        let stamps = WireStamps::default();
        for begun in 1..=PROVEN {
            stamps.reset();
            assert_eq!(stamps.last_read_if_proven(), None, "nothing was read yet");
            stamps.read(b"answer");
            assert_eq!(stamps.last_read_if_proven().is_some(), begun == PROVEN, "{begun}");
        }
    }
}
