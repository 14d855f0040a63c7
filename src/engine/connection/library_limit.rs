//! Limits of the libraries that speak HTTP and TLS: which of their errors means one.
//!
//! A library ends a connection if the other side exceeds a limit that no standard sets. Another
//! client has other limits, or none. Such an error is tollgate's own, not the target's.

use std::io;

use rustls::{Error as TlsError, InvalidMessage, PeerMisbehaved};

use crate::engine::connection::frame_filter::FrameFacts;
use crate::library_text::find_tls_error;
use crate::record::{Dimension, Failure};
use crate::recorder::ExchangeFailure;

/// A limit of a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct LibraryLimit {
    /// A sentence that says what exceeded it.
    exceeded: &'static str,
    /// Whether only a flood exceeds it, which no client reads.
    is_flood: bool,
}

/// What to do about a limit.
const REMEDY: &str = "this limit is tollgate's: another client, for example curl, shows the answer \
                      without it; with less of what is named here, tollgate can measure it too";

/// A request that the library does not send.
const REFUSED: LibraryLimit = LibraryLimit::new("the HTTP library refused to send the request");

/// The largest head of an answer, and the largest trailers, in bytes. hyper has read at least that
/// much before it says that a head is too large.
pub(super) const HEAD_LIMIT: u32 = 400 << 10;

/// How much hyper has read since the last data if it refuses a single chunk's extensions, at least.
const LONG_EXTENSION_BYTES: u64 = 15 << 10;

/// What `h2` writes into the GOAWAY with which it ends a connection at a limit, and what it means.
const OF_H2: [(&str, LibraryLimit); 5] = [
    (
        "too_many_data_frames",
        LibraryLimit::new("the target sent more small or empty DATA frames than are buffered"),
    ),
    // More than 30 in a head; curl reads eight.
    (
        "too_many_continuations",
        LibraryLimit::flood("the target flooded the connection with CONTINUATION frames"),
    ),
    (
        "too_many_internal_resets",
        LibraryLimit::new("the target sent too many frames on streams that were given up"),
    ),
    ("too_many_resets", LibraryLimit::new("the target reset too many streams at once")),
    ("header_list_way_too_large", LARGE_HEAD),
];

/// A limit of `h2` that this table does not name.
const OTHER_OF_H2: LibraryLimit =
    LibraryLimit::new("the target sent more than the HTTP/2 library accepts");

/// A head that no common client reads: browsers and curl stop before.
const LARGE_HEAD: LibraryLimit =
    LibraryLimit::flood("the target sent a head that is larger than 400 KiB");

/// Chunk extensions of more than the limit between two pieces of data.
const LONG_EXTENSION: LibraryLimit =
    LibraryLimit::flood("the target flooded the connection with chunk extensions and no data");

/// What hyper says in the errors of a chunked body that only exceeds a limit.
const OF_CHUNKS: [(&str, LibraryLimit); 3] = [
    (
        "chunk extensions over limit",
        LibraryLimit::new("the target sent chunk extensions of more than 16 KiB"),
    ),
    (
        "chunk trailers bytes over limit",
        LibraryLimit::flood("the target sent trailers of more than 400 KiB"),
    ),
    (
        "chunk trailers count overflow",
        LibraryLimit::new("the target sent more than 2,048 trailers"),
    ),
];

impl LibraryLimit {
    pub(super) const fn new(exceeded: &'static str) -> Self {
        Self { exceeded, is_flood: false }
    }

    const fn flood(exceeded: &'static str) -> Self {
        Self { exceeded, is_flood: true }
    }

    /// The limit that an error of an HTTP/2 connection means; `None` for any other error.
    ///
    /// `h2` reports a head beyond its limit like a broken rule, so the caller says what is known of
    /// the frames.
    pub(super) fn of_h2(error: &h2::Error, frames: FrameFacts) -> Option<Self> {
        use h2::Reason;
        let is_of_caller = !(error.is_io() || error.is_remote() || error.is_library());
        if is_of_caller && error.reason().is_none() {
            return Some(REFUSED);
        }
        let reason = error.reason().filter(|_| error.is_library())?;
        if reason == Reason::ENHANCE_YOUR_CALM {
            let text = error.to_string();
            let known = OF_H2.iter().find(|(name, _)| text.contains(name));
            return Some(known.map_or(OTHER_OF_H2, |known| known.1));
        }
        let refuses_heads = [Reason::PROTOCOL_ERROR, Reason::COMPRESSION_ERROR].contains(&reason);
        // A compressed head is larger than its bytes.
        let may_be_large = frames.largest_head as u64 > u64::from(HEAD_LIMIT) / 3;
        (refuses_heads && may_be_large).then_some(LARGE_HEAD)
    }

