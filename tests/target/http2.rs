//! The rehearsal target over HTTP/2, tested with the h2 crate, so that its faults are checked
//! independently of the prober.

use std::future::poll_fn;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::net::TcpStream;
use tollgate::target::{BackgroundTarget, TargetSettings};

use super::{host, start};

type Client = SendRequest<Bytes>;

/// A connection, and the error it ends with.
async fn connect(
    target: &BackgroundTarget,
) -> (Client, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let stream = TcpStream::connect(host(target)).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    (client, tokio::spawn(connection))
}

async fn ask(client: &Client, method: &str, path: &str) -> Result<Response<RecvStream>, h2::Error> {
    let mut client = client.clone().ready().await?;
    let uri = format!("http://localhost{path}");
    let request = Request::builder().method(method).uri(uri).body(()).unwrap();
    client.send_request(request, true)?.0.await
}

/// Status, body and trailers of an answer; reading it opens its window.
async fn read(response: Response<RecvStream>) -> Result<(u16, String, bool), h2::Error> {
    let (head, mut body) = response.into_parts();
    let mut text = Vec::new();
    while let Some(bytes) = body.data().await {
        let bytes = bytes?;
        body.flow_control().release_capacity(bytes.len())?;
        text.extend(bytes);
    }
    let trailers = body.trailers().await?.is_some_and(|trailers| trailers["x-checked"] == "yes");
    Ok((head.status.as_u16(), String::from_utf8_lossy(&text).into_owned(), trailers))
}

async fn get(client: &Client, path: &str) -> Result<(u16, String, bool), h2::Error> {
    read(ask(client, "GET", path).await?).await
}

/// Summarises the failure of a fault: which side ended what, and why.
fn failure_name(error: &h2::Error) -> String {
    let what = match () {
        () if error.is_io() => return "closed".to_owned(),
        () if error.is_go_away() && error.is_remote() => "told to go away",
        () if error.is_reset() && error.is_remote() => "stream reset",
        () => "refused by the client",
    };
    format!("{what}: {:?}", error.reason().unwrap())
}

