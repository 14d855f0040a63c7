//! One exchange on an HTTP/2 stream.

use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LINK};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use tokio::sync::mpsc::Sender;

use super::app::{ConnectionOrigin, PendingAnswer, RequestOrigin, TargetApp};
use super::body::gather;
use super::connection_command::{ConnectionCommand, LEAVE};
use super::page::PageReply;
use super::script::{AnswerEnding, AnswerScript, AnswerStep, BodyFraming};
use super::settings::ConnectionEnd;
use super::socket_script::{SocketAction, SocketEnd, SocketScript};

/// What an exchange needs to know about its connection.
pub(super) struct Http2Exchange {
    pub(super) app: Rc<TargetApp>,
    pub(super) connection: ConnectionOrigin,
    /// How the connection ends after this exchange; `None` if it continues.
    pub(super) connection_end: Option<ConnectionEnd>,
    pub(super) commands: Sender<ConnectionCommand>,
}

type H2Result = Result<(), h2::Error>;

impl Http2Exchange {
    /// Answers a request. An error affects only the client, which notices it.
    pub(super) async fn answer(
        self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) {
        let stream = respond.stream_id().as_u32();
        let mut visit =
            self.app.receive(RequestOrigin { connection: self.connection, stream }, &request);
        let (head, mut body) = request.into_parts();
        let gone = poll_fn(|cx| respond.poll_reset(cx));
        tokio::select! {
            biased;
            () = self.work(&mut visit, &head.headers, &mut body) => {}
            _ = gone => return,
        }
        let answered = match visit.reply {
            PageReply::Whole(page) => self.whole(page, &head.method, &mut body, &mut respond).await,
            PageReply::Steps(script) => self.steps(script, &mut body, &mut respond).await,
        };
        drop(answered);
    }

    /// Reads the body if the answer depends on it, and waits until the answer may leave.
    async fn work(&self, visit: &mut PendingAnswer, headers: &HeaderMap, body: &mut RecvStream) {
        if visit.wants_body() {
            // Boxed, so that the size of this future does not enlarge every exchange.
            Box::pin(self.take_body(visit, headers, body)).await;
        }
        self.app.hold(visit).await;
    }

    /// Reads the body and decides the answer from it; if the body breaks off, the stream has ended
    /// anyway.
    async fn take_body(
        &self,
        visit: &mut PendingAnswer,
        headers: &HeaderMap,
        body: &mut RecvStream,
    ) {
        if let Ok(body) = gather(async || next_piece(body).await).await {
            self.app.take_body(visit, headers, body).await;
        }
    }

    async fn whole(
        &self,
        page: Response<Bytes>,
        method: &Method,
        body: &mut RecvStream,
        respond: &mut SendResponse<Bytes>,
    ) -> H2Result {
        drain(body).await?;
        let (mut head, bytes) = page.into_parts();
        if head.status != StatusCode::NO_CONTENT {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
        let without_body = bytes.is_empty() || *method == Method::HEAD;
        let mut send = respond.send_response(Response::from_parts(head, ()), without_body)?;
        if !without_body {
            // h2 buffers what exceeds the window, and a whole page is small.
            send.send_data(bytes, true)?;
        }
        self.part().await;
        Ok(())
    }

    async fn steps(
        &self,
        script: AnswerScript,
        body: &mut RecvStream,
        respond: &mut SendResponse<Bytes>,
    ) -> H2Result {
        let AnswerScript { steps, ending } = script;
        if ending != AnswerEnding::Hang {
            drain(body).await?;
        }
        let (on_stream, on_socket) = split_steps(steps);
        let to_end = matches!(ending, AnswerEnding::Complete | AnswerEnding::Goodbye)
            && on_socket.is_empty();
        let send = play(on_stream, to_end, respond).await?;
        match (ending, send) {
            (AnswerEnding::ResetStream(reason), Some(mut send)) => {
                // h2 discards unsent data when a stream is reset.
                tokio::time::sleep(LEAVE).await;
                send.send_reset(reason);
            }
            (AnswerEnding::ResetStream(reason), None) => respond.send_reset(reason),
            (AnswerEnding::Complete, _) => self.part().await,
            (AnswerEnding::Hang, None) if on_socket.is_empty() => {
                poll_fn(|cx| respond.poll_reset(cx)).await?;
            }
            // The stream must not be dropped before its connection: h2 would reset it.
            (ending, _kept) => self.end(ending, on_socket).await,
        }
        Ok(())
    }

    /// Ends the connection if this exchange is its last.
    async fn part(&self) {
        match self.connection_end {
            Some(ConnectionEnd::Polite) => self.end(AnswerEnding::Goodbye, Vec::new()).await,
            Some(ConnectionEnd::Silent) => self.end(AnswerEnding::Close, Vec::new()).await,
            None => {}
        }
    }

    /// Ends the connection if the ending is not that of a stream.
    async fn end(&self, ending: AnswerEnding, acts: Vec<SocketAction>) {
        let end = match ending {
            AnswerEnding::Close => SocketEnd::Close,
            AnswerEnding::Reset => SocketEnd::Reset,
            AnswerEnding::Hang => SocketEnd::Hang,
            AnswerEnding::Goodbye => {
                return drop(self.commands.send(ConnectionCommand::Goodbye).await);
            }
            AnswerEnding::Complete | AnswerEnding::ResetStream(_) => return,
        };
        let seized = self.commands.send(ConnectionCommand::Seize(SocketScript { acts, end })).await;
        if seized.is_ok() {
            self.commands.closed().await;
        }
    }
}

/// Reads the request's body to its end and discards it.
async fn drain(body: &mut RecvStream) -> H2Result {
    while let Some(piece) = next_piece(body).await {
        piece?;
    }
    Ok(())
}

/// The next piece of a request's body; reading it opens the window for another.
async fn next_piece(body: &mut RecvStream) -> Option<Result<Bytes, h2::Error>> {
    let piece = body.data().await?;
    let released = |piece: Bytes| body.flow_control().release_capacity(piece.len()).map(|()| piece);
    Some(piece.and_then(released))
}

/// The steps for the stream, and the actions on the socket after them.
fn split_steps(steps: Vec<AnswerStep>) -> (Vec<AnswerStep>, Vec<SocketAction>) {
    let (mut on_stream, mut on_socket) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            AnswerStep::Wire(act) => on_socket.push(act),
            step => on_stream.push(step),
        }
    }
    (on_stream, on_socket)
}

