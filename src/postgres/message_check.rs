//! Divides what a server sends into messages, and passes on only those that the database library
//! can read.
//!
//! The format is that of <https://www.postgresql.org/docs/current/protocol-message-formats.html>.
//! The library bounds neither the size of a message nor the number of notices. It waits for a whole
//! row even if a column claims to be longer than it, reads any negative length of a column as null,
//! and takes a row without a count for the end of the connection. It compares the number of columns
//! in a row with their description itself.

use bytes::BufMut;

use super::message_body;
use super::row_walk::RowWalk;
use super::transaction_state::TransactionState;
use super::wire_fault::WireFault;

/// Maximum size of a row: 64 MiB.
const MOST_ROW: usize = 64 << 20;
/// Maximum size of any other message: 1 MiB. An error may quote a long statement.
const MOST_OTHER: usize = 1 << 20;
/// Maximum size of a message before the session begins. libpq allows errors of 30,000 bytes there.
const MOST_BEFORE: usize = 32 << 10;
/// Maximum number of bytes before the session begins.
const MOST_LOGIN: usize = 1 << 20;
/// Maximum number of bytes that answer one request, each message counted with what it costs here.
const MOST_ANSWER: usize = 512 << 20;
/// What a message costs in memory in addition to its bytes.
const MESSAGE_COST: usize = 64;
/// Maximum number of messages for one request that belong to no answer.
const MOST_UNASKED: usize = 10_000;
/// Maximum number of bytes of such messages.
const MOST_UNASKED_BYTES: usize = 16 << 20;

/// The messages of a connection, as far as they have come.
#[derive(Debug, Default)]
pub(super) struct MessageCheck {
    header: [u8; 5],
    /// How many bytes of the header have come.
    headed: usize,
    /// How many bytes of the body are still to come.
    left: usize,
    /// The body of a message that is passed on only as a whole.
    body: Vec<u8>,
    /// Where a row stands, which is passed on as it comes.
    row: RowWalk,
    /// Whether a session has begun.
    has_begun: bool,
    /// Whether anything was answered since the server was last ready.
    has_answered: bool,
    /// Since the last request.
    answer: usize,
    unasked: usize,
    unasked_bytes: usize,
    state: TransactionState,
}

impl MessageCheck {
    /// The messages of a new connection, which say there whether a transaction is open.
    pub(super) fn new(state: TransactionState) -> Self {
        Self { state, ..Self::default() }
    }

    /// Notes that a request was sent: what comes now answers it.
    pub(super) fn note_request(&mut self) {
        if self.has_begun {
            (self.answer, self.unasked, self.unasked_bytes) = (0, 0, 0);
        }
    }

    /// Reads bytes, and puts those of whole messages and of rows into `passed`.
    ///
    /// Notices, settings and notifications are counted and left out. They may come at any time, and
    /// nothing here needs them.
    pub(super) fn read(
        &mut self,
        mut bytes: &[u8],
        passed: &mut (impl BufMut + ?Sized),
    ) -> Result<(), WireFault> {
        while !bytes.is_empty() {
            if self.headed < self.header.len() {
                let (part, rest) = split(bytes, self.header.len() - self.headed);
                self.header[self.headed..self.headed + part.len()].copy_from_slice(part);
                self.headed += part.len();
                bytes = rest;
                if self.headed < self.header.len() {
                    break;
                }
                self.begin_message(passed)?;
            } else {
                let (part, rest) = split(bytes, self.left);
                self.left -= part.len();
                bytes = rest;
                if self.header[0] == b'D' {
                    self.row.read(part).map_err(|what| self.broken(what))?;
                    passed.put_slice(part);
                } else {
                    self.body.extend_from_slice(part);
                }
            }
            if self.left == 0 {
                self.end_message(passed)?;
            }
        }
        Ok(())
    }

    fn begin_message(&mut self, passed: &mut (impl BufMut + ?Sized)) -> Result<(), WireFault> {
        let [kind, length @ ..] = self.header;
        let is_known = if self.has_begun {
            b"123ACDEGHIKNRSTVWZcdnst".contains(&kind)
        } else {
            b"EKNRSZ".contains(&kind)
        };
        if !is_known {
            return Err(self.broken("a message has a type that PostgreSQL does not have there"));
        }
        let claimed = i32::from_be_bytes(length);
        let Some(length) = usize::try_from(claimed).ok().and_then(|length| length.checked_sub(4))
        else {
            return Err(self.broken("a message has a length that is not possible"));
        };
        self.check_size(kind, length)?;
        self.left = length;
        self.body.clear();
        if kind == b'D' {
            self.row = RowWalk::of(length);
            passed.put_slice(&self.header);
        }
        Ok(())
    }

    fn check_size(&mut self, kind: u8, length: usize) -> Result<(), WireFault> {
        let is_row = kind == b'D';
        self.answer = self.answer.saturating_add(length + MESSAGE_COST);
        if !self.has_begun {
            return if length > MOST_BEFORE || self.answer > MOST_LOGIN {
                Err(WireFault::NotPostgres("it sends more than any login needs"))
            } else {
                Ok(())
            };
        }
        if is_unasked(kind) {
            self.unasked += 1;
            self.unasked_bytes = self.unasked_bytes.saturating_add(length);
            if self.unasked > MOST_UNASKED || self.unasked_bytes > MOST_UNASKED_BYTES {
                return Err(WireFault::Flood);
            }
        }
        // PostgreSQL sends no message above 1 GiB.
        if length > 1 << 30 {
            return Err(self.broken("a message has a length that is not possible"));
        }
        if is_row && length > MOST_ROW {
            return Err(WireFault::TooLarge("a row of more than 64 MiB"));
        }
        if !is_row && length > MOST_OTHER {
            return Err(WireFault::TooLarge("a message of more than 1 MiB"));
        }
        if self.answer > MOST_ANSWER {
            return Err(WireFault::TooLarge("an answer of more than 512 MiB"));
        }
        Ok(())
    }

    fn end_message(&mut self, passed: &mut (impl BufMut + ?Sized)) -> Result<(), WireFault> {
        let kind = self.header[0];
        self.headed = 0;
        if kind == b'D' {
            self.has_answered = true;
            return if self.row.is_complete() {
                Ok(())
            } else {
                Err(self.broken("a row ends within a column"))
            };
        }
        let body = std::mem::take(&mut self.body);
        message_body::check(kind, &body).map_err(|what| self.broken(what))?;
        if let Some(what) = message_body::find_unsupported(kind, &body) {
            return Err(WireFault::Unsupported(what));
        }
        if kind == b'Z' {
            if !self.has_answered {
                return Err(self.broken("it is ready again without an answer"));
            }
            self.has_begun = true;
            self.state.note(body[0]);
        }
        if !is_unasked(kind) {
            self.has_answered = kind != b'Z';
            passed.put_slice(&self.header);
            passed.put_slice(&body);
        }
        self.body = body;
        Ok(())
    }

    fn broken(&self, what: &'static str) -> WireFault {
        if self.has_begun { WireFault::Broken(what) } else { WireFault::NotPostgres(what) }
    }
}

/// Whether messages of a type belong to no answer: notices, settings and notifications.
fn is_unasked(kind: u8) -> bool {
    b"NSA".contains(&kind)
}

fn split(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    bytes.split_at(at.min(bytes.len()))
}

#[cfg(test)]
mod tests;
