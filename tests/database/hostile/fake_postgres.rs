//! A server that speaks Postgres' protocol in raw bytes, and breaks it where a test says so.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Where a dialogue leaves the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The answer on whether there is TLS.
    Tls,
    /// The answer to the first message of the login.
    Login,
    /// The answer to `begin`.
    Begin,
    /// The description of a statement.
    Describe,
    /// The rows of a statement, which follow its description.
    Rows,
    /// The answer to `commit`.
    Commit,
}

/// What follows the bytes of a dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The connection is closed.
    Close,
    /// Nothing, and the connection stays open.
    Wait,
    /// The same bytes, without end.
    Again,
    /// The good answer of that step.
    GoOn,
    /// The good answers of the next steps.
    Next,
}

/// A server that is good up to a step.
#[derive(Debug, Clone)]
pub(super) struct Dialogue {
    pub(super) at: Step,
    pub(super) sends: Vec<u8>,
    pub(super) then: Then,
    /// After how many bytes in all the connection is closed.
    pub(super) cut: usize,
}

/// A message: <https://www.postgresql.org/docs/current/protocol-message-formats.html>.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    with_length(kind, i32::try_from(body.len() + 4).unwrap(), body)
}

/// A message that claims this length.
pub(super) fn with_length(kind: u8, length: i32, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

pub(crate) fn ready(state: u8) -> Vec<u8> {
    message(b'Z', &[state])
}

/// A row of these values.
pub(crate) fn row(values: &[&[u8]]) -> Vec<u8> {
    let count = u16::try_from(values.len()).unwrap().to_be_bytes().to_vec();
    let sized =
        |value: &&[u8]| [&u32::try_from(value.len()).unwrap().to_be_bytes()[..], value].concat();
    let values: Vec<_> = values.iter().map(sized).collect();
    message(b'D', &[count, values.concat()].concat())
}

/// Describes columns of these names: no table, no number, type 25 (text), any length, text format.
pub(crate) fn columns(names: &[&[u8]]) -> Vec<u8> {
    let of_text = [0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0];
    let count = u16::try_from(names.len()).unwrap().to_be_bytes().to_vec();
    let described: Vec<_> = names.iter().map(|name| [*name, b"\0", &of_text].concat()).collect();
    message(b'T', &[count, described.concat()].concat())
}

/// An error or a notice with these fields.
pub(super) fn notice(kind: u8, fields: &[(u8, &str)]) -> Vec<u8> {
    let fields: Vec<_> =
        fields.iter().map(|(field, text)| [&[*field], text.as_bytes(), b"\0"].concat()).collect();
    message(kind, &[fields.concat(), vec![0]].concat())
}

/// A request of the login.
pub(super) fn login(method: u32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&method.to_be_bytes()[..], rest].concat())
}

/// The good answer of a step.
fn good(step: Step, statements: usize) -> Vec<u8> {
    match step {
        Step::Tls => b"N".to_vec(),
        Step::Login => [
            login(0, &[]),
            message(b'S', b"server_version\x0017.2\0"),
            message(b'K', &[0, 0, 0, 1, 0, 0, 0, 2]),
            ready(b'I'),
        ]
        .concat(),
        Step::Begin => [message(b'C', b"DONE\0").repeat(statements), ready(b'T')].concat(),
        Step::Describe => [
            message(b'1', &[]),
            message(b'2', &[]),
            message(b't', &[0, 0]),
            columns(&[b"document"]),
        ]
        .concat(),
        Step::Rows => [row(&[b"{\"n\": 1}"]), message(b'C', b"SELECT 1\0"), ready(b'T')].concat(),
        Step::Commit => [message(b'C', b"COMMIT\0"), ready(b'I')].concat(),
    }
}

/// Starts the server; returns the address of its database, with `sslmode` as the dialogue needs.
pub(super) fn start(dialogue: &Dialogue) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mode = if dialogue.at == Step::Tls { "prefer" } else { "disable" };
    let dialogue = dialogue.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let dialogue = dialogue.clone();
            std::thread::spawn(move || {
                let _gone = Conversation { stream, dialogue, sent: 0, has_failed: false }.hold();
            });
        }
    });
    format!("postgresql://u:p@{address}/x?sslmode={mode}&connect_timeout=1")
}

struct Conversation {
    stream: TcpStream,
    dialogue: Dialogue,
    sent: usize,
    /// Whether a statement failed before its rows.
    has_failed: bool,
}

impl Conversation {
    fn hold(mut self) -> io::Result<()> {
        let (mut has_kind, mut has_begun) = (false, false);
        loop {
            let (kind, body) = self.read_message(has_kind)?;
            let statements = body.split(|byte| *byte == b';').count();
            let step = match kind {
                0 if body == 80_877_103_u32.to_be_bytes() => Step::Tls,
                0 => {
                    has_kind = true;
                    Step::Login
                }
                b'Q' if !std::mem::replace(&mut has_begun, true) => Step::Begin,
                b'Q' => {
                    has_begun = false;
                    Step::Commit
                }
                b'D' => Step::Describe,
                // An error in place of the description ends the answer.
                b'S' if std::mem::take(&mut self.has_failed) => continue,
                b'S' => Step::Rows,
                b'X' => return Ok(()),
                _ => continue,
            };
            self.answer(step, statements)?;
        }
    }

    fn answer(&mut self, step: Step, statements: usize) -> io::Result<()> {
        if step == self.dialogue.at {
            let sends = self.dialogue.sends.clone();
            self.send(&sends)?;
            match self.dialogue.then {
                Then::Close => return Err(io::ErrorKind::ConnectionAborted.into()),
                Then::Wait => {
                    // Until the client closes the connection.
                    io::copy(&mut self.stream, &mut io::sink())?;
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Then::Again => loop {
                    self.stream.write_all(&sends)?;
                },
                Then::Next => {
                    self.has_failed = step == Step::Describe;
                    return Ok(());
                }
                Then::GoOn => {}
            }
        }
        self.send(&good(step, statements))
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let allowed = bytes.len().min(self.dialogue.cut - self.sent);
        self.stream.write_all(&bytes[..allowed])?;
        self.sent += allowed;
        if allowed < bytes.len() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// Reads a message of the client; before the session, none has a kind.
    fn read_message(&mut self, has_kind: bool) -> io::Result<(u8, Vec<u8>)> {
        let (mut kind, mut length) = ([0], [0; 4]);
        self.stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        if has_kind {
            self.stream.read_exact(&mut kind)?;
        }
        self.stream.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
        self.stream.read_exact(&mut body)?;
        Ok((kind[0], body))
    }
}
