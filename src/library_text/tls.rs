//! Errors of TLS: what they mean, and what to do.

mod certificate;

use std::io;

use rustls::{
    AlertDescription, Error, InconsistentKeys, InvalidMessage, PeerIncompatible, PeerMisbehaved,
};

pub use certificate::is_authority_as_server;
use certificate::{describe_certificate, problem_of_certificate};

/// What to do about an authority's certificate that a server presents. Remedies are shown up to 240
/// characters.
const MAKE_CERTIFICATE: &str = "name this certificate with `tls_ca`, or make one for servers: `openssl req -x509 -newkey rsa:2048 \
     -nodes -keyout key.pem -out cert.pem -subj /CN=HOST -addext subjectAltName=DNS:HOST -addext basicConstraints=CA:FALSE`";

/// Why a TLS handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeProblem {
    /// The certificate has expired, by this machine's clock.
    Expired,
    /// The certificate is not valid yet, by this machine's clock.
    NotYetValid,
    /// The certificate is for other names.
    OtherName,
    /// The certificate does not lead to a trusted authority.
    UnknownAuthority,
    /// The server presents the certificate of an authority as its own.
    AuthorityAsServer,
    /// The certificate is of X.509 version 1 or 2, which cannot name hosts.
    OldVersion,
    /// The certificate is for another purpose than a server's.
    OtherPurpose,
    /// Something else is wrong with the certificate.
    BadCertificate,
    /// The target requires a client certificate.
    WantsCertificate,
    /// The target rejected the client certificate.
    RejectsCertificate,
    /// The two sides have no TLS version, cipher or other parameter in common.
    NothingInCommon,
    /// The target does not serve the host's name.
    UnknownName,
    /// What the target sent is not TLS.
    NotTls,
    /// The target has a fault of its own.
    TargetFault,
}

impl HandshakeProblem {
    /// The problem that an error of a TLS stream means; `None` for any other error, such as a
    /// reset.
    pub fn of(error: &io::Error) -> Option<Self> {
        match find_tls_error(error)? {
            Error::InvalidCertificate(error) => Some(problem_of_certificate(error)),
            Error::AlertReceived(alert) => Self::of_alert(*alert),
            Error::PeerIncompatible(_) => Some(Self::NothingInCommon),
            Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => Some(Self::NotTls),
            Error::PeerMisbehaved(_) => Some(Self::TargetFault),
            _ => None,
        }
    }

    fn of_alert(alert: AlertDescription) -> Option<Self> {
        use AlertDescription as A;
        match alert {
            A::CertificateRequired | A::NoCertificate => Some(Self::WantsCertificate),
            A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied => Some(Self::RejectsCertificate),
            A::ProtocolVersion | A::HandshakeFailure | A::InsufficientSecurity => {
                Some(Self::NothingInCommon)
            }
            A::UnrecognisedName => Some(Self::UnknownName),
            A::InternalError => Some(Self::TargetFault),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Expired => "renew the target's certificate, or correct this machine's clock",
            Self::NotYetValid => {
                "correct this machine's clock, or wait until the certificate becomes valid"
            }
            Self::OtherName => {
                "use a name that the certificate contains (`--resolve HOST:PORT:ADDRESS` leads it to this \
                 address), or issue the certificate with `subjectAltName` for this name"
            }
            Self::UnknownAuthority => {
                "name the authority's certificate with `tls_ca`, or let the target also send the certificates \
                 between its own and a known authority's"
            }
            Self::AuthorityAsServer => MAKE_CERTIFICATE,
            Self::OldVersion => {
                "sign it with extensions: `openssl x509 -req … -extfile names.txt`, where names.txt has the line \
                 `subjectAltName=DNS:HOST`"
            }
            Self::OtherPurpose => {
                "issue the certificate with `extendedKeyUsage=serverAuth`, or let the target present another"
            }
            Self::BadCertificate => "replace the target's certificate",
            Self::WantsCertificate => {
                "name a client certificate that the target accepts, and its key, with `tls_cert` and `tls_key`"
            }
            Self::RejectsCertificate => {
                "use a client certificate that the target accepts (`tls_cert` and `tls_key`): its log says \
                 why it rejected this connection"
            }
            Self::NothingInCommon => {
                "let the target offer TLS 1.2 or 1.3 with AES-GCM or ChaCha20-Poly1305; \
                 `openssl s_client -connect HOST:PORT` shows what it offers"
            }
            Self::UnknownName => "correct the host's name: the target does not serve it",
            Self::NotTls => "write `http://`, or correct the port: nothing speaks TLS there",
            Self::TargetFault => {
                "read the target's log: `openssl s_client -connect HOST:PORT` shows the handshake"
            }
        }
    }
}

