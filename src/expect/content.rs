//! The content of a response: its body, decoded by `Content-Encoding` (RFC 9110, section 8.4).

use std::borrow::Cow;
use std::io::Read as _;

use flate2::bufread::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use http::header::{CONTENT_ENCODING, TRANSFER_ENCODING};

use super::response::ResponseView;
use crate::units::ByteSize;

/// The maximum number of nested encodings. Each costs the work of a whole body.
const MOST_ENCODINGS: usize = 5;

/// The maximum number of gzip members of a body. Each costs a new decoder, and ordinary servers
/// send one.
const MOST_MEMBERS: usize = 64;

/// The first and the largest buffer growth while decoding, in bytes.
const ROOM: (usize, usize) = (16 << 10, 1 << 20);

/// The longest name of an encoding that is shown.
const SHOWN: usize = 40;

/// Why a body cannot be decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DecodeFailure {
    /// The content is above the limit.
    TooLarge,
    /// What is wrong with the body, for a person.
    Malformed(String),
}

/// The content of a response, at most `limit`. Memory use is at most three times that.
pub(super) fn decode<'a>(
    answer: &ResponseView<'a>,
    limit: ByteSize,
) -> Result<Cow<'a, [u8]>, DecodeFailure> {
    let mut content = Cow::Borrowed(answer.body);
    // A response without content, such as one to `HEAD`, has nothing to decode.
    if content.is_empty() {
        return Ok(content);
    }
    let limit = usize::try_from(limit.0).unwrap_or(usize::MAX - 1);
    for encoding in encodings(answer)?.iter().rev() {
        content = Cow::Owned(encoding.decode(&content, limit)?);
    }
    Ok(content)
}

/// A supported coding, of the content or of the transfer.
#[derive(Debug, Clone, Copy)]
enum ContentEncoding {
    Gzip,
    Deflate,
}

/// The encodings of a response, in the order in which they were applied: those of the content, then
/// those of the transfer (RFC 9112, section 7). Chunks were already joined as they arrived.
fn encodings(answer: &ResponseView<'_>) -> Result<Vec<ContentEncoding>, DecodeFailure> {
    let mut encodings = Vec::new();
    for header in [CONTENT_ENCODING, TRANSFER_ENCODING] {
        let values = answer.headers.get_all(&header).iter();
        for value in values.map(|value| String::from_utf8_lossy(value.as_bytes())) {
            for name in value.split(',').map(str::trim) {
                match name.to_ascii_lowercase().as_str() {
                    "" | "identity" => {}
                    "chunked" if header == TRANSFER_ENCODING => {}
                    "gzip" | "x-gzip" => encodings.push(ContentEncoding::Gzip),
                    "deflate" => encodings.push(ContentEncoding::Deflate),
                    _ => return Err(unknown_encoding(name)),
                }
            }
        }
    }
    if encodings.len() > MOST_ENCODINGS {
        return Err(DecodeFailure::Malformed(format!(
            "a body encoded more than {MOST_ENCODINGS} times over"
        )));
    }
    Ok(encodings)
}

fn unknown_encoding(name: &str) -> DecodeFailure {
    let short_name: String = name.chars().take(SHOWN).collect();
    DecodeFailure::Malformed(format!(
        "a body that is encoded with `{short_name}`, which tollgate does not decode; send `Accept-Encoding: gzip`"
    ))
}

impl ContentEncoding {
    fn decode(self, body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeFailure> {
        match self {
            Self::Gzip => gunzip(body, limit),
            // The standard requires a zlib wrapper (RFC 9110, section 8.4.1.2), but many servers
            // send none.
            Self::Deflate => match inflate(body, true, limit) {
                Err(DecodeFailure::Malformed(_)) => inflate(body, false, limit),
                decoded => decoded,
            },
        }
    }
}

/// Decodes gzip, including several members in sequence (RFC 1952, section 2.2).
fn gunzip(body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeFailure> {
    let (mut content, mut rest) = (Vec::new(), body);
    for _ in 0..MOST_MEMBERS {
        let mut member = GzDecoder::new(rest);
        let left = (limit + 1 - content.len()) as u64;
        let read = member.by_ref().take(left).read_to_end(&mut content);
        read.map_err(|_| malformed("gzip", body))?;
        if content.len() > limit {
            return Err(DecodeFailure::TooLarge);
        }
        rest = member.into_inner();
        if rest.is_empty() {
            return Ok(content);
        }
    }
    Err(DecodeFailure::Malformed(format!("a body of more than {MOST_MEMBERS} gzip members")))
}

/// Decodes deflate. The readers of flate2 are not used: they accept a truncated stream as complete.
fn inflate(body: &[u8], wrapped: bool, limit: usize) -> Result<Vec<u8>, DecodeFailure> {
    let mut state = Decompress::new(wrapped);
    let mut content = Vec::new();
    loop {
        let filled = content.len();
        content.reserve_exact(next_reserve(filled, limit)?);
        let consumed = usize::try_from(state.total_in()).unwrap_or(body.len());
        let rest = &body[consumed.min(body.len())..];
        let status = state.decompress_vec(rest, &mut content, FlushDecompress::None);
        let stuck = content.len() == filled && state.total_in() == consumed as u64;
        match status {
            Ok(Status::StreamEnd) if state.total_in() == body.len() as u64 => {
                return check_limit(content, limit);
            }
            Ok(Status::Ok | Status::BufError) if !stuck => {}
            _ => return Err(malformed("deflate", body)),
        }
    }
}

/// How much may be decoded next. It allows one byte above the limit, which reveals a body that is
/// too large.
fn next_reserve(filled: usize, limit: usize) -> Result<usize, DecodeFailure> {
    let (first, largest) = ROOM;
    match (limit + 1).saturating_sub(filled) {
        0 => Err(DecodeFailure::TooLarge),
        left => Ok(left.min(filled.clamp(first, largest))),
    }
}

fn check_limit(content: Vec<u8>, limit: usize) -> Result<Vec<u8>, DecodeFailure> {
    if content.len() > limit { Err(DecodeFailure::TooLarge) } else { Ok(content) }
}

fn malformed(encoding: &str, body: &[u8]) -> DecodeFailure {
    let bytes = super::describe::format_bytes(body.len());
    DecodeFailure::Malformed(format!(
        "{bytes} that are not whole {encoding}, as `Content-Encoding` says"
    ))
}

#[cfg(test)]
mod tests;
