//! What is wrong with a certificate.

use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::{CertificateError, ExtendedKeyPurpose};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::HandshakeProblem;

/// How many names of a certificate are shown.
const NAMED: usize = 5;

/// Whether a server presents the certificate of an authority as its own, as the one that
/// `openssl req -x509` makes by default. webpki checks the dates before it reports this.
pub fn is_authority_as_server(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(error) => {
            matches!(webpki_error(error), Some(webpki::Error::CaUsedAsEndEntity))
        }
        _ => false,
    }
}

/// The error of webpki that rustls has no variant for.
fn webpki_error(error: &CertificateError) -> Option<&webpki::Error> {
    match error {
        CertificateError::Other(other) => other.0.downcast_ref(),
        _ => None,
    }
}

pub(super) fn problem_of_certificate(error: &CertificateError) -> HandshakeProblem {
    use CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } => HandshakeProblem::Expired,
        E::NotValidYet | E::NotValidYetContext { .. } => HandshakeProblem::NotYetValid,
        E::NotValidForName | E::NotValidForNameContext { .. } => HandshakeProblem::OtherName,
        E::UnknownIssuer | E::BadSignature => HandshakeProblem::UnknownAuthority,
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => HandshakeProblem::OtherPurpose,
        other => match webpki_error(other) {
            Some(webpki::Error::CaUsedAsEndEntity) => HandshakeProblem::AuthorityAsServer,
            Some(webpki::Error::UnsupportedCertVersion) => HandshakeProblem::OldVersion,
            _ => HandshakeProblem::BadCertificate,
        },
    }
}

pub(super) fn describe_certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::ExpiredContext { time, not_after } => format!(
            "the certificate expired on {}; this machine's clock says {}",
            date(*not_after),
            date(*time)
        ),
        E::NotValidYetContext { time, not_before } => format!(
            "the certificate is not valid before {}; this machine's clock says {}",
            date(*not_before),
            date(*time)
        ),
        E::NotValidForNameContext { expected, presented } => {
            describe_names(&expected.to_str(), presented)
        }
        E::InvalidPurposeContext { presented, .. } => format!(
            "the certificate is not for servers: its `extendedKeyUsage` allows {}",
            describe_purposes(presented)
        ),
        other => describe_other(other).to_owned(),
    }
}

fn describe_other(error: &CertificateError) -> &'static str {
    use CertificateError as E;
    match error {
        E::BadEncoding => "the certificate is damaged: it is not valid DER",
        E::Expired => "the certificate has expired",
        E::NotValidYet => "the certificate is not valid yet",
        E::Revoked => "the certificate was revoked",
        E::UnhandledCriticalExtension => {
            "the certificate has a critical extension that is not supported"
        }
        E::UnknownIssuer => "the certificate was not issued by a trusted authority",
        E::BadSignature => {
            "the certificate, or one above it, was not signed by the key of the authority that it names"
        }
        E::NotValidForName => "the certificate is for other names",
        E::InvalidPurpose => "the certificate is not for servers (`extendedKeyUsage`)",
        E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the certificate, or one above it, is signed with an algorithm that is not supported, such as SHA-1"
        }
        E::UnknownRevocationStatus
        | E::ExpiredRevocationList
        | E::ExpiredRevocationListContext { .. } => {
            "whether the certificate was revoked could not be found out"
        }
        other => webpki_error(other).map_or("the certificate was rejected", describe_webpki),
    }
}

/// The errors of webpki that rustls passes on as they are.
fn describe_webpki(error: &webpki::Error) -> &'static str {
    use webpki::Error as W;
    match error {
        W::CaUsedAsEndEntity => {
            "the server presents the certificate of an authority (CA:TRUE, which `openssl req -x509` sets) as \
             its own"
        }
        W::EndEntityUsedAsCa => {
            "a certificate above the server's is not one of an authority (it lacks CA:TRUE)"
        }
        W::UnsupportedCertVersion => {
            "the certificate is of X.509 version 1 or 2, which has no `subjectAltName`"
        }
        W::NameConstraintViolation => {
            "an authority above the certificate may not issue for this name (name constraints)"
        }
        W::PathLenConstraintViolated
        | W::MaximumPathDepthExceeded
        | W::MaximumPathBuildCallsExceeded
        | W::MaximumSignatureChecksExceeded
        | W::MaximumNameConstraintComparisonsExceeded => {
            "the chain of authorities above the certificate is longer than allowed"
        }
        W::EmptyEkuExtension => "the certificate's `extendedKeyUsage` is empty",
        W::InvalidSerialNumber => "the certificate's serial number is invalid",
        _ => "the certificate has an extension or a value that is malformed or not supported",
    }
}

/// `the certificate is for a.test and b.test, not for c.test`.
fn describe_names(expected: &str, presented: &[String]) -> String {
    let names: Vec<_> = presented.iter().map(|name| bare_name(name)).collect();
    let more = names.len().saturating_sub(NAMED);
    match names.as_slice() {
        [] => format!(
            "the certificate names no host, so it is not for {expected}: it has no `subjectAltName`, and a \
             common name does not count"
        ),
        names if more > 0 => {
            format!(
                "the certificate is for {} and {more} more, not for {expected}",
                names[..NAMED].join(", ")
            )
        }
        names => format!("the certificate is for {}, not for {expected}", names.join(", ")),
    }
}

/// webpki shows a name as `DnsName("a.test")` or `IpAddress(127.0.0.1)`.
fn bare_name(shown: &str) -> &str {
    let inner = shown.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(shown).trim_matches('"')
}

fn describe_purposes(purposes: &[ExtendedKeyPurpose]) -> String {
    let names: Vec<_> = purposes
        .iter()
        .map(|purpose| match purpose {
            ExtendedKeyPurpose::ClientAuth => "clients".to_owned(),
            ExtendedKeyPurpose::ServerAuth => "servers".to_owned(),
            ExtendedKeyPurpose::Other(oid) => {
                let parts: Vec<_> = oid.iter().map(ToString::to_string).collect();
                format!("OID {}", parts.join("."))
            }
        })
        .collect();
    if names.is_empty() { "nothing".to_owned() } else { format!("only {}", names.join(", ")) }
}

/// A time as ISO 8601 writes it: `2026-11-28T18:00:00Z`.
fn date(time: UnixTime) -> String {
    let since = Duration::from_secs(time.as_secs());
    OffsetDateTime::UNIX_EPOCH
        .checked_add(since.try_into().unwrap_or(time::Duration::MAX))
        .and_then(|date| date.format(&Rfc3339).ok())
        .unwrap_or_else(|| "a time after the year 9999".to_owned())
}
