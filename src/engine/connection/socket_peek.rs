//! Checks a socket for unread input before an exchange reuses its connection.
//!
//! A close by the target is noticed only when the socket is read, and the runtime reads it only
//! after an event. Until then only the kernel knows that the connection is closed. A request
//! written at that moment would be lost and counted as the target's failure.
//!
//! The kernel reports a reset only once, to the first look, write or read, and an end of stream
//! afterwards. So a reset is remembered for the reader, which decides what happened to the
//! exchange.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::engine::connection::flood::{FloodKind, FloodMeter};
use crate::engine::time::clock::{self, Instant};
use crate::engine::time::io_poll;

/// A TCP stream whose unread input can be checked while another owner reads and writes it.
pub(in crate::engine) struct PeekableStream(Rc<SharedSocket>);

struct SharedSocket {
    tcp: RefCell<TcpStream>,
    /// Whether the kernel has reported a reset.
    was_reset: Cell<bool>,
    /// Whether there may be input that the runtime did not report.
    is_suspected: Cell<bool>,
    /// Whether input was found that the runtime did not report.
    is_urgent: Cell<bool>,
    /// What wakes the task that waits for input.
    reader: Cell<Option<Waker>>,
    /// What is read without data; `None` if nothing but data is read here.
    flood: OnceCell<FloodMeter>,
}

/// Checks a TCP stream for unread input.
pub(in crate::engine) struct SocketPeek {
    socket: Rc<SharedSocket>,
    /// Whether bytes may arrive that do not belong to an answer.
    is_encrypted: bool,
}

/// The unread input of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum UnreadInput {
    Nothing,
    Bytes,
    /// The target has closed or broken the connection.
    End,
}

impl PeekableStream {
    pub(in crate::engine) fn new(tcp: TcpStream) -> Self {
        Self(Rc::new(SharedSocket {
            tcp: RefCell::new(tcp),
            was_reset: Cell::default(),
            is_suspected: Cell::default(),
            is_urgent: Cell::default(),
            reader: Cell::default(),
            flood: OnceCell::new(),
        }))
    }

    /// Limits what is read between two calls of [`Self::note_data`], as records of TLS may carry no
    /// data.
    pub(in crate::engine) fn limit_records(&self) {
        self.0.flood.get_or_init(FloodMeter::default);
    }

    /// Notes that data was decrypted.
    pub(in crate::engine) fn note_data(&self) {
        if let Some(flood) = self.0.flood.get() {
            flood.reset();
        }
    }

    /// A check for unread input. If the stream `is_encrypted`, the TLS session above it judges what
    /// arrives.
    pub(in crate::engine) fn socket_peek(&self, is_encrypted: bool) -> SocketPeek {
        SocketPeek { socket: Rc::clone(&self.0), is_encrypted }
    }
}

impl SharedSocket {
    /// Reads without asking the runtime whether there is anything to read.
    fn read_now(&self, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match recv(&*self.tcp.borrow(), buf.initialize_unfilled(), RecvFlags::DONTWAIT) {
            Ok((_, read)) => {
                buf.advance(read);
                Poll::Ready(Ok(()))
            }
            Err(Errno::WOULDBLOCK | Errno::INTR) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }

    /// Whether the runtime has reported input that may still be unread, or may have missed some.
    fn may_have_input(&self) -> bool {
        self.is_suspected.get()
            || self.is_urgent.get()
            || self.tcp.borrow().try_io(Interest::READABLE, || Ok(())).is_ok()
    }

    /// Handles the result of a write: remembers a reset.
    fn written(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(&polled, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset)
        {
            self.was_reset.set(true);
        }
        polled
    }
}

impl SocketPeek {
    /// How old a poll by the runtime may be to replace a look, which costs a system call.
    const MAX_POLL_AGE: Duration = Duration::from_micros(100);
    /// How old a read may be. The runtime reads from all sockets with an event before the tasks
    /// that send again, some µs for each.
    const MAX_READ_AGE: Duration = Duration::from_millis(1);
    /// How often the connection's driver gets a turn to read what arrived.
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

    /// The unread input. Does not ask the kernel if the runtime has just polled it or read from the
    /// socket, at `read`, and reported nothing since.
    pub(super) fn look_unless_polled(&self, read: Option<Instant>) -> UnreadInput {
        let is_recent = |at: Instant, limit| clock::now().saturating_duration_since(at) < limit;
        let is_known = io_poll::last_poll().is_some_and(|poll| is_recent(poll, Self::MAX_POLL_AGE))
            || read.is_some_and(|read| is_recent(read, Self::MAX_READ_AGE));
        if is_known && !self.socket.may_have_input() {
            return UnreadInput::Nothing;
        }
        self.look()
    }

    /// Wakes the reader if there is input that the runtime has missed.
    ///
    /// A read ends before a byte that was sent as urgent. The runtime takes a short read for the
    /// end of what has arrived, and would wait for more. What has only just arrived is reported and
    /// read in the meantime.
    pub(super) async fn find_missed_input(&self) {
        if self.look() == UnreadInput::Nothing {
            return;
        }
        tokio::task::yield_now().await;
        if self.look() != UnreadInput::Nothing {
            self.socket.is_suspected.set(true);
            if let Some(reader) = self.socket.reader.take() {
                reader.wake();
            }
        }
    }

