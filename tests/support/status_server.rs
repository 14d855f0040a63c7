//! A server that answers every request with one status, which a test changes.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

/// A server that answers with the current status and an empty body.
pub(crate) struct StatusServer {
    pub(crate) base_url: String,
    status: Arc<AtomicU16>,
    answered: Arc<AtomicU64>,
}

impl StatusServer {
    /// Starts it; it answers with 200.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let status = Arc::new(AtomicU16::new(200));
        let answered = Arc::default();
        let (current, counted) = (Arc::clone(&status), Arc::clone(&answered));
        std::thread::spawn(move || answer(&listener, &current, &counted));
        Self { base_url, status, answered }
    }

    /// The number of requests so far.
    #[allow(dead_code, reason = "each test crate needs another part of it")]
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    /// Changes the status of all answers from now on.
    pub(crate) fn set(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

fn answer(listener: &TcpListener, status: &AtomicU16, answered: &AtomicU64) {
    for mut stream in listener.incoming().flatten() {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
            head.push(byte[0]);
        }
        let status = status.load(Ordering::SeqCst);
        let answer =
            format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        answered.fetch_add(1, Ordering::SeqCst);
        let _gone = stream.write_all(answer.as_bytes());
    }
}
