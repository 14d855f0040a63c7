//! A relay between the program and the rehearsal of Fly. It keeps what they say to each other, and
//! can answer in the rehearsal's place.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::bench::read_request;

/// A request, as the relay gets it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path without its query.
    pub(crate) path: String,
    pub(crate) query: String,
    /// The names of its headers in lower case.
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The last segment of the path.
    pub(crate) fn action(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it is a call of the Machines API.
    pub(crate) fn is_api(&self) -> bool {
        self.path.starts_with("/v1/")
    }
}

/// A request and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) request: Request,
    pub(crate) status: u16,
    pub(crate) answer: Vec<u8>,
}

impl Exchange {
    /// The answer's JSON; `null` if it has no body.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.answer).unwrap_or_default()
    }
}

/// An answer of the relay itself: a status, and its JSON.
pub(crate) type Fault = Option<(u16, Value)>;

/// What decides whether the relay answers a request itself.
type Faults = dyn Fn(&Request) -> Fault + Send + Sync;

/// The relay. It lives as long as the test.
pub(crate) struct Relay {
    pub(crate) url: String,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl Relay {
    /// Starts a relay in front of a server. `faults` may answer a request; `None` passes it on.
    pub(crate) fn start(
        server: &str,
        faults: impl Fn(&Request) -> Fault + Send + Sync + 'static,
    ) -> Self {
        let server = server.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let exchanges = Arc::new(Mutex::new(Vec::new()));
        let (kept, faults): (_, Arc<Faults>) = (Arc::clone(&exchanges), Arc::new(faults));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, kept, faults) = (server.clone(), Arc::clone(&kept), faults.clone());
                std::thread::spawn(move || serve(client, &server, &*faults, &kept));
            }
        });
        Self { url, exchanges }
    }

    /// What was said so far.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap().clone()
    }

    /// How many calls of a method had a path that ends so.
    pub(crate) fn count(&self, method: &str, action: &str) -> usize {
        let is_meant =
            |one: &&Exchange| one.request.method == method && one.request.action() == action;
        self.exchanges.lock().unwrap().iter().filter(is_meant).count()
    }
}

/// Serves one connection until it ends.
fn serve(
    mut client: TcpStream,
    server: &str,
    faults: &Faults,
    kept: &Mutex<Vec<Exchange>>,
) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    loop {
        let (head, body) = read_request(&mut reader)?;
        let request = read_head(&head, &body)?;
        let (head, answer) = match faults(&request) {
            Some((status, json)) => {
                let answer = json.to_string().into_bytes();
                let length = answer.len();
                (format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n"), answer)
            }
            None => pass_on(server, &head, &body)?,
        };
        let status = head.split(' ').nth(1)?.parse().ok()?;
        kept.lock().unwrap().push(Exchange { request, status, answer: answer.clone() });
        client.write_all(head.as_bytes()).ok()?;
        client.write_all(&answer).ok()?;
    }
}

fn read_head(head: &str, body: &[u8]) -> Option<Request> {
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let names = lines.filter_map(|line| Some(line.split_once(':')?.0.to_ascii_lowercase()));
    Some(Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: names.collect(),
        body: body.to_vec(),
    })
}

/// The server's answer: its head and its body.
fn pass_on(server: &str, head: &str, body: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(server).ok()?;
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    read_request(&mut BufReader::new(stream))
}