/// Sends the steps of a script on its stream; with `to_end` the last one ends the stream.
async fn play(
    steps: Vec<AnswerStep>,
    to_end: bool,
    respond: &mut SendResponse<Bytes>,
) -> Result<Option<SendStream<Bytes>>, h2::Error> {
    let mut send = None;
    let mut left = steps.len();
    for step in steps {
        left -= 1;
        let last = to_end && left == 0;
        match (step, &mut send) {
            (AnswerStep::Interim, _) => respond.send_informational(interim())?,
            (AnswerStep::Head(framing), _) => {
                send = Some(respond.send_response(head(framing), last)?);
            }
            (AnswerStep::Piece(bytes), Some(send)) => send.send_data(bytes, last)?,
            (AnswerStep::Trickle { bytes, every }, Some(send)) => {
                let mut left = bytes.len();
                for byte in bytes {
                    tokio::time::sleep(every).await;
                    left -= 1;
                    send.send_data(Bytes::copy_from_slice(&[byte]), last && left == 0)?;
                }
            }
            (AnswerStep::Forever { piece, every }, Some(send)) => loop {
                send_when_wanted(send, piece.clone()).await?;
                pause(every).await;
            },
            (AnswerStep::Trailers, Some(send)) => send.send_trailers(trailers())?,
            // A body cannot precede its head, and the actions on the socket were split off before.
            (_, None) | (AnswerStep::Wire(_), _) => {}
        }
    }
    Ok(send)
}

/// Sends a piece as the client's window allows, so that an endless body does not fill memory.
async fn send_when_wanted(send: &mut SendStream<Bytes>, mut piece: Bytes) -> H2Result {
    while !piece.is_empty() {
        send.reserve_capacity(piece.len());
        // The end of capacities is the end of the stream.
        let Some(room) = poll_fn(|cx| send.poll_capacity(cx)).await else {
            return Err(h2::Reason::CANCEL.into());
        };
        let part = piece.split_to(room?.min(piece.len()));
        send.send_data(part, false)?;
    }
    Ok(())
}

async fn pause(every: Duration) {
    if every > Duration::ZERO {
        tokio::time::sleep(every).await;
    } else {
        tokio::task::yield_now().await;
    }
}

fn interim() -> Response<()> {
    let mut interim = Response::new(());
    *interim.status_mut() = StatusCode::EARLY_HINTS;
    interim.headers_mut().insert(LINK, HeaderValue::from_static("</style.css>; rel=preload"));
    interim
}

fn head(framing: BodyFraming) -> Response<()> {
    let mut head = Response::new(());
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    head.headers_mut().insert(CONTENT_TYPE, text);
    if let BodyFraming::Length(length) = framing {
        head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    head
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(HeaderName::from_static("x-checked"), HeaderValue::from_static("yes"))])
}