#[tokio::test]
async fn one_connection_carries_every_good_page() {
    let target = start(&[]);
    let (client, _connection) = connect(&target).await;
    for (path, status, text) in [
        ("/health", 200, r#"{"status":"ok"}"#),
        ("/chunked", 200, "one, two, three\n"),
        ("/early-hints", 200, "and a 200\n"),
        ("/trailers", 200, "and a trailer\n"),
        ("/no-content", 204, ""),
        ("/redirect?n=0", 200, "arrived\n"),
        ("/nowhere", 404, "Not Found\n"),
        ("/redirect?n=101", 400, "n=101 is not accepted; write a number from 0 to 100\n"),
        ("/until-close", 404, "/until-close is available only over HTTP/1.1.\n"),
        ("/fault/slow-body?bytes=3&every=1ms", 200, "..."),
    ] {
        let trailers = path == "/trailers";
        assert_eq!(
            get(&client, path).await.unwrap(),
            (status, text.to_owned(), trailers),
            "{path}"
        );
    }
    assert_eq!(get(&client, "/plain").await.unwrap().1.len(), 1024);
    assert!(get(&client, "/app?mock=1").await.unwrap().1.contains("tile-ops-metrics"));
    let head = ask(&client, "HEAD", "/plain").await.unwrap();
    assert_eq!(head.headers()["content-length"], "1024");
    assert!(head.body().is_end_stream());
    assert_eq!(read(ask(&client, "HEAD", "/chunked").await.unwrap()).await.unwrap().1, "");
    assert_eq!(ask(&client, "POST", "/app").await.unwrap().status(), 405);
}

/// Sends a body in pieces of at most 64 KiB; returns status and text of the answer.
async fn post(client: &Client, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut client = client.clone().ready().await.unwrap();
    let request = Request::post(format!("http://localhost{path}"));
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let (response, mut send) = client.send_request(request.body(()).unwrap(), false).unwrap();
    let mut body = Bytes::copy_from_slice(body.as_bytes());
    while !body.is_empty() {
        send.reserve_capacity(body.len());
        let room = poll_fn(|cx| send.poll_capacity(cx)).await.unwrap().unwrap();
        send.send_data(body.split_to(room.min(body.len())), false).unwrap();
    }
    send.send_data(Bytes::new(), true).unwrap();
    let (status, text, _) = read(response.await.unwrap()).await.unwrap();
    (status, text)
}

#[tokio::test]
async fn streams_read_bodies_that_affect_the_answer() {
    let target = start(&[]);
    let (client, _connection) = connect(&target).await;
    let log = "/functions/v1/occ-log";
    let bearer = [("authorization", "Bearer rehearsal-anon")];
    let line = |length| format!(r#"{{"level":"info","message":"{}"}}"#, "x".repeat(length));
    assert_eq!(
        post(&client, log, &bearer, &line(60_000)).await,
        (200, r#"{"ok":true}"#.to_owned())
    );
    assert_eq!(post(&client, log, &bearer, "{").await.0, 400);
    assert_eq!(post(&client, log, &bearer, &line(1 << 20)).await.0, 413);
    assert_eq!(post(&client, log, &[], &line(1)).await.0, 401);
    let both = [("accept", "application/json, text/event-stream")];
    let (status, text) =
        post(&client, "/mcp", &both, r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#).await;
    assert!(status == 200 && text.contains("2025-06-18"), "{status} {text}");
    assert!(get(&client, "/api").await.unwrap().1.contains("4.6.0"));
    assert_eq!(ask(&client, "GET", "/mcp").await.unwrap().headers()["allow"], "POST");
    assert!(
        ask(&client, "GET", "/app")
            .await
            .unwrap()
            .headers()
            .contains_key("content-security-policy")
    );
}

#[tokio::test]
async fn a_broken_stream_does_not_affect_other_streams() {
    let target = start(&[]);
    let (client, _connection) = connect(&target).await;
    for (path, expected) in [
        ("/fault/reset-stream", "stream reset: INTERNAL_ERROR"),
        ("/fault/reset-stream-body", "stream reset: INTERNAL_ERROR"),
        ("/fault/refused-stream", "stream reset: REFUSED_STREAM"),
        ("/fault/short", "refused by the client: PROTOCOL_ERROR"),
        ("/fault/long", "refused by the client: PROTOCOL_ERROR"),
    ] {
        let error = get(&client, path).await.unwrap_err();
        assert_eq!(failure_name(&error), expected, "{path}");
        assert_eq!(get(&client, "/health").await.unwrap().0, 200, "after {path}");
    }
}

#[tokio::test]
async fn a_reset_in_the_body_comes_after_its_beginning() {
    let target = start(&[]);
    let (client, _connection) = connect(&target).await;
    let mut body = ask(&client, "GET", "/fault/reset-stream-body").await.unwrap().into_body();
    assert_eq!(body.data().await.unwrap().unwrap().len(), 512);
    assert!(body.data().await.unwrap().unwrap_err().is_reset());
}

#[tokio::test]
async fn a_broken_connection_fails_only_its_exchange() {
    let target = start(&[]);
    for (path, expected) in [
        ("/fault/reset", "closed"),
        ("/fault/reset-body", "closed"),
        ("/fault/close", "closed"),
        ("/fault/truncated", "closed"),
        ("/fault/goaway", "told to go away: INTERNAL_ERROR"),
        ("/fault/goaway-body", "closed"),
        ("/fault/protocol-error", "refused by the client: PROTOCOL_ERROR"),
        ("/fault/garbage", "refused by the client: FRAME_SIZE_ERROR"),
        ("/fault/endless-headers", "refused by the client: ENHANCE_YOUR_CALM"),
    ] {
        let (client, _connection) = connect(&target).await;
        assert_eq!(get(&client, "/health").await.unwrap().0, 200, "before {path}");
        let error = get(&client, path).await.unwrap_err();
        assert_eq!(failure_name(&error), expected, "{path}: {error}");
        let (client, _connection) = connect(&target).await;
        assert_eq!(get(&client, "/health").await.unwrap().0, 200, "after {path}");
    }
}

#[tokio::test]
async fn an_endless_answer_does_not_block_other_streams() {
    let target = start(&[]);
    let (client, _connection) = connect(&target).await;
    let hanging = tokio::spawn(
        client
            .clone()
            .ready()
            .await
            .unwrap()
            .send_request(Request::get("http://localhost/fault/hang").body(()).unwrap(), true)
            .unwrap()
            .0,
    );
    let mut endless = ask(&client, "GET", "/fault/endless").await.unwrap().into_body();
    let mut received = 0;
    while received < 1 << 20 {
        let bytes = endless.data().await.unwrap().unwrap();
        endless.flow_control().release_capacity(bytes.len()).unwrap();
        received += bytes.len();
    }
    drop(endless);
    assert_eq!(get(&client, "/health").await.unwrap().0, 200);
    assert!(!hanging.is_finished());
    hanging.abort();
}

#[tokio::test]
async fn a_window_that_is_never_opened_stops_an_upload_at_64_kib() {
    let target = start(&[]);
    let (client, _connection) = connect(&target).await;
    let mut ready = client.clone().ready().await.unwrap();
    let request = Request::post("http://localhost/fault/no-window").body(()).unwrap();
    let (answer, mut upload) = ready.send_request(request, false).unwrap();
    upload.reserve_capacity(1 << 20);
    let mut sent = 0;
    while sent < 65_535 {
        let room = poll_fn(|cx| upload.poll_capacity(cx)).await.unwrap().unwrap();
        upload.send_data(Bytes::from(vec![b'.'; room]), false).unwrap();
        sent += room;
    }
    assert_eq!(sent, 65_535, "the window of HTTP/2's start, and no more");
    assert_eq!(upload.capacity(), 0);
    upload.send_reset(Reason::CANCEL);
    assert!(answer.await.is_err());
    assert_eq!(get(&client, "/health").await.unwrap().0, 200);
}

#[tokio::test]
async fn a_graceful_goaway_lets_the_answer_finish() {
    for (flags, path) in [(&[][..], "/goodbye"), (&["--close-every", "1"], "/plain")] {
        let target = start(flags);
        let (client, connection) = connect(&target).await;
        assert_eq!(get(&client, path).await.unwrap().0, 200);
        connection.await.unwrap().unwrap();
        let error = get(&client, path).await.unwrap_err();
        assert!(
            error.is_go_away() && error.reason() == Some(Reason::NO_ERROR),
            "{path}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_silent_close_follows_the_last_answer_without_goaway() {
    let target = start(&["--close-every", "2", "--close-silently"]);
    let (client, connection) = connect(&target).await;
    for path in ["/plain", "/chunked"] {
        assert_eq!(get(&client, path).await.unwrap().0, 200);
    }
    let _ended = connection.await.unwrap();
    let error = get(&client, "/plain").await.unwrap_err();
    assert!(!error.is_go_away(), "{error:?}");
}

#[tokio::test]
async fn the_server_announces_its_stream_limit() {
    let target = start(&["--max-streams", "3"]);
    let (client, _connection) = connect(&target).await;
    get(&client, "/health").await.unwrap();
    assert_eq!(client.current_max_send_streams(), 3);
}

#[tokio::test]
async fn the_arrival_log_records_http_2() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let target = start(&["--arrival-log", file.path().to_str().unwrap()]);
    let (client, _connection) = connect(&target).await;
    get(&client, "/plain").await.unwrap();
    get(&client, "/health").await.unwrap();
    tokio::task::spawn_blocking(|| target.stop()).await.unwrap().unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    let lines: Vec<&str> =
        text.lines().skip(1).map(|line| line.split_once('\t').unwrap().1).collect();
    assert_eq!(lines, ["1\t/plain\t0\t2", "1\t/health\t0\t2"]);
}

#[tokio::test]
async fn a_target_restricted_to_one_version_does_not_speak_the_other() {
    let target = start(&["--http", "1.1"]);
    let (client, _connection) = connect(&target).await;
    assert!(get(&client, "/health").await.is_err());
    let target = start(&["--http", "2"]);
    let (client, _connection) = connect(&target).await;
    assert_eq!(get(&client, "/health").await.unwrap().0, 200);
}

#[test]
fn a_fault_of_one_version_requires_that_version() {
    let refusal = |flags: &[&str]| {
        let refused =
            tollgate::target::TargetServer::bind(&TargetSettings::from_flags(flags).unwrap())
                .err()
                .unwrap();
        assert!(refused.is_usage());
        refused.to_string()
    };
    assert!(refusal(&["--fault", "goaway"]).contains("add --http 2"));
    assert!(refusal(&["--fault", "bad-chunk", "--http", "2"]).contains("add --http 1.1"));
    start(&["--fault", "goaway", "--http", "2"]).stop().unwrap();
}

#[tokio::test]
async fn boots_and_stalls_hold_every_stream_alike() {
    let started = super::now();
    let flags =
        ["--stall", "299999us", "--every", "300ms", "--cold-after", "1h", "--cold-start", "50ms"];
    let target = start(&flags);
    let (client, _connection) = connect(&target).await;
    let answers = ["/plain", "/app?mock=1", "/chunked"].map(|path| {
        let client = client.clone();
        tokio::spawn(async move { get(&client, path).await.unwrap().0 })
    });
    for answer in answers {
        assert_eq!(answer.await.unwrap(), 200);
        assert!(started.elapsed() >= std::time::Duration::from_millis(299));
    }
}
