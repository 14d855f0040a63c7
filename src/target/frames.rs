//! HTTP/2 frames that a correct library would not send (RFC 9113, section 4.1).

use bytes::{BufMut, Bytes, BytesMut};
use h2::Reason;

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const GOAWAY: u8 = 0x7;
const CONTINUATION: u8 = 0x9;

/// `:status: 200` from HPACK's static table (RFC 7541, appendix A).
const STATUS_200: &[u8] = &[0x88];

/// GOAWAY: streams above `last` were not processed.
pub(super) fn goaway(last: u32, reason: Reason) -> Bytes {
    let mut payload = BytesMut::new();
    payload.put_u32(last);
    payload.put_u32(reason.into());
    frame(GOAWAY, 0, &payload)
}

/// DATA on stream 0, which the standard forbids.
pub(super) fn misplaced_data() -> Bytes {
    frame(DATA, 0, b"misplaced")
}

/// The first part of an incomplete head.
pub(super) fn open_headers(stream: u32) -> Bytes {
    frame(HEADERS, stream, STATUS_200)
}

/// A further part of an incomplete head, still not the last.
pub(super) fn continuation(stream: u32) -> Bytes {
    // A literal header field without indexing, with a new name: `x: …`.
    let mut field = vec![0x00, 1, b'x', 100];
    field.extend([b'.'; 100]);
    frame(CONTINUATION, stream, &field.repeat(9))
}

/// A frame without flags; the payload is always far below the 16 KiB that every peer accepts.
fn frame(kind: u8, stream: u32, payload: &[u8]) -> Bytes {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    let mut bytes = BytesMut::with_capacity(9 + payload.len());
    bytes.put_slice(&length[1..]);
    bytes.put_u8(kind);
    bytes.put_u8(0);
    bytes.put_u32(stream);
    bytes.put_slice(payload);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goaway_is_written_as_the_standard_says() {
        let expected = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1];
        assert_eq!(goaway(3, Reason::PROTOCOL_ERROR)[..], expected);
    }
}
