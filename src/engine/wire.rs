//! The bytes under an exchange, stamped as they pass.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::clock::{self, Instant};

/// A connected byte stream: TCP, TLS over it, or a test's own.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// When bytes of an answer came in.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    first_read: Cell<Option<Instant>>,
    last_read: Cell<Option<Instant>>,
    wrote: Cell<bool>,
}

impl Stamps {
    /// Forgets the stamps of the exchange before.
    pub(super) fn reset(&self) {
        self.first_read.set(None);
        self.last_read.set(None);
        self.wrote.set(false);
    }

    /// When the first byte since the last reset came in.
    pub(super) fn first_read(&self) -> Option<Instant> {
        self.first_read.get()
    }

    /// When the last byte so far came in.
    pub(super) fn last_read(&self) -> Option<Instant> {
        self.last_read.get()
    }

    /// Whether any byte went out since the last reset.
    pub(super) fn wrote(&self) -> bool {
        self.wrote.get()
    }

    fn read(&self) {
        let now = clock::now();
        if self.first_read.get().is_none() {
            self.first_read.set(Some(now));
        }
        self.last_read.set(Some(now));
    }
}

/// A stream that stamps each read. It stands above TLS, so that handshake and session records leave no stamp.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    stamps: Rc<Stamps>,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Stream>, stamps: Rc<Stamps>) -> Self {
        Self { stream, stamps }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.stamps.read();
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if matches!(polled, Poll::Ready(Ok(written)) if written > 0) {
            self.stamps.wrote.set(true);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if matches!(polled, Poll::Ready(Ok(written)) if written > 0) {
            self.stamps.wrote.set(true);
        }
        polled
    }
}