    /// The limit that an error of an HTTP/1.1 connection means; `None` for any other error.
    ///
    /// The caller says how many bytes were `read` since the exchange began, and since the last
    /// data.
    pub(super) fn of_hyper(error: &hyper::Error, read: (u64, u64)) -> Option<Self> {
        if error.is_parse_too_large() {
            let is_long = read.0 >= u64::from(HEAD_LIMIT);
            let lines = Self::new("the target sent a head of more than 2,048 header lines");
            return Some(if is_long { LARGE_HEAD } else { lines });
        }
        let source = std::error::Error::source(error)?.downcast_ref::<io::Error>()?;
        let text = source.to_string();
        let known = OF_CHUNKS.iter().find(|(says, _)| text.contains(says))?;
        let is_one = known.0.contains("extensions") && read.1 > LONG_EXTENSION_BYTES;
        Some(if is_one { LONG_EXTENSION } else { known.1 })
    }

    /// The limit that an error of a TLS stream means; `None` for any other error.
    pub(in crate::engine) fn of_tls(error: &io::Error) -> Option<Self> {
        use PeerMisbehaved as M;
        // rustls has no type for this. Data never fills that buffer.
        if error.to_string() == "message buffer full" {
            return Some(Self::flood(
                "the target flooded the connection with TLS handshake messages",
            ));
        }
        let limit = match find_tls_error(error)? {
            TlsError::PeerMisbehaved(misbehaved) => match misbehaved {
                M::TooManyEmptyFragments => {
                    return Some(Self::flood(
                        "the target flooded the connection with empty TLS records",
                    ));
                }
                M::TooManyKeyUpdateRequests => {
                    return Some(Self::flood(
                        "the target flooded the connection with TLS key updates",
                    ));
                }
                M::TooManyRenegotiationRequests => {
                    "the target sent more than one TLS renegotiation request"
                }
                M::TooManyWarningAlertsReceived => "the target sent more than four TLS warnings",
                _ => return None,
            },
            TlsError::InvalidMessage(
                InvalidMessage::HandshakePayloadTooLarge
                | InvalidMessage::CertificatePayloadTooLarge,
            ) => {
                "the target sent a TLS handshake message, such as a certificate chain, of more than 64 KiB"
            }
            _ => return None,
        };
        Some(Self::new(limit))
    }

    /// The failure of an exchange that the limit ended in a phase.
    pub(in crate::engine) fn failed(self, phase: Dimension) -> ExchangeFailure {
        if self.is_flood {
            return ExchangeFailure::in_phase(Failure::Flood, phase, self.exceeded);
        }
        let failed = ExchangeFailure::in_phase(Failure::OwnLimit, phase, self.exceeded);
        ExchangeFailure { next: Some(REMEDY), ..failed }
    }
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;

    #[test]
    fn only_tls_errors_that_no_standard_defines_are_limits() {
        use PeerMisbehaved as M;
        let of = |error: TlsError| {
            LibraryLimit::of_tls(&io::Error::new(io::ErrorKind::InvalidData, error)).is_some()
        };
        for (error, is_limit) in [
            (M::TooManyEmptyFragments.into(), true),
            (M::TooManyKeyUpdateRequests.into(), true),
            (M::TooManyRenegotiationRequests.into(), true),
            (M::TooManyWarningAlertsReceived.into(), true),
            (InvalidMessage::HandshakePayloadTooLarge.into(), true),
            (InvalidMessage::CertificatePayloadTooLarge.into(), true),
            (M::IllegalMiddleboxChangeCipherSpec.into(), false),
            (InvalidMessage::MessageTooLarge.into(), false),
            (TlsError::PeerSentOversizedRecord, false),
            (TlsError::DecryptError, false),
            (CertificateError::Expired.into(), false),
        ] {
            assert_eq!(of(error.clone()), is_limit, "{error:?}");
        }
        assert_eq!(LibraryLimit::of_tls(&io::ErrorKind::ConnectionReset.into()), None);
    }

    #[test]
    fn a_limit_is_evidence_that_does_not_count_against_the_target() {
        let failed = LibraryLimit::new("the target sent too much").failed(Dimension::Body);
        assert_eq!(failed.seen, "the target sent too much");
        assert!(failed.next.is_some() && !failed.failure.counts_against_target());
        assert!(!failed.failure.is_without_answer() && !failed.failure.is_not_judged());
    }
}
