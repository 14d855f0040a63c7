//! A server of tests, whose messages a script writes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};

use super::message_guard::{DatabaseStream, MessageGuard};
use super::transaction_state::TransactionState;
use super::wire::{Wire, WireError};

/// A message of the server or of the client.
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body].concat()
}

/// The end of an answer.
pub(super) fn done(tag: &str) -> Vec<u8> {
    [message(b'C', format!("{tag}\0").as_bytes()), message(b'Z', b"I")].concat()
}

/// Logs in over a stream.
pub(super) async fn log_in(stream: impl DatabaseStream + 'static) -> Result<Wire, WireError> {
    let guard = MessageGuard::new(Box::new(stream), TransactionState::default());
    let mut config = Config::new();
    config.user("u").password("p").ssl_mode(SslMode::Disable);
    let (client, connection) = config.connect_raw(guard, NoTls).await?;
    Ok(Wire::new(client, connection))
}

/// A session that panics after some reads, and its server's end after the login.
pub(super) async fn session_of_reads(reads: usize) -> (Wire, DuplexStream) {
    let (here, mut server) = duplex(1 << 16);
    let login = [message(b'R', &[0; 4]), message(b'Z', b"I")].concat();
    server.write_all(&login).await.unwrap();
    let wire = log_in(StreamAfterRequest { stream: here, has_asked: false, reads }).await.unwrap();
    assert!(server.read(&mut [0; 256]).await.unwrap() > 8);
    (wire, server)
}

/// A session, and its server's end after the login.
pub(super) async fn session() -> (Wire, DuplexStream) {
    session_of_reads(usize::MAX).await
}

/// A stream that can be read only after something was written, and panics after some reads.
struct StreamAfterRequest {
    stream: DuplexStream,
    has_asked: bool,
    reads: usize,
}

impl AsyncRead for StreamAfterRequest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.has_asked {
            return Poll::Pending;
        }
        assert!(self.reads > 0, "out of reads");
        self.reads -= 1;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for StreamAfterRequest {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.has_asked = true;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
