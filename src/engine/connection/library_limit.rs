//! Limits of the libraries that speak HTTP and TLS: which of their errors means one.
//!
//! A library ends a connection if the other side exceeds a limit that no standard sets. Another
//! client has other limits, or none. Such an error is tollgate's own, not the target's.

use std::io;

use rustls::{Error as TlsError, InvalidMessage, PeerMisbehaved};

use crate::library_text::find_tls_error;
use crate::record::{Dimension, Failure};
use crate::recorder::ExchangeFailure;

/// A limit of a library, as a sentence that says what exceeded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct LibraryLimit(&'static str);

/// What to do about a limit.
const REMEDY: &str = "this limit is tollgate's: another client, for example curl, shows the answer \
                      without it; with less of what is named here, tollgate can measure it too";

/// A request that the library does not send.
const REFUSED: LibraryLimit = LibraryLimit("the HTTP library refused to send the request");

/// What `h2` writes into the GOAWAY with which it ends a connection at a limit, and what it means.
const OF_H2: [(&str, LibraryLimit); 5] = [
    (
        "too_many_data_frames",
        LibraryLimit("the target sent more small or empty DATA frames than are buffered"),
    ),
    (
        "too_many_continuations",
        LibraryLimit("the target sent a head in more CONTINUATION frames than are read"),
    ),
    (
        "too_many_internal_resets",
        LibraryLimit("the target sent too many frames on streams that were given up"),
    ),
    ("too_many_resets", LibraryLimit("the target reset too many streams at once")),
    (
        "header_list_way_too_large",
        LibraryLimit("the target sent a head that is larger than 256 KiB"),
    ),
];

/// A limit of `h2` that this table does not name.
const OTHER_OF_H2: LibraryLimit =
    LibraryLimit("the target sent more than the HTTP/2 library accepts");

/// What hyper says in the errors of a chunked body that only exceeds a limit.
const OF_CHUNKS: [(&str, LibraryLimit); 3] = [
    (
        "chunk extensions over limit",
        LibraryLimit("the target sent chunk extensions of more than 16 KiB"),
    ),
    (
        "chunk trailers bytes over limit",
        LibraryLimit("the target sent trailers of more than 16 KiB"),
    ),
    ("chunk trailers count overflow", LibraryLimit("the target sent more than 2,048 trailers")),
];

impl LibraryLimit {
    /// The limit that an error of an HTTP/2 connection means; `None` for any other error.
    ///
    /// `h2` reports a head beyond its limit like a broken rule, so the caller says whether the
    /// target `sent_large_head`.
    pub(super) fn of_h2(error: &h2::Error, sent_large_head: bool) -> Option<Self> {
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
        (refuses_heads && sent_large_head)
            .then_some(Self("the target sent a head that is larger than 256 KiB"))
    }

    /// The limit that an error of an HTTP/1.1 connection means; `None` for any other error.
    pub(super) fn of_hyper(error: &hyper::Error) -> Option<Self> {
        if error.is_parse_too_large() {
            return Some(Self("the target sent a head of more than 400 KiB or 2,048 header lines"));
        }
        let source = std::error::Error::source(error)?.downcast_ref::<io::Error>()?;
        let text = source.to_string();
        OF_CHUNKS.iter().find(|(says, _)| text.contains(says)).map(|known| known.1)
    }

    /// The limit that an error of a TLS stream means; `None` for any other error.
    pub(in crate::engine) fn of_tls(error: &io::Error) -> Option<Self> {
        use PeerMisbehaved as M;
        let limit = match find_tls_error(error)? {
            TlsError::PeerMisbehaved(misbehaved) => match misbehaved {
                M::TooManyEmptyFragments => {
                    "the target sent more empty TLS records in a row than are read"
                }
                M::TooManyKeyUpdateRequests => {
                    "the target sent more TLS key updates in a row than are read"
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
        Some(Self(limit))
    }

    /// The failure of an exchange that the limit ended in a phase.
    pub(in crate::engine) fn failed(self, phase: Dimension) -> ExchangeFailure {
        let failed = ExchangeFailure::in_phase(Failure::OwnLimit, phase, self.0);
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
        let failed = LibraryLimit("the target sent too much").failed(Dimension::Body);
        assert_eq!(failed.seen, "the target sent too much");
        assert!(failed.next.is_some() && !failed.failure.counts_against_target());
        assert!(!failed.failure.is_without_answer() && !failed.failure.is_not_judged());
    }
}
