//! Why a TLS handshake failed, as a type, so that a remedy can be named.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

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
    /// Something else is wrong with the certificate.
    BadCertificate,
    /// The target requires a client certificate, or a different one.
    WantsCertificate,
    /// The two sides have no TLS version, cipher or other parameter in common.
    NothingInCommon,
    /// The target does not serve the host's name.
    UnknownName,
    /// What the target sent is not TLS.
    NotTls,
}

impl HandshakeProblem {
    /// The problem that an error of a TLS stream means; `None` for any other error, such as a
    /// reset.
    pub(in crate::engine) fn of(error: &io::Error) -> Option<Self> {
        match error.get_ref()?.downcast_ref::<Error>()? {
            Error::InvalidCertificate(error) => Some(Self::of_certificate(error)),
            Error::AlertReceived(alert) => Self::of_alert(*alert),
            Error::PeerIncompatible(_) => Some(Self::NothingInCommon),
            Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => Some(Self::NotTls),
            _ => None,
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        use CertificateError as E;
        match error {
            E::Expired | E::ExpiredContext { .. } => Self::Expired,
            E::NotValidYet | E::NotValidYetContext { .. } => Self::NotYetValid,
            E::NotValidForName | E::NotValidForNameContext { .. } => Self::OtherName,
            E::UnknownIssuer => Self::UnknownAuthority,
            _ => Self::BadCertificate,
        }
    }

    fn of_alert(alert: AlertDescription) -> Option<Self> {
        use AlertDescription as A;
        match alert {
            A::CertificateRequired
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied => Some(Self::WantsCertificate),
            A::ProtocolVersion | A::HandshakeFailure | A::InsufficientSecurity => {
                Some(Self::NothingInCommon)
            }
            A::UnrecognisedName => Some(Self::UnknownName),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_handshake_errors_are_recognized_by_their_type() {
        let of =
            |error: Error| HandshakeProblem::of(&io::Error::new(io::ErrorKind::InvalidData, error));
        let alert = Error::AlertReceived;
        for (error, trouble) in [
            (CertificateError::Expired.into(), Some(HandshakeProblem::Expired)),
            (CertificateError::NotValidYet.into(), Some(HandshakeProblem::NotYetValid)),
            (CertificateError::NotValidForName.into(), Some(HandshakeProblem::OtherName)),
            (CertificateError::UnknownIssuer.into(), Some(HandshakeProblem::UnknownAuthority)),
            (CertificateError::BadSignature.into(), Some(HandshakeProblem::BadCertificate)),
            (
                alert(AlertDescription::CertificateRequired),
                Some(HandshakeProblem::WantsCertificate),
            ),
            (alert(AlertDescription::ProtocolVersion), Some(HandshakeProblem::NothingInCommon)),
            (alert(AlertDescription::UnrecognisedName), Some(HandshakeProblem::UnknownName)),
            (alert(AlertDescription::InternalError), None),
            (
                Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
                Some(HandshakeProblem::NotTls),
            ),
            (Error::DecryptError, None),
        ] {
            assert_eq!(of(error.clone()), trouble, "{error:?}");
        }
        assert_eq!(HandshakeProblem::of(&io::ErrorKind::ConnectionReset.into()), None);
    }
}