    /// Whether a connection that awaits no answer can take a request, as far as this machine knows.
    ///
    /// Bytes in plain text belong to no request, and the next request would take them for its
    /// answer. In TLS they may be a session ticket or a close notification. The driver reads them,
    /// and `is_open` then reports the result.
    pub(in crate::engine) async fn is_quiet(
        &self,
        read: Option<Instant>,
        is_open: impl Fn() -> bool,
    ) -> bool {
        for _ in 0..Self::LOOKS {
            match self.look_unless_polled(read) {
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
        let flood = self.0.flood.get();
        if let Some(flood) = flood {
            ready!(flood.poll_turn(cx));
        }
        let before = buf.filled().len();
        let mut polled = Pin::new(&mut *self.0.tcp.borrow_mut()).poll_read(cx, buf);
        let is_suspected = self.0.is_suspected.take();
        if polled.is_pending() && (is_suspected || self.0.is_urgent.get()) {
            polled = self.0.read_now(buf);
            self.0.is_urgent.set(self.0.is_urgent.get() || polled.is_ready());
        }
        if polled.is_pending() {
            let known = self.0.reader.take().filter(|reader| reader.will_wake(cx.waker()));
            self.0.reader.set(Some(known.unwrap_or_else(|| cx.waker().clone())));
        }
        match (flood, (buf.filled().len() - before) as u64) {
            (None, _) => {}
            (Some(flood), 0) => flood.end_turn(),
            (Some(flood), read) => {
                flood.note_work(read);
                flood.charge(read, FloodKind::Records)?;
            }
        }
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

    use socket2::SockRef;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A stream and its other end.
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
    fn unread_input_is_detected_and_not_consumed() {
        run(async {
            let (ours, mut theirs) = pair().await;
            let peek = ours.socket_peek(false);
            assert_eq!(peek.look(), UnreadInput::Nothing);
            theirs.write_all(b"x").unwrap();
            await_unread(&peek);
            assert_eq!((peek.look(), peek.look()), (UnreadInput::Bytes, UnreadInput::Bytes));
            assert!(!peek.is_quiet(None, || true).await);
            drop(theirs);
            let mut ours = ours;
            let mut read = [0; 8];
            assert_eq!(ours.read(&mut read).await.unwrap(), 1);
            await_unread(&peek);
            assert_eq!(peek.look(), UnreadInput::End);
            assert!(!peek.is_quiet(None, || true).await);
        });
    }

    #[test]
    fn a_socket_that_the_runtime_has_just_polled_needs_no_look() {
        run(async {
            let (ours, mut theirs) = pair().await;
            let peek = ours.socket_peek(false);
            theirs.write_all(b"x").unwrap();
            await_unread(&peek);
            io_poll::note_poll(clock::now() - SocketPeek::MAX_POLL_AGE);
            assert_eq!(
                peek.look_unless_polled(None),
                UnreadInput::Bytes,
                "the last poll is too old"
            );
            io_poll::note_poll(clock::now() + Duration::from_mins(1));
            assert_eq!(peek.look_unless_polled(None), UnreadInput::Nothing, "nothing was reported");
            // The timers rely on it that a task that yields lets the runtime poll.
            tokio::task::yield_now().await;
            assert_eq!(peek.look_unless_polled(None), UnreadInput::Bytes, "the byte was reported");
            io_poll::forget();
        });
    }

    #[test]
    fn a_socket_that_was_just_read_empty_needs_no_look() {
        run(async {
            let (mut ours, mut theirs) = pair().await;
            let peek = ours.socket_peek(false);
            theirs.write_all(b"answer").unwrap();
            assert_eq!(ours.read(&mut [0; 8]).await.unwrap(), 6);
            let read = clock::now() + Duration::from_mins(1);
            drop(theirs);
            await_unread(&peek);
            assert_eq!(peek.look_unless_polled(None), UnreadInput::End);
            assert_eq!(peek.look_unless_polled(Some(read)), UnreadInput::Nothing);
            let earlier = clock::now() - SocketPeek::MAX_READ_AGE;
            assert_eq!(peek.look_unless_polled(Some(earlier)), UnreadInput::End);
        });
    }

    #[test]
    fn a_socket_that_was_not_read_empty_is_looked_at() {
        run(async {
            let (mut ours, mut theirs) = pair().await;
            let peek = ours.socket_peek(false);
            theirs.write_all(b"answer, and more").unwrap();
            assert_eq!(ours.read(&mut [0; 8]).await.unwrap(), 8);
            let read = clock::now() + Duration::from_mins(1);
            assert_eq!(peek.look_unless_polled(Some(read)), UnreadInput::Bytes);
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
    fn the_reader_gets_a_reset_that_a_look_or_a_write_consumed() {
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
    fn the_driver_judges_input_over_tls() {
        run(async {
            let (ours, mut theirs) = pair().await;
            let peek = ours.socket_peek(true);
            assert!(peek.is_quiet(None, || true).await);
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
            assert!(!peek.is_quiet(None, closes_after(2)).await, "the driver found a close");
            assert_eq!(looks.get(), 3);
            assert!(
                peek.is_quiet(None, closes_after(usize::MAX)).await,
                "what nobody reads is no close"
            );
            assert_eq!(looks.get(), SocketPeek::LOOKS + 1);
        });
    }
}
