//! One connection that speaks HTTP/2, and what ends it.

use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::acts::{Performance, perform};
use super::app::App;
use super::socket::{Shared, Transport};
use super::stream::Stream;

/// How long frames that were handed to h2 get to leave before the connection is taken from it.
pub(super) const LEAVE: Duration = Duration::from_millis(10);

/// What a stream asks of its connection.
#[derive(Debug)]
pub(super) enum Command {
    /// End gracefully: a GOAWAY, and the streams that are open come to their end.
    Goodbye,
    /// End at once, in this way.
    Seize(Performance),
}

/// Serves the connection until it ends; at most `max_streams` exchanges are under way on it at once.
pub(super) async fn serve<S: Transport>(
    stream: S,
    app: &Rc<App>,
    connection: u64,
    max_streams: u32,
) {
    let mut socket = Shared::new(stream);
    if let Some(performance) = serve_streams(socket.clone(), app, connection, max_streams).await {
        perform(&mut socket, performance).await;
    }
}

/// Serves by h2, until the connection ends or is seized.
async fn serve_streams<S: Transport>(
    socket: Shared<S>,
    app: &Rc<App>,
    number: u64,
    max_streams: u32,
) -> Option<Performance> {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(max_streams);
    let mut connection = builder.handshake::<_, Bytes>(socket).await.ok()?;
    let (commands, mut orders) = mpsc::channel(1);
    let mut accepted = 0;
    loop {
        tokio::select! {
            biased;
            Some(command) = orders.recv() => match command {
                Command::Goodbye => connection.graceful_shutdown(),
                Command::Seize(performance) => {
                    // What was said before is on its way first, and other streams go on meanwhile.
                    let closed = poll_fn(|cx| connection.poll_closed(cx));
                    let _ended = tokio::time::timeout(LEAVE, closed).await;
                    return Some(performance);
                }
            },
            next = connection.accept() => {
                let (request, respond) = next?.ok()?;
                accepted += 1;
                let (farewell, commands) = (app.farewell(accepted), commands.clone());
                let stream = Stream { app: Rc::clone(app), connection: number, farewell, commands };
                spawn_local(stream.answer(request, respond));
            }
        }
    }
}
