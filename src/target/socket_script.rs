//! Scripted bytes on a socket, which need not be HTTP.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::socket::SocketTransport;

/// One action on a socket.
#[derive(Debug, Clone)]
pub(super) enum SocketAction {
    /// Sends these bytes.
    Send(Bytes),
    /// Sends these bytes one by one, with a pause before each.
    Trickle(Bytes, Duration),
    /// Sends these bytes again and again, with a pause after each time, until the client
    /// disconnects.
    Forever(Bytes, Duration),
    /// Does nothing for a while.
    Wait(Duration),
}

/// How a socket script ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SocketEnd {
    /// HTTP/1.1 continues.
    Keep,
    /// It is closed: FIN, after TLS's `close_notify`.
    Close,
    /// It is reset: RST.
    Reset,
    /// It stays open until the client closes it.
    Hang,
}

/// Socket actions and how they end.
#[derive(Debug, Clone)]
pub(super) struct SocketScript {
    pub(super) acts: Vec<SocketAction>,
    pub(super) end: SocketEnd,
}

impl SocketScript {
    /// The same, but the socket is closed instead of continuing.
    pub(super) fn closing(mut self) -> Self {
        if self.end == SocketEnd::Keep {
            self.end = SocketEnd::Close;
        }
        self
    }
}

/// Runs a socket script; returns whether the socket can continue with HTTP.
///
/// If the client has disconnected, the rest is skipped.
pub(super) async fn run_socket_script(
    socket: &mut impl SocketTransport,
    performance: SocketScript,
) -> bool {
    for act in performance.acts {
        if run_action(socket, act).await.is_err() {
            return false;
        }
    }
    match performance.end {
        SocketEnd::Keep => return true,
        // A client that has disconnected needs no closing bytes.
        SocketEnd::Close => drop(socket.shutdown().await),
        SocketEnd::Reset => socket.reset_on_close(),
        SocketEnd::Hang => while socket.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {},
    }
    false
}

async fn run_action(socket: &mut impl SocketTransport, act: SocketAction) -> io::Result<()> {
    match act {
        SocketAction::Send(bytes) => send(socket, &bytes).await,
        SocketAction::Wait(pause) => {
            tokio::time::sleep(pause).await;
            Ok(())
        }
        SocketAction::Trickle(bytes, every) => {
            for byte in bytes {
                tokio::time::sleep(every).await;
                send(socket, &[byte]).await?;
            }
            Ok(())
        }
        SocketAction::Forever(bytes, every) => loop {
            send(socket, &bytes).await?;
            if every > Duration::ZERO {
                tokio::time::sleep(every).await;
            }
        },
    }
}

async fn send(socket: &mut impl SocketTransport, bytes: &[u8]) -> io::Result<()> {
    socket.write_all(bytes).await?;
    socket.flush().await
}
