//! One HTTP/1.1 connection: hyper sends whole answers, `raw_http1` sends scripts.

use std::cell::Cell;
use std::fmt;
use std::pin::pin;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::app::{ConnectionOrigin, PendingAnswer, RequestOrigin, TargetApp};
use super::body::gather;
use super::page::PageReply;
use super::raw_http1;
use super::script::AnswerEnding;
use super::settings::ConnectionEnd;
use super::socket::{SharedTcpStream, SocketTransport};
use super::socket_script::{SocketScript, run_socket_script};

/// Serves the connection until it ends.
pub(super) async fn serve<S: SocketTransport>(
    stream: S,
    app: &TargetApp,
    connection: ConnectionOrigin,
) {
    let mut stream = SharedTcpStream::new(stream);
    let answers = Cell::new(0);
    while let Some(performance) = serve_whole(stream.clone(), app, connection, &answers).await {
        if !run_socket_script(&mut stream, performance).await {
            return;
        }
    }
}

/// Serves with hyper until the connection ends or an answer needs a script.
///
/// hyper releases a connection without sending a byte if its service fails. Bytes that it read
/// beyond the request are lost; this affects only clients that pipeline.
async fn serve_whole<S: SocketTransport>(
    stream: SharedTcpStream<S>,
    app: &TargetApp,
    connection: ConnectionOrigin,
    answers: &Cell<u64>,
) -> Option<SocketScript> {
    let socket_script = Cell::new(None);
    let service = service_fn(|request: Request<Incoming>| {
        answers.set(answers.get() + 1);
        let connection_end = app.connection_end(answers.get());
        let mut visit = app.receive(RequestOrigin { connection, stream: 0 }, &request);
        let (socket_script, method) = (&socket_script, request.method().clone());
        let with_body = visit.wants_body().then(|| Box::new(request));
        async move {
            if let Some(request) = with_body {
                // Boxed, so that the size of this future does not enlarge every exchange.
                Box::pin(take_body(request, app, &mut visit)).await;
            }
            app.hold(&mut visit).await;
            whole(visit.reply, connection_end, &method).map_err(|script| {
                socket_script.set(Some(script));
                ReleaseConnection
            })
        }
    });
    // One buffer for head and body: copying a small page costs less than a gathered write of two
    // pieces.
    let served =
        http1::Builder::new().writev(false).serve_connection(TokioIo::new(stream), service);
    let _ = pin!(served).await;
    socket_script.take()
}

/// Reads the body and decides the answer from it; if the body breaks off, the connection has ended
/// anyway.
async fn take_body(request: Box<Request<Incoming>>, app: &TargetApp, visit: &mut PendingAnswer) {
    let (head, mut body) = request.into_parts();
    let next = async || loop {
        match body.frame().await?.map(hyper::body::Frame::into_data) {
            Ok(Ok(piece)) => return Some(Ok(piece)),
            // Trailers are not part of the body.
            Ok(Err(_)) => {}
            Err(broken) => return Some(Err(broken)),
        }
    };
    if let Ok(body) = gather(next).await {
        app.take_body(visit, &head.headers, body).await;
    }
}

/// The answer for hyper to send; an error holds a script.
fn whole(
    reply: PageReply,
    connection_end: Option<ConnectionEnd>,
    method: &Method,
) -> Result<Response<Full<Bytes>>, SocketScript> {
    match (reply, connection_end) {
        (PageReply::Whole(page), None) => Ok(page.map(Full::new)),
        (PageReply::Whole(mut page), Some(ConnectionEnd::Polite)) => {
            page.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            Ok(page.map(Full::new))
        }
        (PageReply::Whole(page), Some(ConnectionEnd::Silent)) => {
            Err(raw_http1::last_page(&page, method))
        }
        (PageReply::Steps(script), None) => Err(raw_http1::render_script(script)),
        (PageReply::Steps(mut script), Some(ConnectionEnd::Polite)) => {
            if script.ending == AnswerEnding::Complete {
                script.ending = AnswerEnding::Goodbye;
            }
            Err(raw_http1::render_script(script))
        }
        (PageReply::Steps(script), Some(ConnectionEnd::Silent)) => {
            Err(raw_http1::render_script(script).closing())
        }
    }
}

/// Makes hyper release the connection.
#[derive(Debug)]
struct ReleaseConnection;

impl fmt::Display for ReleaseConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is given by hand")
    }
}

impl std::error::Error for ReleaseConnection {}
