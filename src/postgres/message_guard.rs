//! Stands between the socket of a database, after TLS, and the database library.

use std::io;
use std::task::{Context, Poll};

use bytes::BufMut as _;
use sqlx::postgres::{ReadBuf, Socket};

use super::message_check::MessageCheck;
use super::wire_fault::WireFault;

/// How many bytes are read at once.
const CHUNK: usize = 8 << 10;

/// How often a socket is read before other tasks get a turn. A server that always has more to send
/// would otherwise keep the thread from its timeouts and from Ctrl-C.
const READS: u32 = 8;

/// A socket whose messages are checked before the library reads them.
struct MessageGuard {
    socket: Box<dyn Socket>,
    check: MessageCheck,
    chunk: Box<[u8; CHUNK]>,
    /// Reads since the task last waited.
    reads: u32,
    /// Whether anything was sent.
    has_asked: bool,
    fault: Option<WireFault>,
}

/// Checks the messages of a socket.
pub(super) fn guard_socket(socket: Box<dyn Socket>) -> Box<dyn Socket> {
    Box::new(MessageGuard {
        socket,
        check: MessageCheck::default(),
        chunk: Box::new([0; CHUNK]),
        reads: 0,
        has_asked: false,
        fault: None,
    })
}

impl MessageGuard {
    /// Whether the server spoke before it was asked, which would be taken for an answer.
    fn spoke_first(&mut self) -> bool {
        let mut byte: &mut [u8] = &mut self.chunk[..1];
        self.socket.try_read(&mut byte).is_ok_and(|read| read > 0)
    }
}

impl Socket for MessageGuard {
    fn try_read(&mut self, buf: &mut dyn ReadBuf) -> io::Result<usize> {
        let before = buf.remaining_mut();
        while self.reads < READS {
            if let Some(fault) = self.fault {
                return Err(fault.into());
            }
            // Filling more than is reserved would move the whole buffer.
            let room = buf.chunk_mut().len().clamp(1, CHUNK);
            let mut chunk: &mut [u8] = &mut self.chunk[..room];
            let read = self.socket.try_read(&mut chunk)?;
            if read == 0 {
                return Ok(0);
            }
            self.reads += 1;
            if let Err(fault) = self.check.read(&self.chunk[..read], buf) {
                self.fault = Some(fault);
                return Err(fault.into());
            }
            let passed = before - buf.remaining_mut();
            if passed > 0 {
                return Ok(passed);
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn try_write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if !self.has_asked && self.spoke_first() {
            self.fault = Some(WireFault::SPEAKS_FIRST);
        }
        if let Some(fault) = self.fault {
            return Err(fault.into());
        }
        self.has_asked = true;
        self.check.note_request();
        self.socket.try_write(buf)
    }

    fn poll_read_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reads >= READS {
            self.reads = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let ready = self.socket.poll_read_ready(cx);
        if ready.is_pending() {
            self.reads = 0;
        }
        ready
    }

    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_write_ready(cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_shutdown(cx)
    }
}
