//! The byte stream of a connection, which can be taken back from the HTTP library that uses it.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A connected stream over TCP.
pub(super) trait SocketTransport: AsyncRead + AsyncWrite + Unpin {
    /// Makes the stream end with a reset (RST), which discards unsent bytes.
    fn reset_on_close(&self);
}

impl SocketTransport for TcpStream {
    fn reset_on_close(&self) {
        // Only a closed socket refuses it.
        let _gone = SockRef::from(self).set_linger(Some(Duration::ZERO));
    }
}

impl SocketTransport for TlsStream<TcpStream> {
    fn reset_on_close(&self) {
        self.get_ref().0.reset_on_close();
    }
}

/// One stream with two owners: the HTTP library, and the code that continues after the library has
/// released it.
///
/// hyper and h2 do not return their stream; a second owner can still write after they are dropped.
/// The stream ends with its last owner.
pub(super) struct SharedTcpStream<S>(Rc<RefCell<S>>);

impl<S> SharedTcpStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(Rc::new(RefCell::new(stream)))
    }
}

impl<S> Clone for SharedTcpStream<S> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<S: SocketTransport> SocketTransport for SharedTcpStream<S> {
    fn reset_on_close(&self) {
        self.0.borrow().reset_on_close();
    }
}

impl<S: SocketTransport> AsyncRead for SharedTcpStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(cx, buffer)
    }
}

impl<S: SocketTransport> AsyncWrite for SharedTcpStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write_vectored(cx, slices)
    }
}
