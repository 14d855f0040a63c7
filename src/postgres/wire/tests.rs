use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
};
use tokio_postgres::{Config, NoTls};

use super::*;
use crate::postgres::message_guard::DatabaseStream;
use crate::postgres::transaction_state::TransactionState;
use crate::postgres::{PgError, PgErrorKind};

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body].concat()
}

fn done(tag: &str) -> Vec<u8> {
    [message(b'C', format!("{tag}\0").as_bytes()), message(b'Z', b"I")].concat()
}

async fn opened(stream: impl DatabaseStream + 'static) -> Wire {
    let guard = MessageGuard::new(Box::new(stream), TransactionState::default());
    let mut config = Config::new();
    config.user("u").password("p");
    config.ssl_mode(tokio_postgres::config::SslMode::Disable);
    let (client, connection) = config.connect_raw(guard, NoTls).await.unwrap();
    Wire::new(client, connection)
}

/// A session, and its server's end after the login.
async fn session() -> (Wire, DuplexStream) {
    let (here, mut server) = duplex(1 << 16);
    let login = [message(b'R', &[0; 4]), message(b'Z', b"I")].concat();
    server.write_all(&login).await.unwrap();
    let wire = opened(Late::new(here)).await;
    assert!(server.read(&mut [0; 256]).await.unwrap() > 8);
    (wire, server)
}

#[expect(clippy::disallowed_methods, reason = "the server is a script")]
async fn run(wire: &mut Wire, sql: &str) -> Result<(), WireError> {
    let Wire { client, driver } = wire;
    driver.carry(client.batch_execute(sql)).await
}

#[tokio::test]
async fn the_error_that_ended_a_connection_is_that_of_every_later_request() {
    let (mut wire, mut server) = session().await;
    let last = message(b'E', b"SFATAL\0C57P01\0Mit is shut down\0\0");
    server.write_all(&last).await.unwrap();
    drop(server);
    for _ in 0..2 {
        let error = PgError::of("u@h:5432/x", &run(&mut wire, "begin").await.unwrap_err());
        assert_eq!((error.kind, &*error.message), (PgErrorKind::Lost, "it is shut down"));
    }
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_leaves_no_answer_to_the_next() {
    let (mut wire, mut server) = session().await;
    let late = tokio::time::timeout(std::time::Duration::ZERO, run(&mut wire, "first")).await;
    assert!(late.is_err());
    let wrong = message(b'E', b"SERROR\0C22012\0Mof the first\0\0");
    server.write_all(&[wrong, message(b'Z', b"I")].concat()).await.unwrap();
    let answer = async {
        let (first, second) = (message(b'Q', b"first\0"), message(b'Q', b"second\0"));
        let mut asked = vec![0; first.len() + second.len()];
        server.read_exact(&mut asked).await.unwrap();
        assert_eq!(asked, [first, second].concat());
        server.write_all(&done("SECOND")).await.unwrap();
    };
    let (answered, ()) = tokio::join!(run(&mut wire, "second"), answer);
    answered.unwrap();
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_not_the_next_ones() {
    let (mut wire, mut server) = session().await;
    server.write_all(&done("SOMEONE ELSE'S")).await.unwrap();
    let error = PgError::of("u@h:5432/x", &run(&mut wire, "begin").await.unwrap_err());
    assert_eq!(error.kind, PgErrorKind::Broken, "{error}");
}

#[tokio::test]
async fn a_dropped_session_ends_its_connection() {
    let (wire, mut server) = session().await;
    drop(wire);
    assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
    let (wire, mut server) = session().await;
    wire.close().await;
    let mut rest = Vec::new();
    server.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, message(b'X', &[]));
}

#[tokio::test]
async fn a_panic_while_messages_are_read_is_a_defect_of_every_later_request() {
    let (here, mut server) = duplex(1 << 16);
    let login = [message(b'R', &[0; 4]), message(b'Z', b"I")].concat();
    server.write_all(&login).await.unwrap();
    let mut wire = opened(Late { reads: 1, ..Late::new(here) }).await;
    for _ in 0..2 {
        let error = PgError::of("u@h:5432/x", &run(&mut wire, "begin").await.unwrap_err());
        assert_eq!(error.kind, PgErrorKind::Defect, "{error}");
        assert!(error.message.contains("src/postgres/wire/tests.rs"), "{error}");
    }
}

/// A stream that can be read only after something was written, and panics after some reads.
struct Late {
    stream: DuplexStream,
    has_asked: bool,
    reads: usize,
}

impl Late {
    fn new(stream: DuplexStream) -> Self {
        Self { stream, has_asked: false, reads: usize::MAX }
    }
}

impl AsyncRead for Late {
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

impl AsyncWrite for Late {
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
