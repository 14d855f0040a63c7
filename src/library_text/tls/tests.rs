use rustls::pki_types::{ServerName, UnixTime};
use rustls::{CertificateError, ExtendedKeyPurpose, OtherError};

use super::*;

fn wrapped(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn of_webpki(error: webpki::Error) -> Error {
    CertificateError::Other(OtherError(std::sync::Arc::new(error))).into()
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

/// What must stand in no text: `Debug` output, lists of bytes, UNIX seconds, links.
fn assert_is_plain(text: &str) {
    let is_type_name = |word: &str| {
        word.chars().filter(char::is_ascii_uppercase).count() > 1
            && word.chars().any(|c| c.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let names = ["subjectAltName", "extendedKeyUsage", "ChaCha20"];
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        assert!(!is_type_name(word) || names.contains(&word), "{word} in {text:?}");
    }
    for raw in ["Error", "UNIX", "http", "[", "{", "\n"] {
        assert!(!text.contains(raw), "{raw} in {text:?}");
    }
}

#[test]
fn certificates_are_described_with_dates_names_and_purposes() {
    let expected = ServerName::try_from("c.test").unwrap();
    let names = |names: &[&str]| CertificateError::NotValidForNameContext {
        expected: expected.clone(),
        presented: names.iter().map(|&name| name.to_owned()).collect(),
    };
    for (error, text) in [
        (
            CertificateError::ExpiredContext {
                time: at(1_764_000_000),
                not_after: at(1_700_000_000),
            },
            "the certificate expired on 2023-11-14T22:13:20Z; this machine's clock says 2025-11-24T16:00:00Z",
        ),
        (
            CertificateError::NotValidYetContext { time: at(0), not_before: at(1_700_000_000) },
            "the certificate is not valid before 2023-11-14T22:13:20Z; this machine's clock says 1970-01-01T00:00:00Z",
        ),
        (
            names(&["DnsName(\"a.test\")", "IpAddress(127.0.0.1)"]),
            "the certificate is for a.test, 127.0.0.1, not for c.test",
        ),
        (
            names(&["a", "b", "c", "d", "e", "f", "g"]),
            "the certificate is for a, b, c, d, e and 2 more, not for c.test",
        ),
        (
            names(&[]),
            "the certificate names no host, so it is not for c.test: it has no `subjectAltName`, and a common name does not count",
        ),
        (CertificateError::UnknownIssuer, "the certificate was not issued by a trusted authority"),
        (
            CertificateError::InvalidPurposeContext {
                required: ExtendedKeyPurpose::ServerAuth,
                presented: vec![
                    ExtendedKeyPurpose::ClientAuth,
                    ExtendedKeyPurpose::Other(vec![1, 3, 6]),
                ],
            },
            "the certificate is not for servers: its `extendedKeyUsage` allows only clients, OID 1.3.6",
        ),
    ] {
        let described = describe_tls(&error.into());
        assert_eq!(described, text);
        assert_is_plain(&described);
    }
    let far = CertificateError::ExpiredContext { time: at(u64::MAX), not_after: at(0) };
    assert!(describe_tls(&far.into()).contains("after the year 9999"));
}

#[test]
fn errors_of_webpki_without_a_variant_in_rustls_are_found() {
    for (error, text, problem) in [
        (webpki::Error::CaUsedAsEndEntity, "CA:TRUE", HandshakeProblem::AuthorityAsServer),
        (webpki::Error::UnsupportedCertVersion, "version 1", HandshakeProblem::OldVersion),
        (
            webpki::Error::NameConstraintViolation,
            "name constraints",
            HandshakeProblem::BadCertificate,
        ),
        (webpki::Error::EndEntityUsedAsCa, "lacks CA:TRUE", HandshakeProblem::BadCertificate),
        (
            webpki::Error::MalformedExtensions,
            "malformed or not supported",
            HandshakeProblem::BadCertificate,
        ),
    ] {
        let error = of_webpki(error);
        let described = describe_tls(&error);
        assert!(described.contains(text), "{described}");
        assert_is_plain(&described);
        assert_eq!(HandshakeProblem::of(&wrapped(error)), Some(problem));
    }
}

#[test]
fn every_alert_and_every_kind_of_error_is_plain() {
    for code in 0..=u8::MAX {
        assert_is_plain(&describe_tls(&Error::AlertReceived(AlertDescription::from(code))));
    }
    for error in [
        Error::DecryptError,
        Error::NoCertificatesPresented,
        Error::General("Other(OtherError(secret))".to_owned()),
        Error::InvalidMessage(InvalidMessage::InvalidContentType),
        Error::InvalidMessage(InvalidMessage::MissingData("secret")),
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
        Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon),
        Error::PeerMisbehaved(PeerMisbehaved::TooManyEmptyFragments),
        Error::PeerMisbehaved(PeerMisbehaved::MissingKeyShare),
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch),
        CertificateError::BadEncoding.into(),
        CertificateError::BadSignature.into(),
        CertificateError::ApplicationVerificationFailure.into(),
    ] {
        let described = describe_tls(&error);
        assert_is_plain(&described);
        assert!(!described.contains("secret"), "{described}");
    }
}

#[test]
fn each_problem_has_a_remedy_of_its_own() {
    let alert = Error::AlertReceived;
    for (error, problem) in [
        (CertificateError::Expired.into(), Some(HandshakeProblem::Expired)),
        (CertificateError::NotValidYet.into(), Some(HandshakeProblem::NotYetValid)),
        (CertificateError::NotValidForName.into(), Some(HandshakeProblem::OtherName)),
        (CertificateError::UnknownIssuer.into(), Some(HandshakeProblem::UnknownAuthority)),
        (CertificateError::InvalidPurpose.into(), Some(HandshakeProblem::OtherPurpose)),
        (CertificateError::BadSignature.into(), Some(HandshakeProblem::UnknownAuthority)),
        (alert(AlertDescription::CertificateRequired), Some(HandshakeProblem::WantsCertificate)),
        (alert(AlertDescription::UnknownCA), Some(HandshakeProblem::RejectsCertificate)),
        (alert(AlertDescription::ProtocolVersion), Some(HandshakeProblem::NothingInCommon)),
        (alert(AlertDescription::UnrecognisedName), Some(HandshakeProblem::UnknownName)),
        (alert(AlertDescription::InternalError), Some(HandshakeProblem::TargetFault)),
        (alert(AlertDescription::UserCanceled), None),
        (Error::InvalidMessage(InvalidMessage::InvalidContentType), Some(HandshakeProblem::NotTls)),
        (Error::DecryptError, None),
    ] {
        assert_eq!(HandshakeProblem::of(&wrapped(error.clone())), problem, "{error:?}");
    }
    assert_eq!(HandshakeProblem::of(&io::ErrorKind::ConnectionReset.into()), None);
    let remedy = HandshakeProblem::AuthorityAsServer.remedy();
    assert!(remedy.contains("basicConstraints=CA:FALSE") && remedy.len() <= 240, "{remedy}");
}
