//! The scripted HTTP/1.1 answers of the rehearsal target, byte by byte.

use std::io::{Read, Write};
use std::net::TcpStream;

use tollgate::target::BackgroundTarget;

use super::{Client, host, start};

/// Sends these requests on one connection and returns all bytes received until it ends.
fn all(target: &BackgroundTarget, requests: &[&str]) -> String {
    let mut stream = TcpStream::connect(host(target)).unwrap();
    for (number, request) in requests.iter().enumerate() {
        let last = if number + 1 == requests.len() { "connection: close\r\n" } else { "" };
        stream
            .write_all(format!("{request} HTTP/1.1\r\nhost: localhost\r\n{last}\r\n").as_bytes())
            .unwrap();
        if number + 1 < requests.len() {
            // Scripted answers do not wait for pipelined requests.
            await_bytes(&stream);
        }
    }
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn await_bytes(stream: &TcpStream) {
    assert!(stream.peek(&mut [0]).unwrap() > 0);
}

#[test]
fn hints_and_trailers_follow_the_standard() {
    let target = start(&[]);
    let hints = all(&target, &["GET /early-hints", "GET /health"]);
    let (first, second) = hints.split_once("\r\n\r\n").unwrap();
    assert!(first.starts_with("HTTP/1.1 103 Early Hints\r\nlink: "), "{first}");
    assert!(
        second.starts_with("HTTP/1.1 200 OK\r\n") && second.contains("\r\n\r\nand a 200\n"),
        "{second}"
    );
    assert!(second.ends_with(r#"{"status":"ok"}"#), "the connection went on: {second}");
    let trailers = all(&target, &["GET /trailers", "GET /health"]);
    assert!(
        trailers
            .contains("\r\n\r\ne\r\nand a trailer\n\r\n0\r\nx-checked: yes\r\n\r\nHTTP/1.1 200")
    );
}

#[test]
fn the_answer_to_head_ends_with_its_head() {
    let target = start(&[]);
    let answers = all(&target, &["HEAD /chunked", "GET /health"]);
    assert!(answers.contains("chunked\r\n\r\nHTTP/1.1 200 OK"), "{answers}");
}

#[test]
fn a_long_answer_is_followed_by_what_looks_like_another() {
    let target = start(&[]);
    let answers = all(&target, &["GET /fault/long", "GET /health"]);
    assert!(
        answers.contains("content-length: 5\r\n\r\nhelloHTTP/1.1 500 Surplus\r\n"),
        "{answers}"
    );
}

#[test]
fn a_connection_announces_its_end_unless_set_otherwise() {
    for (flags, expected) in [
        (&["--close-every", "2"][..], Some("close")),
        (&["--close-every", "2", "--close-silently"], None),
    ] {
        let target = start(flags);
        let mut client = Client::connect(&target);
        assert_eq!(client.get("/plain").header("connection"), None);
        let last = client.get("/plain");
        assert_eq!((last.status, last.body.len()), (200, 1024));
        assert_eq!(last.header("connection"), expected);
        assert_eq!(client.0.read(&mut [0]).unwrap(), 0, "closed after its last answer");
    }
}

#[test]
fn a_fault_by_flag_is_drawn_from_the_seed_and_spoils_its_share() {
    let spoilt = |seed: &str| -> Vec<bool> {
        let target = start(&["--fault", "wrong-status", "--fault-rate", "30%", "--seed", seed]);
        let mut client = Client::connect(&target);
        assert_eq!(client.get("/plain").status, 200, "only the tile loader's pages");
        (0..200).map(|_| client.get("/app?mock=1").status == 500).collect()
    };
    let first = spoilt("7");
    assert_eq!(first, spoilt("7"));
    assert_ne!(first, spoilt("8"));
    assert!((30..=90).contains(&first.iter().filter(|&&spoilt| spoilt).count()));
}

#[test]
fn a_chain_of_redirects_has_the_requested_length_and_status() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    let mut path = "/redirect?n=3&status=307".to_owned();
    let mut hops = 0;
    let landed = loop {
        let answer = client.get(&path);
        if answer.status == 200 {
            break answer;
        }
        assert_eq!(answer.status, 307);
        answer.header("location").unwrap().clone_into(&mut path);
        hops += 1;
    };
    assert_eq!((hops, landed.body.as_str()), (3, "arrived\n"));
    assert_eq!(client.get("/redirect?status=200").status, 400);
}

#[test]
fn the_version_is_chosen_after_the_whole_first_line() {
    let target = start(&[]);
    for (first, second) in [("P", "OST /health"), ("PR", "OPFIND /health"), ("G", "ET /health")] {
        let mut stream = TcpStream::connect(host(&target)).unwrap();
        stream.write_all(first.as_bytes()).unwrap();
        let rest = format!("{second} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(rest.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 "), "{first}{second}: {text}");
    }
}
