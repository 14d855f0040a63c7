//! A server that answers every request with one status, which a test changes.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A server that answers with the current status and an empty body.
pub(crate) struct StatusServer {
    pub(crate) base_url: String,
    status: Arc<AtomicU16>,
    requests: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl StatusServer {
    /// Starts it; it answers with 200.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let status = Arc::new(AtomicU16::new(200));
        let requests = Arc::default();
        let (current, kept) = (Arc::clone(&status), Arc::clone(&requests));
        std::thread::spawn(move || answer(&listener, &current, &kept));
        Self { base_url, status, requests }
    }

    /// The number of requests so far.
    #[allow(dead_code, reason = "each test crate needs another part of it")]
    pub(crate) fn answered(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// When the requests came whose head contains a line, in their order.
    #[allow(dead_code, reason = "each test crate needs another part of it")]
    pub(crate) fn times(&self, line: &str) -> Vec<Instant> {
        let requests = self.requests.lock().unwrap();
        let of_line = requests.iter().filter(|(_, head)| head.lines().any(|one| one == line));
        of_line.map(|(time, _)| *time).collect()
    }

    /// Changes the status of all answers from now on.
    pub(crate) fn set(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

#[allow(clippy::disallowed_methods, reason = "a server has no clock that a test advances")]
fn answer(listener: &TcpListener, status: &AtomicU16, requests: &Mutex<Vec<(Instant, String)>>) {
    for mut stream in listener.incoming().flatten() {
        let (came, mut head, mut byte) = (Instant::now(), Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
            head.push(byte[0]);
        }
        let status = status.load(Ordering::SeqCst);
        let answer =
            format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        requests.lock().unwrap().push((came, String::from_utf8_lossy(&head).into_owned()));
        let _gone = stream.write_all(answer.as_bytes());
    }
}
