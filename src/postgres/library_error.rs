//! sqlx's errors in plain English.
//!
//! sqlx quotes characters of the password and prints the server's messages, with their rows, with
//! `Debug`. So no text of it is passed on, except one that cannot contain either.

use std::error::Error as StdError;
use std::io;

use rustls::pki_types::pem;
use sqlx::Error;

use super::wire_fault::WireFault;
use crate::library_text::{
    Defect, HandshakeProblem, describe_io, describe_pem, describe_tls, keep_on_one_line,
};

/// What has a character that SCRAM forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CharacterPlace {
    /// The password.
    Password,
    /// The user name.
    User,
}

/// What an error means, as a clause. The server's own errors are not passed here.
pub(super) fn describe(error: &Error) -> String {
    match error {
        Error::Io(io) => describe_connection(io),
        Error::Tls(tls) => describe_tls_set_up(&**tls),
        Error::Configuration(_) => match unprepared_place(error) {
            Some(place) => describe_place(place).to_owned(),
            None => "a setting of the connection is not valid".to_owned(),
        },
        Error::Protocol(text) => describe_protocol(text).to_owned(),
        Error::RowNotFound => "the query returned no row".to_owned(),
        Error::ColumnNotFound(_) | Error::ColumnIndexOutOfBounds { .. } => {
            "the answer lacks a column".to_owned()
        }
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::TypeNotFound { .. } => {
            "a column has another type than expected".to_owned()
        }
        Error::Encode(_) => "a value could not be sent".to_owned(),
        Error::WorkerCrashed => "the connection ended".to_owned(),
        _ => "the database library reported an error that it does not explain".to_owned(),
    }
}

/// The panic that an error of a connection reports.
pub(super) fn defect_of(io: &io::Error) -> Option<&Defect> {
    io.get_ref()?.downcast_ref()
}

/// An error of a connection: a fault of the server's messages, a panic, or one of the system.
fn describe_connection(io: &io::Error) -> String {
    match (WireFault::of(io), defect_of(io)) {
        (Some(fault), _) => fault.to_string(),
        (None, Some(defect)) => defect.to_string(),
        (None, None) => describe_io(io),
    }
}

/// Whether the password or the user name has a character that SCRAM forbids. sqlx has no type for
/// it, and its text quotes the character.
pub(super) fn unprepared_place(error: &Error) -> Option<CharacterPlace> {
    let Error::Configuration(why) = error else { return None };
    let text = why.to_string();
    let rest = text.strip_prefix("Failed to saslprep ")?;
    Some(if rest.starts_with("password") { CharacterPlace::Password } else { CharacterPlace::User })
}

fn describe_place(place: CharacterPlace) -> &'static str {
    match place {
        CharacterPlace::Password => {
            "the password has a character that the login by SCRAM forbids (SASLprep, RFC 4013), such as an emoji \
             or a control character"
        }
        CharacterPlace::User => {
            "the user name has a character that the login by SCRAM forbids (SASLprep, RFC 4013), such as an emoji \
             or a control character"
        }
    }
}

/// What to do about such a character.
pub(super) fn remedy_of_character(place: CharacterPlace) -> &'static str {
    match place {
        CharacterPlace::Password => {
            "psql sends such a password as it is, and the library that tollgate uses cannot: give the user a \
             password of letters, digits and punctuation (`alter role … password '…'`), or make a role for tollgate"
        }
        CharacterPlace::User => {
            "make a role for tollgate whose name has only letters, digits and `_`"
        }
    }
}

/// An error of setting TLS up: of rustls, of a file, or of sqlx itself.
fn describe_tls_set_up(error: &(dyn StdError + 'static)) -> String {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return describe_tls(tls);
    }
    if let Some(pem) = error.downcast_ref::<pem::Error>() {
        return describe_pem(pem, "certificate or key");
    }
    if let Some(io) = error.downcast_ref::<io::Error>() {
        return describe_io(io);
    }
    match error.to_string().as_str() {
        text @ "server does not support TLS" => text.to_owned(),
        text if text.starts_with("no keys found") || text.contains("private key") => {
            "the file of the client key holds no private key".to_owned()
        }
        text if text.len() < 80 && text.is_ascii() && !text.contains(['[', '{', '(']) => {
            keep_on_one_line(text)
        }
        _ => "TLS could not be set up".to_owned(),
    }
}

