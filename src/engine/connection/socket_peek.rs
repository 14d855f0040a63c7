//! Looking into a socket before something is sent on a connection that was used before.
//!
//! A target that closes an idle connection is seen once the socket is read, and nobody reads it
//! before the runtime has told that there is something. In between, a request would be written to a
//! connection that is known to be closed by the kernel alone: it would be lost, and the loss
//! counted as the target's failure.
//!
//! The kernel tells of a reset once, to whoever looks, writes or reads first, and the end of the
//! stream to all after it. So a reset is kept for the reader, who says what became of the exchange.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP stream that can be looked into while another reads and writes it.
pub(in crate::engine) struct PeekableStream(Rc<SharedSocket>);

struct SharedSocket {
    tcp: RefCell<TcpStream>,
    /// Whether the kernel has told of a reset.
    was_reset: Cell<bool>,
}

/// A look into a TCP stream.
pub(in crate::engine) struct SocketPeek {
    socket: Rc<SharedSocket>,
    /// Whether bytes may come in that are no part of an answer.
    is_encrypted: bool,
}

/// What lies in a socket and has not been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum UnreadInput {
    Nothing,
    Bytes,
    /// The target has closed or broken the connection.
    End,
}

impl PeekableStream {
    pub(in crate::engine) fn new(tcp: TcpStream) -> Self {
        Self(Rc::new(SharedSocket { tcp: RefCell::new(tcp), was_reset: Cell::new(false) }))
    }

    /// A look into it; where it `is_encrypted`, what comes in is for the session above it to judge.
    pub(in crate::engine) fn socket_peek(&self, is_encrypted: bool) -> SocketPeek {
        SocketPeek { socket: Rc::clone(&self.0), is_encrypted }
    }
}

impl SharedSocket {
    /// What came of writing.
    fn written(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(&polled, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset)
        {
            self.was_reset.set(true);
        }
        polled
    }
}

impl SocketPeek {
    /// How often the connection's driver gets the chance to read what came in.
    const LOOKS: usize = 8;

    pub(in crate::engine) fn look(&self) -> UnreadInput {
        match recv(
            &*self.socket.tcp.borrow(),
            &mut [0_u8; 1],
            RecvFlags::PEEK | RecvFlags::DONTWAIT,
        ) {
            Err(Errno::WOULDBLOCK | Errno::INTR) => UnreadInput::Nothing,
            Err(Errno::CONNRESET) => {
                self.socket.was_reset.set(true);
                UnreadInput::End
            }
            Ok((_, 0)) | Err(_) => UnreadInput::End,
            Ok(_) => UnreadInput::Bytes,
        }
    }

    /// Whether a connection on which no answer is awaited can take a request, as far as this
    /// machine can know.
    ///
    /// Bytes in plain text belong to no request, and only their sender knows to which one they
    /// would be taken for the answer. Within TLS they may be a session ticket or the word that the
    /// target closes: the driver reads them, and `is_open` says what became of it.
    pub(in crate::engine) async fn is_quiet(&self, is_open: impl Fn() -> bool) -> bool {
        for _ in 0..Self::LOOKS {
            match self.look() {
                _ if !is_open() => return false,
                UnreadInput::Nothing => return true,
                UnreadInput::Bytes if self.is_encrypted => tokio::task::yield_now().await,
                UnreadInput::Bytes | UnreadInput::End => return false,
            }
        }
        is_open()
    }
}

impl AsyncRead for PeekableStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut *self.0.tcp.borrow_mut()).poll_read(cx, buf);
        let ended = matches!(polled, Poll::Ready(Ok(()))) && buf.filled().len() == before;
        if ended && self.0.was_reset.get() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        polled
    }
}

impl AsyncWrite for PeekableStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.written(Pin::new(&mut *self.0.tcp.borrow_mut()).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.tcp.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.tcp.borrow_mut()).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.tcp.borrow().is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.written(Pin::new(&mut *self.0.tcp.borrow_mut()).poll_write_vectored(cx, slices))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    use socket2::SockRef;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A tapped stream and its other end.
    async fn pair() -> (PeekableStream, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (PeekableStream::new(ours), listener.accept().unwrap().0)
    }

    fn run(work: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    }

    fn await_unread(peek: &SocketPeek) {
        while peek.look() == UnreadInput::Nothing {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_was_not_read_is_seen_and_left_where_it_is() {
        run(async {
            let (ours, mut theirs) = pair().await;
            let peek = ours.socket_peek(false);
            assert_eq!(peek.look(), UnreadInput::Nothing);
            theirs.write_all(b"x").unwrap();
            await_unread(&peek);
            assert_eq!((peek.look(), peek.look()), (UnreadInput::Bytes, UnreadInput::Bytes));
            assert!(!peek.is_quiet(|| true).await);
            drop(theirs);
            let mut ours = ours;
            let mut read = [0; 8];
            assert_eq!(ours.read(&mut read).await.unwrap(), 1);
            await_unread(&peek);
            assert_eq!(peek.look(), UnreadInput::End);
            assert!(!peek.is_quiet(|| true).await);
        });
    }

    /// A stream that the other end has reset.
    async fn reset() -> PeekableStream {
        let (ours, theirs) = pair().await;
        SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
        drop(theirs);
        ours
    }

    async fn read(ours: &mut PeekableStream) -> ErrorKind {
        ours.read(&mut [0; 8]).await.unwrap_err().kind()
    }

    #[test]
    fn a_reset_that_a_look_or_a_write_was_told_of_is_no_end_to_the_reader() {
        run(async {
            let mut looked_into = reset().await;
            await_unread(&looked_into.socket_peek(false));
            assert_eq!(read(&mut looked_into).await, ErrorKind::ConnectionReset);
            let mut written_to = reset().await;
            let refused = loop {
                if let Err(error) = written_to.write(b"x").await {
                    break error.kind();
                }
            };
            assert_eq!([refused, read(&mut written_to).await], [ErrorKind::ConnectionReset; 2]);
        });
    }

    #[test]
    fn what_comes_in_over_tls_is_for_the_driver_to_judge() {
        run(async {
            let (ours, mut theirs) = pair().await;
            let peek = ours.socket_peek(true);
            assert!(peek.is_quiet(|| true).await);
            theirs.write_all(b"ticket").unwrap();
            await_unread(&peek);
            let looks = Cell::new(0);
            let closes_after = |last| {
                looks.set(0);
                let looks = &looks;
                move || {
                    looks.set(looks.get() + 1);
                    looks.get() <= last
                }
            };
            assert!(!peek.is_quiet(closes_after(2)).await, "the driver found a close");
            assert_eq!(looks.get(), 3);
            assert!(peek.is_quiet(closes_after(usize::MAX)).await, "what nobody reads is no close");
            assert_eq!(looks.get(), SocketPeek::LOOKS + 1);
        });
    }
}
