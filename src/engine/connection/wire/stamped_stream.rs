//! A stream that notes when bytes arrive, and bounds what carries nothing.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{ByteStream, WireStamps};
use crate::engine::connection::flood::{Flood, FloodKind};
use crate::engine::connection::frame_filter::{FrameFilter, ReadContext};
use crate::engine::connection::library_limit::LibraryLimit;

/// What hyper reads at once before a body. It parses all heads in that without giving way.
const HEAD_READ: usize = 8 << 10;

/// A stream that stamps each read. It wraps TLS, so that handshake and session records leave no
/// stamp.
pub(in crate::engine) struct StampedStream {
    stream: Box<dyn ByteStream>,
    stamps: Rc<WireStamps>,
    /// The error of a write on a connection that the target has broken, until something is read.
    broken: Option<io::Error>,
    /// What filters the frames of an HTTP/2 connection.
    filter: Option<FrameFilter>,
}

impl StampedStream {
    pub(in crate::engine) fn new(stream: Box<dyn ByteStream>, stamps: Rc<WireStamps>) -> Self {
        Self { stream, stamps, broken: None, filter: None }
    }

    /// The same stream, without the frames that HTTP/2 allows and `h2` does not.
    pub(in crate::engine) fn filtered(self) -> Self {
        Self { filter: Some(FrameFilter::new()), ..self }
    }

    fn poll_wire(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        match (&buf.filled()[before..], &polled) {
            ([], Poll::Ready(Ok(()))) => {
                if let Some(broken) = self.broken.take() {
                    return Poll::Ready(Err(broken));
                }
                self.stamps.end();
            }
            ([], Poll::Ready(Err(error))) => {
                self.stamps.limit.set(LibraryLimit::of_tls(error));
                if let Some(flood) = Flood::of_io(error) {
                    self.stamps.flood.note(flood);
                }
            }
            ([], Poll::Pending) => self.stamps.flood.end_turn(),
            (bytes, _) => {
                self.broken = None;
                self.stamps.read(bytes);
                self.stream.note_data();
            }
        }
        polled
    }

    /// Reads HTTP/1.1. What is not part of a body counts as a flood at some point.
    fn poll_unfiltered(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stamps = Rc::clone(&self.stamps);
        ready!(stamps.flood.poll_turn(cx));
        let before = buf.filled().len();
        let is_data = stamps.is_in_body.get();
        let polled = if is_data || buf.remaining() <= HEAD_READ {
            self.poll_wire(cx, buf)
        } else {
            let mut part = ReadBuf::new(buf.initialize_unfilled_to(HEAD_READ));
            let polled = self.poll_wire(cx, &mut part);
            let read = part.filled().len();
            buf.advance(read);
            polled
        };
        let bytes = &buf.filled()[before..];
        let read = bytes.len() as u64;
        if is_data && read > 0 {
            stamps.flood.note_data(read);
            stamps.flood.charge(read, FloodKind::Framing)?;
        } else if read > 0 {
            let cost = read + stamps.cost_of_interim(bytes);
            stamps.flood.note_work(cost);
            stamps.flood.charge(cost, FloodKind::Interim)?;
        }
        polled
    }

    /// Handles the result of a write of `length` bytes.
    ///
    /// A target that refuses a request may answer, or send a TLS alert, and close before it has
    /// read the request. The write may then fail before that is read. So the stream takes what the
    /// target no longer takes, and the reader finds the answer, the alert or the end.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        length: usize,
        polled: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Ready(Ok(written)) => {
                self.stamps.has_unsent.set(written < length);
                self.stamps.wrote(written);
            }
            Poll::Ready(Err(error)) if is_broken(&error) => {
                self.note_broken(cx, error);
                return Poll::Ready(Ok(length));
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.stamps.has_unsent.set(true),
        }
        polled
    }

    fn note_broken(&mut self, cx: &Context<'_>, error: io::Error) {
        self.broken = Some(error);
        self.stamps.write_closed.set(true);
        cx.waker().wake_by_ref();
    }
}

fn is_broken(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

impl AsyncRead for StampedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(mut filter) = self.filter.take() else { return self.poll_unfiltered(cx, buf) };
        let stamps = Rc::clone(&self.stamps);
        let context = ReadContext {
            flood: &stamps.flood,
            is_asked: stamps.exchanges.get() > 0,
            written: stamps.written(),
        };
        let polled = filter.poll_read(cx, buf, context, |cx, buf| self.poll_wire(cx, buf));
        self.stamps.frames.set(filter.facts());
        self.filter = Some(filter);
        polled
    }
}

impl AsyncWrite for StampedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.stamps.is_write_closed() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, bytes.len(), polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stamps.is_write_closed() {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.stamps.has_unsent.set(flushed.is_pending());
        match flushed {
            Poll::Ready(Err(error)) if is_broken(&error) => {
                self.note_broken(cx, error);
                Poll::Ready(Ok(()))
            }
            other => other,
        }
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
        let length = slices.iter().map(|slice| slice.len()).sum();
        if self.stamps.is_write_closed() {
            return Poll::Ready(Ok(length));
        }
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, length, polled)
    }
}
