use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use http::HeaderValue;

use super::*;

/// A server whose every connection is served by `serve`, and its URL.
fn server(serve: impl Fn(TcpStream) + Send + 'static) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    url.parse().unwrap()
}

/// Reads the head of a request; nothing at the end of the stream.
fn head_of(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

fn asked(url: &Url, timeout: Duration) -> Fetch {
    let mut secret = HeaderValue::from_static("hidden");
    secret.set_sensitive(true);
    let headers = HeaderMap::from_iter([(http::HeaderName::from_static("x-secret"), secret)]);
    fetch(&Question { url: url.clone(), headers, looks_at_page: true, timeout }).unwrap()
}

const WIDE: Duration = Duration::from_secs(20);

#[test]
fn an_answer_counts_from_its_headers_on_whatever_becomes_of_its_body() {
    let url = server(|mut stream| {
        head_of(&mut stream);
        stream.write_all(b"HTTP/1.1 201 Made\r\ncontent-length: 50\r\n\r\nnot all").unwrap();
    });
    let fetched = asked(&url, WIDE).end.unwrap();
    assert_eq!((fetched.status.as_u16(), fetched.body.as_slice()), (201, b"not all".as_slice()));
    assert!(fetched.cut.is_some());
    assert!(fetched.legs.answer <= fetched.to_headers);
}

/// Would the body be read, the test would wait for as long as the timeout says.
#[test]
fn a_body_that_nobody_looks_at_is_not_waited_for() {
    let answers = ["HTTP/1.1 503 Busy", "HTTP/1.1 200 OK", "HTTP/1.1 302 x\r\nlocation: http://"];
    for (answer, looks_at_page) in answers.into_iter().zip([true, false, true]) {
        let url = server(move |mut stream| {
            head_of(&mut stream);
            stream
                .write_all(format!("{answer}\r\ncontent-length: 50\r\n\r\nnot all").as_bytes())
                .unwrap();
            std::mem::forget(stream);
        });
        let headers = HeaderMap::new();
        let question = Question { url, headers, looks_at_page, timeout: Duration::from_hours(1) };
        let fetched = fetch(&question).unwrap().end.unwrap();
        assert_eq!((fetched.body.as_slice(), fetched.cut), (b"".as_slice(), None), "{answer}");
    }
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
    let Fetch { hops, end } = asked(&url, Duration::from_hours(1));
    let fetched = end.unwrap();
    assert_eq!((hops.len(), fetched.body.as_slice(), fetched.cut), (1, b"ok".as_slice(), None));
}

#[test]
fn a_page_that_does_not_end_is_looked_at_as_far_as_it_comes_in_two_seconds() {
    let url = server(|mut stream| {
        head_of(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nnot all").unwrap();
        std::mem::forget(stream);
    });
    let fetched = asked(&url, Duration::from_hours(1)).end.unwrap();
    assert_eq!(fetched.body, b"not all");
    assert_eq!(fetched.cut.unwrap(), "its end did not come within 2 s of its headers");
}

#[test]
fn a_body_without_end_is_cut_off_and_its_answer_stands() {
    let url = server(|mut stream| {
        head_of(&mut stream);
        let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let fetched = asked(&url, WIDE).end.unwrap();
    assert!(fetched.body.len() as u64 <= MOST_OF_BODY.0);
    assert!(fetched.cut.unwrap().contains("1 MiB"));
}

#[test]
fn redirects_are_followed_anywhere_and_what_is_sensitive_stays_at_home() {
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
    let Fetch { hops, end } = asked(&url, WIDE);
    let fetched = end.unwrap();
    assert_eq!((fetched.status.as_u16(), &fetched.url), (200, &elsewhere));
    let seen: Vec<_> = hops.iter().map(|hop| (hop.to.path(), hop.left_credentials)).collect();
    assert_eq!(seen, [("/next", false), ("/", true)]);
    // As with Node.js, the connection of a redirect is not used again.
    assert!(hops.iter().all(|hop| hop.legs.connect > Duration::ZERO));
}

#[test]
fn a_circle_of_redirects_ends_without_an_answer() {
    let url = server(|mut stream| {
        head_of(&mut stream);
        let _gone = stream.write_all(b"HTTP/1.1 302 x\r\nlocation: /\r\nconnection: close\r\n\r\n");
    });
    let Fetch { hops, end } = asked(&url, WIDE);
    let unanswered = end.unwrap_err();
    assert_eq!((hops.len(), unanswered.refused.failure), (20, Failure::Redirected));
}

#[test]
fn what_does_not_answer_in_time_is_typed_and_has_its_time() {
    let url = server(std::mem::forget);
    let timeout = Duration::from_millis(60);
    let unanswered = asked(&url, timeout).end.unwrap_err();
    let refused = &unanswered.refused;
    assert_eq!((refused.failure, refused.phase), (Failure::TimedOut, Some(Dimension::FirstByte)));
    assert!(unanswered.after >= timeout);
}

#[test]
fn a_head_that_does_not_come_to_its_end_in_time_is_told_as_that() {
    let url = server(|mut stream| {
        head_of(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
        std::mem::forget(stream);
    });
    let refused = asked(&url, Duration::from_millis(60)).end.unwrap_err().refused;
    assert_eq!(
        (refused.failure, refused.seen.as_str()),
        (Failure::TimedOut, "no whole head within 60 ms")
    );
}

#[test]
fn thousands_of_headers_folds_and_blanks_before_a_colon_are_borne() {
    let many: String = (0..4_000).map(|n| format!("x-{n}: 1\r\n")).collect::<Vec<_>>().concat();
    let url = server(move |mut stream| {
        head_of(&mut stream);
        let answer = format!(
            "HTTP/1.1 200 OK\r\n{many}x-fold: a\r\n\tb\r\nx-blank : c\r\ncontent-length: 0\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let headers = asked(&url, WIDE).end.unwrap().headers;
    assert_eq!(
        (headers.len(), &headers["x-fold"], &headers["x-blank"]),
        (4_003, &"a b".parse().unwrap(), &"c".parse().unwrap())
    );
}

#[test]
fn a_redirect_to_a_url_with_credentials_is_not_followed_and_shows_none() {
    let url = server(|mut stream| {
        head_of(&mut stream);
        let redirect =
            b"HTTP/1.1 302 x\r\nlocation: //zebra:stripes@127.0.0.1:1/x?zebra\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(redirect).unwrap();
    });
    let refused = asked(&url, WIDE).end.unwrap_err().refused;
    assert_eq!(refused.failure, Failure::Redirected);
    assert_eq!(
        refused.seen,
        "302 redirect to http://127.0.0.1:1/x with a user name or password in the URL, which `fetch` does not follow"
    );
}

#[test]
fn addresses_of_ipv4_are_tried_first() {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let found =
        ["[2001:db8::2]:80", "192.0.2.9:80", "[2001:db8::1]:80", "192.0.2.1:80"].map(address);
    let ordered =
        ["192.0.2.9:80", "192.0.2.1:80", "[2001:db8::2]:80", "[2001:db8::1]:80"].map(address);
    assert_eq!(v4_first(found.to_vec()), ordered);
}
