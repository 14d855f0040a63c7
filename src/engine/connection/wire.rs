//! The bytes of an exchange, with time stamps.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use crate::engine::connection::socket_peek::{PeekableStream, SocketPeek};
use crate::engine::time::clock::{self, Instant};

/// A connected byte stream: TCP, TLS over TCP, or a stream of a test.
pub(in crate::engine) trait ByteStream: AsyncRead + AsyncWrite + Unpin {
    /// A check of its socket for unread input; `None` if it has no socket.
    fn socket_peek(&self) -> Option<SocketPeek> {
        None
    }
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
}

#[cfg(test)]
impl ByteStream for tokio::io::DuplexStream {}

/// How many of a connection's first bytes are remembered: the length of an HTTP/2 frame header.
const GREETING: usize = 9;

/// When bytes arrived and how many were written.
#[derive(Debug, Default)]
pub(in crate::engine) struct WireStamps {
    first_read: Cell<Option<Instant>>,
    last_read: Cell<Option<Instant>>,
    /// Bytes written since the connection was opened.
    written: Cell<u64>,
    /// Whether the target has closed its side.
    ended: Cell<bool>,
    /// Whether the target has sent more than its answer.
    surplus: Cell<bool>,
    greeting: Cell<[u8; GREETING]>,
    greeted: Cell<usize>,
}

impl WireStamps {
    /// Forgets the times of the previous exchange.
    pub(in crate::engine) fn reset(&self) {
        self.first_read.set(None);
        self.last_read.set(None);
    }

    /// When the first byte since the last reset arrived.
    pub(in crate::engine) fn first_read(&self) -> Option<Instant> {
        self.first_read.get()
    }

    /// When the last byte so far arrived, or the end of the stream.
    pub(in crate::engine) fn last_read(&self) -> Option<Instant> {
        self.last_read.get()
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

    /// Whether the first bytes the target sent are the head of a SETTINGS frame, with which every
    /// HTTP/2 server begins (RFC 9113, section 3.4): its type is 4, and its stream 0.
    pub(in crate::engine) fn greeted_in_http2(&self) -> bool {
        let greeting = self.greeting.get();
        self.greeted.get() == GREETING && greeting[3] == 4 && greeting[5..] == [0; 4]
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
        self.written.set(self.written.get() + written as u64);
    }
}

/// A stream that stamps each read. It wraps TLS, so that handshake and session records leave no
/// stamp.
pub(in crate::engine) struct StampedStream {
    stream: Box<dyn ByteStream>,
    stamps: Rc<WireStamps>,
    /// The error of a write on a connection that the target has broken, until the reason is known.
    broken: Option<io::Error>,
}

impl StampedStream {
    pub(in crate::engine) fn new(stream: Box<dyn ByteStream>, stamps: Rc<WireStamps>) -> Self {
        Self { stream, stamps, broken: None }
    }

    /// Handles the result of a write. A target that refuses over TLS sends an alert and closes. The
    /// write may fail before the alert is read, so the stream then waits for the alert and reports
    /// it.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match polled {
            Poll::Ready(Err(error))
                if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) =>
            {
                self.broken = Some(error);
                self.why_broken(cx)
            }
            polled => polled,
        }
    }

    /// Why the connection is broken, if the target sent a reason. A broken connection always
    /// becomes readable.
    fn why_broken<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let mut unread = [0; 512];
        let read_result =
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut ReadBuf::new(&mut unread)));
        let alert = read_result.err().filter(|error| error.kind() == ErrorKind::InvalidData);
        let broken = self.broken.take().unwrap_or_else(|| ErrorKind::BrokenPipe.into());
        Poll::Ready(Err(alert.unwrap_or(broken)))
    }
}

impl AsyncRead for StampedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        match &buf.filled()[before..] {
            [] if matches!(polled, Poll::Ready(Ok(()))) => self.stamps.end(),
            [] => {}
            bytes => self.stamps.read(bytes),
        }
        polled
    }
}

impl AsyncWrite for StampedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.broken.is_some() {
            return self.why_broken(cx);
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = polled {
            self.stamps.wrote(written);
        }
        self.written(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.broken.is_some() {
            return self.why_broken(cx);
        }
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.broken.is_some() {
            return self.why_broken(cx);
        }
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if let Poll::Ready(Ok(written)) = polled {
            self.stamps.wrote(written);
        }
        self.written(cx, polled)
    }
}