/// The error of TLS inside an I/O error.
pub fn find_tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// An error of TLS as a clause: what is wrong, without values of the library's types.
pub fn describe_tls(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => describe_certificate(error),
        Error::AlertReceived(alert) => describe_alert(*alert),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the answer is not TLS".to_owned()
        }
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. } => {
            "the answer is not a valid TLS handshake".to_owned()
        }
        Error::PeerIncompatible(why) => describe_incompatibility(why).to_owned(),
        Error::PeerMisbehaved(why) => describe_misbehaviour(why).to_owned(),
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "the private key does not belong to the certificate".to_owned()
        }
        Error::InconsistentKeys(_) => {
            "whether the private key belongs to the certificate could not be found out".to_owned()
        }
        Error::NoCertificatesPresented => "the peer sent no certificate".to_owned(),
        Error::UnsupportedNameType => {
            "the host's name is not one that TLS can ask for".to_owned()
        }
        Error::DecryptError => "a record could not be decrypted: the connection was damaged on its way".to_owned(),
        Error::PeerSentOversizedRecord => "a TLS record is larger than the protocol allows".to_owned(),
        Error::NoApplicationProtocol => "the two sides have no HTTP version in common".to_owned(),
        Error::InvalidCertRevocationList(_) => "a list of revoked certificates is invalid".to_owned(),
        Error::FailedToGetCurrentTime => "this machine's clock could not be read".to_owned(),
        Error::FailedToGetRandomBytes => "this machine has no source of random numbers".to_owned(),
        Error::HandshakeNotComplete => "the TLS handshake was not complete".to_owned(),
        Error::General(text) if text.contains("private key") => {
            "the private key is damaged, or of a kind other than RSA, ECDSA (P-256, P-384) and Ed25519".to_owned()
        }
        _ => "the TLS library reported an error that it does not explain".to_owned(),
    }
}