/// Messages that do not follow the protocol, or that sqlx does not know.
fn describe_protocol(text: &str) -> &'static str {
    const LOGINS: [&str; 3] = [
        "unsupported SASL authentication",
        "unsupported authentication method",
        "unknown authentication method",
    ];
    if LOGINS.iter().any(|login| text.starts_with(login)) {
        "it asks for a login that tollgate does not know; passwords by SCRAM-SHA-256, by MD5 and in clear text, \
         and client certificates are known"
    } else if text.starts_with("PgConnection::run(): too many arguments") {
        "the statement has more values than the protocol allows"
    } else {
        "its answer does not follow PostgreSQL's protocol"
    }
}

/// The problem of a handshake that has another remedy than naming an authority.
pub(super) fn handshake_problem(error: &Error) -> Option<HandshakeProblem> {
    let problem = match error {
        Error::Io(io) => HandshakeProblem::of(io),
        Error::Tls(tls) => {
            let tls = tls.downcast_ref::<rustls::Error>()?.clone();
            HandshakeProblem::of(&io::Error::new(io::ErrorKind::InvalidData, tls))
        }
        _ => None,
    };
    problem.filter(|problem| *problem != HandshakeProblem::UnknownAuthority)
}

/// What to do about a failed handshake with a database.
pub(super) fn remedy_of_handshake(problem: HandshakeProblem) -> &'static str {
    match problem {
        HandshakeProblem::OtherName => {
            "use a host name that the certificate contains, or issue it with `subjectAltName` for this one; \
             `sslmode=verify-ca` checks the authority and no name"
        }
        HandshakeProblem::AuthorityAsServer => {
            "make one for servers, and name it with `sslrootcert` in the URL: `openssl req -x509 -newkey rsa:2048 -nodes \
             -keyout server.key -out server.crt -subj /CN=HOST -addext subjectAltName=DNS:HOST -addext basicConstraints=CA:FALSE`"
        }
        HandshakeProblem::WantsCertificate | HandshakeProblem::RejectsCertificate => {
            "name a client certificate that the server accepts, and its key, with `sslcert` and `sslkey` in the URL"
        }
        HandshakeProblem::NotTls => "correct the port: what listens there is not PostgreSQL",
        problem => problem.remedy(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_of_the_password_and_no_debug_output_is_passed_on() {
        for (error, part) in [
            (
                Error::Configuration(
                    "Failed to saslprep password: Error(ProhibitedCharacter('😀'))".into(),
                ),
                "the password has a character",
            ),
            (
                Error::Configuration(
                    "Failed to saslprep username: Error(ProhibitedCharacter('😀'))".into(),
                ),
                "the user name has a character",
            ),
            (Error::Configuration("secret 😀".into()), "a setting of the connection"),
            (
                Error::Protocol("execute: unexpected message: DataRow([115, 101])".to_owned()),
                "does not follow PostgreSQL's protocol",
            ),
            (
                Error::Protocol("unsupported authentication method: KerberosV5".to_owned()),
                "a login that tollgate does not know",
            ),
            (Error::Decode("secret 😀".into()), "another type"),
            (
                Error::Tls(Box::new(pem::Error::IllegalSectionStart { line: b"secret".to_vec() })),
                "five hyphens",
            ),
            (Error::Tls("Other(OtherError(secret))".into()), "TLS could not be set up"),
            (
                Error::Tls(Box::new(rustls::Error::InvalidCertificate(
                    rustls::CertificateError::Other(rustls::OtherError(std::sync::Arc::new(
                        webpki::Error::CaUsedAsEndEntity,
                    ))),
                ))),
                "CA:TRUE",
            ),
            (Error::WorkerCrashed, "the connection ended"),
        ] {
            let text = describe(&error);
            assert!(text.contains(part), "{text}");
            for raw in ["😀", "secret", "Error(", "[115", "Kerberos"] {
                assert!(!text.contains(raw), "{raw} in {text}");
            }
        }
    }
}
