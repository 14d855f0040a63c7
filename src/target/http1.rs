//! One connection that speaks HTTP/1.1: hyper where an answer is whole, by hand where it is not.

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

use super::acts::{Performance, perform};
use super::app::{App, Origin, Visit};
use super::body::gather;
use super::by_hand;
use super::page::Reply;
use super::script::Ending;
use super::settings::Farewell;
use super::socket::{Shared, Transport};

/// Serves the connection until it ends.
pub(super) async fn serve<S: Transport>(stream: S, app: &App, connection: u64) {
    let mut stream = Shared::new(stream);
    let answers = Cell::new(0);
    while let Some(performance) = serve_whole(stream.clone(), app, connection, &answers).await {
        if !perform(&mut stream, performance).await {
            return;
        }
    }
}

/// Serves by hyper, until the connection ends or an answer has to be given by hand.
///
/// hyper lets go of a connection without a byte when its service fails. What it may have read beyond the request is
/// lost then, which only concerns a client that does not wait for its answers.
async fn serve_whole<S: Transport>(
    stream: Shared<S>,
    app: &App,
    connection: u64,
    answers: &Cell<u64>,
) -> Option<Performance> {
    let by_hand = Cell::new(None);
    let service = service_fn(|request: Request<Incoming>| {
        answers.set(answers.get() + 1);
        let farewell = app.farewell(answers.get());
        let mut visit = app.receive(Origin { connection, stream: 0 }, &request);
        let (by_hand, method) = (&by_hand, request.method().clone());
        let with_body = visit.wants_body().then(|| Box::new(request));
        async move {
            if let Some(request) = with_body {
                // In a box, so that what this may take makes no other exchange larger.
                Box::pin(take_body(request, app, &mut visit)).await;
            }
            app.hold(&mut visit).await;
            whole(visit.reply, farewell, &method).map_err(|performance| {
                by_hand.set(Some(performance));
                ByHand
            })
        }
    });
    // One buffer for head and body: copying a small page costs less than the kernel's gathering of two pieces.
    let served =
        http1::Builder::new().writev(false).serve_connection(TokioIo::new(stream), service);
    let _ = pin!(served).await;
    by_hand.take()
}

/// Reads the body and has the answer decided by it; where it breaks off, the connection is at its end anyway.
async fn take_body(request: Box<Request<Incoming>>, app: &App, visit: &mut Visit) {
    let (head, mut body) = request.into_parts();
    let next = async || loop {
        match body.frame().await?.map(hyper::body::Frame::into_data) {
            Ok(Ok(piece)) => return Some(Ok(piece)),
            // Trailers are not a part of the body.
            Ok(Err(_)) => {}
            Err(broken) => return Some(Err(broken)),
        }
    };
    if let Ok(body) = gather(next).await {
        app.take_body(visit, &head.headers, body).await;
    }
}

/// The answer as hyper gives it; an error is one that has to be given by hand.
fn whole(
    reply: Reply,
    farewell: Option<Farewell>,
    method: &Method,
) -> Result<Response<Full<Bytes>>, Performance> {
    match (reply, farewell) {
        (Reply::Whole(page), None) => Ok(page.map(Full::new)),
        (Reply::Whole(mut page), Some(Farewell::Polite)) => {
            page.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            Ok(page.map(Full::new))
        }
        (Reply::Whole(page), Some(Farewell::Silent)) => Err(by_hand::last_page(&page, method)),
        (Reply::Steps(script), None) => Err(by_hand::written(script)),
        (Reply::Steps(mut script), Some(Farewell::Polite)) => {
            if script.ending == Ending::Complete {
                script.ending = Ending::Goodbye;
            }
            Err(by_hand::written(script))
        }
        (Reply::Steps(script), Some(Farewell::Silent)) => Err(by_hand::written(script).closing()),
    }
}

/// Tells hyper to let go of the connection.
#[derive(Debug)]
struct ByHand;

impl fmt::Display for ByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is given by hand")
    }
}

impl std::error::Error for ByHand {}
