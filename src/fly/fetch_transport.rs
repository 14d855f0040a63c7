//! The transport over the engine: verified TLS, no token to other origins, bounded answers.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};

use http::header::USER_AGENT;
use http::{HeaderValue, Method, StatusCode};
use url::Url;

use super::clock::SLICE;
use super::transport::{HttpCall, HttpReply, HttpTransport, TransportFailure};
use crate::engine::probe::{self, ConnectionFailure, FetchOutcome, FetchRequest};
use crate::record::Failure;
use crate::units::ByteSize;

/// Maximum size of an answer. A machine with its events has about 10 kB; an app may have hundreds.
const MAX_ANSWER: ByteSize = ByteSize(16 << 20);

/// Sends every request on a new connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct FetchTransport;

impl HttpTransport for FetchTransport {
    fn send(
        &mut self,
        call: &HttpCall,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<HttpReply, TransportFailure> {
        if call.method == Method::GET { read(call, is_stopped) } else { exchange(call) }
    }
}

/// Sends a call that changes nothing. If it is to stop, it is left to end by itself.
fn read(call: &HttpCall, is_stopped: &dyn Fn() -> bool) -> Result<HttpReply, TransportFailure> {
    let (sender, result) = sync_channel(1);
    let own = call.clone();
    std::thread::spawn(move || {
        let _unheard_if_stopped = sender.send(exchange(&own));
    });
    loop {
        match result.recv_timeout(SLICE) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) if is_stopped() => {
                return Err(TransportFailure::Stopped);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(TransportFailure::NoAnswer("the call ended early".to_owned()));
            }
        }
    }
}

fn exchange(call: &HttpCall) -> Result<HttpReply, TransportFailure> {
    let mut headers = call.headers.clone();
    let agent = concat!("tollgate/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    let request = FetchRequest {
        method: call.method.clone(),
        body: call.body.clone(),
        reads_page: true,
        reads_error_page: true,
        max_page: MAX_ANSWER,
        page_patience: call.timeout,
        timeout: Some(call.timeout),
        ..FetchRequest::get(call.url.clone(), headers)
    };
    let outcome =
        probe::fetch(&request).map_err(|error| TransportFailure::NotSent(error.to_string()))?;
    if let Some(host) = refused_redirect(call, &outcome) {
        return Err(TransportFailure::Redirected { host });
    }
    let page = outcome.response.map_err(|failed| describe_failure(&failed))?;
    if !page.is_whole {
        return Err(TransportFailure::NoAnswer("the answer did not arrive whole".to_owned()));
    }
    Ok(HttpReply { status: page.status, headers: page.headers, body: page.body })
}

/// The host of a redirect after which the answer is not one to this request: another origin, which
/// did not get the token, or one that turned a change into a GET.
fn refused_redirect(call: &HttpCall, outcome: &FetchOutcome) -> Option<String> {
    let is_read = call.method == Method::GET;
    let keeps_body = |status: StatusCode| matches!(status.as_u16(), 307 | 308);
    let is_refused =
        |to: &Url, status| to.origin() != call.url.origin() || !(is_read || keeps_body(status));
    let refused = outcome.redirects.iter().find(|step| is_refused(&step.to, step.status))?;
    Some(refused.to.host_str().unwrap_or("another host").to_owned())
}

fn describe_failure(failed: &ConnectionFailure) -> TransportFailure {
    let kind = failed.failure.description();
    let what = match failed.seen.as_str() {
        "" => kind.to_owned(),
        seen if seen.contains(kind) => seen.to_owned(),
        seen => format!("{kind}: {seen}"),
    };
    let was_sent = !matches!(
        failed.failure,
        Failure::Dns | Failure::Refused | Failure::Unreachable | Failure::Proxy | Failure::Tls
    );
    if was_sent { TransportFailure::NoAnswer(what) } else { TransportFailure::NotSent(what) }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, sync_channel};
    use std::time::Duration;

    use bytes::Bytes;
    use http::HeaderMap;
    use http::header::AUTHORIZATION;

    use super::*;

    /// Starts a server that answers every connection with the same bytes; returns its origin and
    /// the requests that it gets.
    fn server(answer: String) -> (String, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = sync_channel(8);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).unwrap_or(0);
                let _ = sender.send(String::from_utf8_lossy(&buffer[..read]).into_owned());
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        (origin, requests)
    }

    fn call(method: Method, url: &str) -> HttpCall {
        let mut token = HeaderValue::from_static("Bearer Zebra");
        token.set_sensitive(true);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, token)]);
        let timeout = Duration::from_secs(20);
        HttpCall { method, url: url.parse().unwrap(), headers, body: Bytes::new(), timeout }
    }

    fn send(call: &HttpCall) -> Result<HttpReply, TransportFailure> {
        FetchTransport.send(call, &|| false)
    }

    #[test]
    fn a_read_without_an_answer_ends_once_calls_are_to_stop() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let looks = Cell::new(0);
        let is_stopped = || looks.replace(looks.get() + 1) >= 1;
        let failure = FetchTransport.send(&call(Method::GET, &origin), &is_stopped).unwrap_err();
        assert_eq!(failure, TransportFailure::Stopped);
    }

    #[test]
    fn an_error_is_an_answer_with_its_headers_and_body() {
        let answer = "HTTP/1.1 409 x\r\nretry-after: 1\r\ncontent-length: 2\r\n\r\n{}".to_owned();
        let (origin, requests) = server(answer);
        let reply = send(&call(Method::POST, &origin)).unwrap();
        assert_eq!((reply.status.as_u16(), reply.body.as_slice()), (409, b"{}".as_slice()));
        assert_eq!(reply.headers["retry-after"], "1");
        let request = requests.recv().unwrap().to_lowercase();
        assert!(request.starts_with("post / http/1.1\r\n"), "{request}");
        for header in ["authorization: bearer zebra", "content-length: 0", "user-agent: tollgate/"]
        {
            assert!(request.contains(header), "{request}");
        }
    }

    #[test]
    fn another_origin_does_not_get_the_token_and_its_answer_is_none() {
        let (other, elsewhere) = server("HTTP/1.1 200 x\r\ncontent-length: 2\r\n\r\n[]".to_owned());
        let answer = format!("HTTP/1.1 302 x\r\nlocation: {other}/\r\ncontent-length: 0\r\n\r\n");
        let (origin, _requests) = server(answer);
        let failure = send(&call(Method::GET, &origin)).unwrap_err();
        let host = "127.0.0.1".to_owned();
        assert_eq!(failure, TransportFailure::Redirected { host });
        assert!(!elsewhere.recv().unwrap().contains("Zebra"));
    }

    #[test]
    fn a_server_that_does_not_listen_got_nothing_and_one_that_closes_may_have() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let failure = send(&call(Method::GET, &origin)).unwrap_err();
        assert!(matches!(failure, TransportFailure::NotSent(_)), "{failure:?}");
        for cut in ["", "HTTP/1.1 200 x\r\ncontent-length: 9\r\n\r\n{"] {
            let (origin, _requests) = server(cut.to_owned());
            let failure = send(&call(Method::GET, &origin)).unwrap_err();
            assert!(matches!(failure, TransportFailure::NoAnswer(_)), "{failure:?}");
        }
    }
}
