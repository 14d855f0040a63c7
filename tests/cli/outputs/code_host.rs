//! A small code host that keeps the comments of one pull request, as GitHub's API does. It is also
//! a collector that takes metrics.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::bench::{read_request, text};

/// The comments, and the heads and bodies of the requests that came.
#[derive(Default)]
struct HostState {
    comments: Vec<String>,
    requests: Vec<String>,
    bodies: Vec<Vec<u8>>,
}

/// A code host on a port of its own.
pub(crate) struct FakeCodeHost {
    pub(crate) url: String,
    state: Arc<Mutex<HostState>>,
}

impl FakeCodeHost {
    /// Starts a host that serves every request, or answers each with a status other than 200.
    pub(crate) fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<Mutex<HostState>>::default();
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _closed = serve(stream, status, &served);
            }
        });
        Self { url, state }
    }

    /// Adds comments of other people.
    pub(super) fn add_comments(&self, count: usize) {
        let comments = (0..count).map(|number| format!("comment {number}"));
        self.state.lock().unwrap().comments.extend(comments);
    }

    pub(super) fn comments(&self) -> Vec<String> {
        self.state.lock().unwrap().comments.clone()
    }

    /// The bodies of the requests that came.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        self.state.lock().unwrap().bodies.clone()
    }

    /// The heads of the requests that came.
    pub(super) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }
}

fn serve(mut stream: TcpStream, status: u16, state: &Mutex<HostState>) -> Option<()> {
    let mut read = BufReader::new(stream.try_clone().ok()?);
    let (head, body) = read_request(&mut read)?;
    let mut state = state.lock().unwrap();
    let answer = if status == 200 { answer(&head, &body, &mut state.comments) } else { json!({}) };
    state.requests.push(head);
    state.bodies.push(body);
    let answer = answer.to_string();
    let moved = if status == 301 { "location: /elsewhere\r\n" } else { "" };
    let length = answer.len();
    let head = format!("HTTP/1.1 {status} x\r\n{moved}content-length: {length}\r\n\r\n");
    stream.write_all((head + &answer).as_bytes()).ok()
}

fn answer(head: &str, body: &[u8], comments: &mut Vec<String>) -> Value {
    let (method, path) = head.split_once(' ').unwrap();
    let path = path.split(' ').next().unwrap();
    let sent = || serde_json::from_str::<Value>(&text(body)).unwrap()["body"].clone();
    let sent = || sent().as_str().unwrap().to_owned();
    match method {
        "GET" => {
            let page: usize = path.rsplit("&page=").next().unwrap().parse().unwrap();
            let listed = comments.iter().enumerate().skip((page - 1) * 100).take(100);
            listed.map(|(at, body)| json!({ "id": at + 1, "body": body })).collect()
        }
        "POST" if path == "/v1/metrics" => json!({}),
        "POST" => {
            comments.push(sent());
            json!({})
        }
        _ => {
            let id: usize = path.rsplit('/').next().unwrap().parse().unwrap();
            comments[id - 1] = sent();
            json!({})
        }
    }
}
