use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use http::HeaderValue;

use super::*;

/// Starts a server that serves every connection with `serve`; returns its URL.
fn server(serve: impl Fn(TcpStream) + Send + 'static) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    url.parse().unwrap()
}

/// Reads the head of a request; empty at the end of the stream.
fn head_of(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

fn fetch_url(url: &Url, timeout: Duration) -> FetchOutcome {
    let mut secret = HeaderValue::from_static("hidden");
    secret.set_sensitive(true);
    let headers = HeaderMap::from_iter([(http::HeaderName::from_static("x-secret"), secret)]);
    let request = FetchRequest::get(url.clone(), headers);
    fetch(&FetchRequest { reads_page: true, timeout: Some(timeout), ..request }).unwrap()
}

const WIDE: Duration = Duration::from_secs(20);

#[test]
fn an_answer_counts_once_its_headers_arrive_even_if_its_body_breaks_off() {
    let url = server(|mut stream| {
        head_of(&mut stream);
        stream.write_all(b"HTTP/1.1 201 Made\r\ncontent-length: 50\r\n\r\nnot all").unwrap();
    });
    let fetched = fetch_url(&url, WIDE).response.unwrap();
    assert_eq!((fetched.status.as_u16(), fetched.body.as_slice()), (201, b"not all".as_slice()));
    assert!(!fetched.is_whole);
}

/// Reading the body would hang the test.
#[test]
fn a_body_that_is_not_needed_is_not_awaited() {
    let answers = ["HTTP/1.1 503 Busy", "HTTP/1.1 200 OK", "HTTP/1.1 302 x\r\nlocation: http://"];
    for (answer, reads_page) in answers.into_iter().zip([true, false, true]) {
        let url = server(move |mut stream| {
            head_of(&mut stream);
            stream
                .write_all(format!("{answer}\r\ncontent-length: 50\r\n\r\nnot all").as_bytes())
                .unwrap();
            std::mem::forget(stream);
        });
        let request = FetchRequest { reads_page, ..FetchRequest::get(url, HeaderMap::new()) };
        let fetched = fetch(&request).unwrap().response.unwrap();
        assert_eq!(fetched.body, b"", "{answer}");
    }
}

#[test]
fn the_body_and_the_headers_of_an_error_are_read_if_the_request_asks_for_them() {
    let url = server(|mut stream| {
        head_of(&mut stream);
        let head = "HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 4";
        stream.write_all(format!("{head}\r\n\r\nbusy").as_bytes()).unwrap();
    });
    let request = FetchRequest {
        reads_error_page: true,
        page_patience: WIDE,
        ..FetchRequest::get(url, HeaderMap::new())
    };
    let fetched = fetch(&request).unwrap().response.unwrap();
    assert_eq!((fetched.body.as_slice(), fetched.is_whole), (b"busy".as_slice(), true));
    assert_eq!(fetched.headers["retry-after"], "7");
}

#[test]
fn a_redirect_whose_body_does_not_end_is_followed_at_its_head() {
    let url = server(|mut stream| {
        let is_first = head_of(&mut stream).starts_with("GET / ");
        let redirect =
            "HTTP/1.1 302 x\r\nlocation: /next\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n";
        let answer =
            if is_first { redirect } else { "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok" };
        stream.write_all(answer.as_bytes()).unwrap();
        std::mem::forget(stream);
    });
    let FetchOutcome { redirects, response, .. } = fetch_url(&url, Duration::from_hours(1));
    let fetched = response.unwrap();
    assert_eq!(
        (redirects.len(), fetched.body.as_slice(), fetched.is_whole),
        (1, b"ok".as_slice(), true)
    );
}

#[test]
fn a_page_that_does_not_end_is_read_for_two_seconds() {
    let url = server(|mut stream| {
        head_of(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nnot all").unwrap();
        std::mem::forget(stream);
    });
    let fetched = fetch_url(&url, Duration::from_hours(1)).response.unwrap();
    assert_eq!(fetched.body, b"not all");
    assert!(!fetched.is_whole);
}

#[test]
fn a_body_without_end_is_cut_off_and_its_answer_stands() {
    let url = server(|mut stream| {
        head_of(&mut stream);
        let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let fetched = fetch_url(&url, WIDE).response.unwrap();
    assert!(fetched.body.len() as u64 <= MAX_BODY.0);
    assert!(!fetched.is_whole);
}

#[test]
fn redirects_are_followed_to_any_host_and_sensitive_headers_stay_with_their_origin() {
    let elsewhere = server(|mut stream| {
        let found = if head_of(&mut stream).contains("hidden") { 500 } else { 200 };
        let answer = format!("HTTP/1.1 {found} x\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let leads_to = elsewhere.clone();
    let url = server(move |mut stream| {
        let mut head = head_of(&mut stream);
        while !head.is_empty() {
            let to = if head.starts_with("GET /next ") { leads_to.as_str() } else { "/next" };
            let answer = format!("HTTP/1.1 302 x\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
            head = head_of(&mut stream);
        }
    });
    let FetchOutcome { redirects, response, url: last, .. } = fetch_url(&url, WIDE);
    assert_eq!((response.unwrap().status.as_u16(), &last), (200, &elsewhere));
    let paths: Vec<_> = redirects.iter().map(|redirect| redirect.to.path()).collect();
    assert_eq!(paths, ["/next", "/"]);
}

#[test]
fn a_redirect_loop_ends_without_an_answer() {
    let url = server(|mut stream| {
        head_of(&mut stream);
        let _gone = stream.write_all(b"HTTP/1.1 302 x\r\nlocation: /\r\nconnection: close\r\n\r\n");
    });
    let FetchOutcome { redirects, response, .. } = fetch_url(&url, WIDE);
    assert_eq!((redirects.len(), response.unwrap_err().failure), (20, Failure::Redirected));
}

#[test]
fn a_timeout_has_a_typed_failure_and_its_duration() {
    let url = server(std::mem::forget);
    let timeout = Duration::from_millis(60);
    let outcome = fetch_url(&url, timeout);
    let refused = outcome.response.unwrap_err();
    assert_eq!((refused.failure, refused.phase), (Failure::TimedOut, Some(Dimension::FirstByte)));
    assert!(outcome.elapsed >= timeout);
}

#[test]
fn a_body_is_sent_whole_and_stays_with_its_origin() {
    let (arrived, bodies) = std::sync::mpsc::sync_channel(4);
    let server = move |redirects_to: Option<Url>| {
        let arrived = arrived.clone();
        server(move |mut stream| {
            head_of(&mut stream);
            let mut body = [0; 5];
            stream.read_exact(&mut body).unwrap();
            arrived.send(body).unwrap();
            let to = redirects_to.as_ref().map(|to| format!("location: {to}\r\n"));
            let status = if to.is_some() { "307 x" } else { "201 x" };
            let to = to.unwrap_or_default();
            let answer = format!("HTTP/1.1 {status}\r\n{to}content-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        })
    };
    let here = server(None);
    let post = |url: Url| FetchRequest {
        method: Method::POST,
        body: Bytes::from_static(b"hello"),
        timeout: Some(WIDE),
        ..FetchRequest::get(url, HeaderMap::new())
    };
    let answered = fetch(&post(here.clone())).unwrap().response.unwrap();
    assert_eq!((answered.status.as_u16(), bodies.recv().unwrap()), (201, *b"hello"));
    let refused = fetch(&post(server(Some(here)))).unwrap().response.unwrap_err();
    assert_eq!((refused.failure, bodies.recv().unwrap()), (Failure::Redirected, *b"hello"));
    assert!(bodies.try_recv().is_err());
}

#[test]
fn ipv4_addresses_are_tried_first() {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let found =
        ["[2001:db8::2]:80", "192.0.2.9:80", "[2001:db8::1]:80", "192.0.2.1:80"].map(address);
    let ordered =
        ["192.0.2.9:80", "192.0.2.1:80", "[2001:db8::2]:80", "[2001:db8::1]:80"].map(address);
    assert_eq!(sort_ipv4_first(found.to_vec()), ordered);
}
