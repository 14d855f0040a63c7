//! Counts interim answers over HTTP/1.1; the final answer is not read.

/// Where a connection is within the heads that come before the final one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InterimScan {
    /// In the first bytes of a status line; how many of them.
    Status(usize),
    /// Within an interim answer; whether its current line is empty so far.
    Interim(bool),
    /// In the final answer.
    Final,
}

impl InterimScan {
    /// Reads some bytes; returns how many interim answers began in them.
    pub(super) fn read(&mut self, bytes: &[u8]) -> u64 {
        /// What an interim answer begins with; `?` is any byte.
        const INTERIM: &[u8] = b"HTTP/1.? 1";
        let mut begun = 0;
        for &byte in bytes {
            *self = match *self {
                // Empty lines before a status line are ignored (RFC 9112, section 2.2).
                Self::Status(0) if byte == b'\r' || byte == b'\n' => Self::Status(0),
                Self::Status(at) if INTERIM[at] != byte && INTERIM[at] != b'?' => Self::Final,
                Self::Status(at) if at + 1 == INTERIM.len() => {
                    begun += 1;
                    Self::Interim(false)
                }
                Self::Status(at) => Self::Status(at + 1),
                Self::Interim(true) if byte == b'\n' => Self::Status(0),
                Self::Interim(is_empty) => {
                    Self::Interim(byte == b'\n' || (is_empty && byte == b'\r'))
                }
                Self::Final => return begun,
            };
        }
        begun
    }
}

impl Default for InterimScan {
    fn default() -> Self {
        Self::Status(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interim_answers_are_counted_however_they_arrive_and_nothing_else_is() {
        let interim = "HTTP/1.1 100 Continue\r\n\r\n\r\nHTTP/1.0 103 x\nlink: y\n\n";
        let last = "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
        let all = [interim, interim, last, interim].concat();
        for piece in [1, 3, 10, 1_000] {
            let mut scan = InterimScan::default();
            let begun: u64 = all.as_bytes().chunks(piece).map(|bytes| scan.read(bytes)).sum();
            assert_eq!((begun, scan), (4, InterimScan::Final), "{piece}");
        }
    }
}
