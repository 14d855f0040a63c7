//! One HTTP/2 connection, and what ends it.

use std::future::poll_fn;
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::app::{ConnectionOrigin, TargetApp};
use super::connection_command::{ConnectionCommand, LEAVE};
use super::socket::{SharedTcpStream, SocketTransport};
use super::socket_script::{SocketScript, run_socket_script};
use super::stream::Http2Exchange;

/// Serves the connection until it ends; at most `max_streams` exchanges are in progress on it at
/// once.
pub(super) async fn serve<S: SocketTransport>(
    stream: S,
    app: &Rc<TargetApp>,
    connection: ConnectionOrigin,
    max_streams: u32,
) {
    let mut socket = SharedTcpStream::new(stream);
    if let Some(performance) = serve_streams(socket.clone(), app, connection, max_streams).await {
        run_socket_script(&mut socket, performance).await;
    }
}

/// Serves with h2 until the connection ends or a script takes it over.
async fn serve_streams<S: SocketTransport>(
    socket: SharedTcpStream<S>,
    app: &Rc<TargetApp>,
    origin: ConnectionOrigin,
    max_streams: u32,
) -> Option<SocketScript> {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(max_streams);
    let mut connection = builder.handshake::<_, Bytes>(socket).await.ok()?;
    let (commands, mut orders) = mpsc::channel(1);
    let mut accepted = 0;
    loop {
        tokio::select! {
            biased;
            Some(command) = orders.recv() => match command {
                ConnectionCommand::Goodbye => connection.graceful_shutdown(),
                ConnectionCommand::Seize(performance) => {
                    // Earlier frames must be sent first, and other streams continue until then.
                    let closed = poll_fn(|cx| connection.poll_closed(cx));
                    let _ended = tokio::time::timeout(LEAVE, closed).await;
                    return Some(performance);
                }
            },
            next = connection.accept() => {
                let (request, respond) = next?.ok()?;
                accepted += 1;
                let (connection_end, commands) = (app.connection_end(accepted), commands.clone());
                let stream = Http2Exchange { app: Rc::clone(app), connection: origin, connection_end, commands };
                spawn_local(stream.answer(request, respond));
            }
        }
    }
}