/// An alert that the peer sent (RFC 8446, section 6.2), with its name in the standard.
fn describe_alert(alert: AlertDescription) -> String {
    use AlertDescription as A;
    let (meaning, name) = match alert {
        A::CloseNotify => ("the target ended the connection", "close_notify"),
        A::UnexpectedMessage => {
            ("the target got a message that it did not expect", "unexpected_message")
        }
        A::BadRecordMac => ("the target could not decrypt what it got", "bad_record_mac"),
        A::HandshakeFailure => (
            "the target accepts none of the offered ciphers and parameters, or wants a client certificate",
            "handshake_failure",
        ),
        A::NoCertificate => ("the target wants a client certificate", "no_certificate"),
        A::BadCertificate => {
            ("the target rejects the client certificate, or its absence", "bad_certificate")
        }
        A::UnsupportedCertificate => (
            "the target does not support the kind of the client certificate",
            "unsupported_certificate",
        ),
        A::CertificateRevoked => ("the client certificate was revoked", "certificate_revoked"),
        A::CertificateExpired => {
            ("the client certificate has expired, says the target", "certificate_expired")
        }
        A::CertificateUnknown => {
            ("the target does not accept the client certificate", "certificate_unknown")
        }
        A::IllegalParameter => {
            ("the target calls a value in the handshake illegal", "illegal_parameter")
        }
        A::UnknownCA => {
            ("the target does not trust the client certificate's authority", "unknown_ca")
        }
        A::AccessDenied => ("the target does not let this client certificate in", "access_denied"),
        A::DecodeError => ("the target could not read a message", "decode_error"),
        A::DecryptError => ("the target could not verify the handshake", "decrypt_error"),
        A::ProtocolVersion => {
            ("the target accepts neither TLS 1.2 nor TLS 1.3", "protocol_version")
        }
        A::InsufficientSecurity => {
            ("the target requires stronger ciphers", "insufficient_security")
        }
        A::InternalError => ("the target has a fault of its own", "internal_error"),
        A::UserCanceled => ("the target cancelled the handshake", "user_canceled"),
        A::MissingExtension => {
            ("the target misses an extension in the handshake", "missing_extension")
        }
        A::UnsupportedExtension => {
            ("the target does not support an extension of the handshake", "unsupported_extension")
        }
        A::UnrecognisedName => ("the target does not serve this host's name", "unrecognized_name"),
        A::UnknownPSKIdentity => ("the target no longer knows the session", "unknown_psk_identity"),
        A::CertificateRequired => {
            ("the target requires a client certificate", "certificate_required")
        }
        A::NoApplicationProtocol => {
            ("the target speaks none of the offered HTTP versions", "no_application_protocol")
        }
        alert => return format!("the target ended the handshake (TLS alert {})", u8::from(alert)),
    };
    format!("{meaning} (TLS alert {name})")
}

fn describe_incompatibility(why: &PeerIncompatible) -> &'static str {
    use PeerIncompatible as P;
    match why {
        P::ServerDoesNotSupportTls12Or13
        | P::ServerTlsVersionIsDisabledByOurConfig
        | P::Tls12NotOffered
        | P::Tls12NotOfferedOrEnabled
        | P::SupportedVersionsExtensionRequired => "the target offers neither TLS 1.2 nor TLS 1.3",
        P::NoCipherSuitesInCommon => {
            "the two sides have no cipher in common; offered are AES-GCM and ChaCha20-Poly1305 with ECDHE"
        }
        P::NoKxGroupsInCommon | P::NamedGroupsExtensionRequired | P::KeyShareExtensionRequired => {
            "the two sides have no key exchange in common; offered are X25519, P-256 and P-384"
        }
        P::NoSignatureSchemesInCommon
        | P::NoCertificateRequestSignatureSchemesInCommon
        | P::SignatureAlgorithmsExtensionRequired => {
            "the two sides have no signature algorithm in common"
        }
        P::ExtendedMasterSecretExtensionRequired => {
            "the target does not support the extended master secret (RFC 7627)"
        }
        _ => "the two sides have a parameter of TLS not in common",
    }
}

fn describe_misbehaviour(why: &PeerMisbehaved) -> &'static str {
    use PeerMisbehaved as P;
    match why {
        P::SelectedUnofferedApplicationProtocol => {
            "the target chose an HTTP version that was not offered"
        }
        P::SelectedUnofferedCipherSuite => "the target chose a cipher that was not offered",
        P::SelectedUnofferedKxGroup => "the target chose a key exchange that was not offered",
        P::SignedHandshakeWithUnadvertisedSigScheme | P::SignedKxWithWrongAlgorithm => {
            "the target signed the handshake with an algorithm that was not offered"
        }
        P::AttemptedDowngradeToTls12WhenTls13IsSupported => {
            "the target, or something between, forces TLS 1.2 although both sides speak TLS 1.3"
        }
        P::TooManyRenegotiationRequests => {
            "the target asks again and again to renegotiate, which tollgate refuses"
        }
        P::TooManyEmptyFragments
        | P::TooManyKeyUpdateRequests
        | P::TooManyWarningAlertsReceived => {
            "the target sent more empty records, key updates or warnings than tollgate accepts"
        }
        _ => "the target's handshake breaks the rules of TLS",
    }
}

#[cfg(test)]
mod tests;
