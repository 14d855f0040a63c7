//! Stands between the socket of a database, after TLS, and the database library.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::message_check::MessageCheck;
use super::transaction_state::TransactionState;
use super::wire_fault::WireFault;

/// How many bytes are read at once.
const CHUNK: usize = 8 << 10;

/// A connected stream, plain or encrypted.
pub(super) trait DatabaseStream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> DatabaseStream for S {}

/// A socket whose messages are checked before the library reads them.
pub(super) struct MessageGuard {
    socket: Box<dyn DatabaseStream>,
    check: MessageCheck,
    chunk: Box<[u8; CHUNK]>,
    /// What the library may read.
    passed: BytesMut,
    /// Whether anything was sent.
    has_asked: bool,
    fault: Option<WireFault>,
}

impl MessageGuard {
    /// Checks the messages of a socket.
    pub(super) fn new(socket: Box<dyn DatabaseStream>, state: TransactionState) -> Self {
        Self {
            socket,
            check: MessageCheck::new(state),
            chunk: Box::new([0; CHUNK]),
            passed: BytesMut::new(),
            has_asked: false,
            fault: None,
        }
    }

    /// Whether the server spoke before it was asked, which would be taken for an answer.
    fn spoke_first(&mut self, cx: &mut Context<'_>) -> bool {
        let mut byte = ReadBuf::new(&mut self.chunk[..1]);
        let read = Pin::new(&mut self.socket).poll_read(cx, &mut byte);
        matches!(read, Poll::Ready(Ok(()))) && !byte.filled().is_empty()
    }

    /// Reads until something may be passed on.
    ///
    /// A server that always has more to send does not keep the thread from its timeouts: after some
    /// reads, tokio's socket lets other tasks have their turn.
    fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.passed.is_empty() {
            if let Some(fault) = self.fault {
                return Poll::Ready(Err(fault.into()));
            }
            let mut chunk = ReadBuf::new(&mut self.chunk[..]);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            if let Err(fault) = self.check.read(chunk.filled(), &mut self.passed) {
                self.passed.clear();
                self.fault = Some(fault);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for MessageGuard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_passed(cx))?;
        let step = this.passed.len().min(buf.remaining());
        buf.put_slice(&this.passed[..step]);
        this.passed.advance(step);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for MessageGuard {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.has_asked && this.spoke_first(cx) {
            this.fault = Some(WireFault::SPEAKS_FIRST);
        }
        if let Some(fault) = this.fault {
            return Poll::Ready(Err(fault.into()));
        }
        this.has_asked = true;
        this.check.note_request();
        Pin::new(&mut this.socket).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
