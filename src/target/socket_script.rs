//! Bytes on a socket, past every rule of HTTP.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::socket::Transport;

/// One thing done to a socket.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Sends these bytes.
    Send(Bytes),
    /// Sends these bytes one by one, with a pause before each.
    Trickle(Bytes, Duration),
    /// Sends these bytes again and again, with a pause after each time, until the client goes.
    Forever(Bytes, Duration),
    /// Does nothing for a while.
    Wait(Duration),
}

/// What becomes of the socket after the acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// HTTP/1.1 goes on.
    Keep,
    /// It is closed: FIN, after TLS's own goodbye.
    Close,
    /// It is reset: RST.
    Reset,
    /// It stays open until the client closes it.
    Hang,
}

/// Acts and their end.
#[derive(Debug, Clone)]
pub(super) struct Performance {
    pub(super) acts: Vec<Act>,
    pub(super) end: End,
}

impl Performance {
    /// The same, and the socket is closed where it would go on.
    pub(super) fn closing(mut self) -> Self {
        if self.end == End::Keep {
            self.end = End::Close;
        }
        self
    }
}

/// Carries out the acts; says whether the socket can go on to carry HTTP.
///
/// Where the client has gone, the rest is left out.
pub(super) async fn perform(socket: &mut impl Transport, performance: Performance) -> bool {
    for act in performance.acts {
        if carry_out(socket, act).await.is_err() {
            return false;
        }
    }
    match performance.end {
        End::Keep => return true,
        // A client that has gone already needs no goodbye.
        End::Close => drop(socket.shutdown().await),
        End::Reset => socket.reset_on_close(),
        End::Hang => while socket.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {},
    }
    false
}

async fn carry_out(socket: &mut impl Transport, act: Act) -> io::Result<()> {
    match act {
        Act::Send(bytes) => send(socket, &bytes).await,
        Act::Wait(pause) => {
            tokio::time::sleep(pause).await;
            Ok(())
        }
        Act::Trickle(bytes, every) => {
            for byte in bytes {
                tokio::time::sleep(every).await;
                send(socket, &[byte]).await?;
            }
            Ok(())
        }
        Act::Forever(bytes, every) => loop {
            send(socket, &bytes).await?;
            if every > Duration::ZERO {
                tokio::time::sleep(every).await;
            }
        },
    }
}

async fn send(socket: &mut impl Transport, bytes: &[u8]) -> io::Result<()> {
    socket.write_all(bytes).await?;
    socket.flush().await
}
