//! The library's errors in plain English.
//!
//! The library keeps the kind of an error to itself, so its few texts stand for the kinds. Its
//! causes may quote values and columns, so no text of it is passed on.

use std::error::Error as _;
use std::io;

use tokio_postgres::Error;

use super::PgErrorKind;
use super::wire_fault::WireFault;
use crate::library_text::{HandshakeProblem, describe_io, is_local_shortage};

/// The kind of an error and what it means, as a clause. The server's own errors are not passed
/// here.
pub(super) fn describe(error: &Error) -> (PgErrorKind, String) {
    const PROTOCOL: &str = "its answer does not follow PostgreSQL's protocol";
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    let (kind, text) = match (&*error.to_string(), cause) {
        // The library cannot read a message.
        ("error communicating with the server", Some(io))
            if io.kind() == io::ErrorKind::InvalidInput =>
        {
            (PgErrorKind::Broken, PROTOCOL)
        }
        ("error communicating with the server", Some(io)) => return describe_socket(io),
        ("unexpected message from server" | "error parsing response from server", _) => {
            (PgErrorKind::Broken, PROTOCOL)
        }
        ("authentication error", Some(io)) if io.to_string() == "SCRAM verification error" => {
            (PgErrorKind::Unproven, "it could not prove that it knows the password")
        }
        ("authentication error", _) => {
            (PgErrorKind::Broken, "its part of the login does not follow PostgreSQL's protocol")
        }
        (text, _) if text.starts_with("invalid column") => {
            (PgErrorKind::Broken, "the answer lacks a column")
        }
        (text, _) if text.starts_with("error deserializing column") => {
            (PgErrorKind::Broken, "a column has another type than expected, or is null")
        }
        (text, _)
            if text.starts_with("error serializing") || text.starts_with("error encoding") =>
        {
            (PgErrorKind::Other, "a value could not be sent")
        }
        _ => (
            PgErrorKind::Other,
            "the database library failed for a reason that tollgate does not know",
        ),
    };
    (kind, text.to_owned())
}

/// The kind of an error of a socket, and what it means.
pub(super) fn describe_socket(error: &io::Error) -> (PgErrorKind, String) {
    let Some(fault) = WireFault::of(error) else {
        let problem = HandshakeProblem::of(error)
            .filter(|problem| *problem != HandshakeProblem::UnknownAuthority);
        let kind = problem.map_or_else(|| kind_of_io(error), PgErrorKind::Handshake);
        return (kind, describe_io(error));
    };
    let kind = match fault {
        WireFault::NotPostgres(_) => PgErrorKind::NotPostgres,
        WireFault::Broken(_) => PgErrorKind::Broken,
        WireFault::Flood => PgErrorKind::Flood,
        WireFault::Unsupported(_) => PgErrorKind::Unsupported,
        WireFault::TooLarge(_) => PgErrorKind::Oversized,
    };
    (kind, fault.to_string())
}

fn kind_of_io(io: &io::Error) -> PgErrorKind {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidData, TimedOut,
        UnexpectedEof,
    };
    match io.kind() {
        _ if is_local_shortage(io) => PgErrorKind::OwnLimits,
        ConnectionRefused => PgErrorKind::Refused,
        ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => PgErrorKind::Lost,
        TimedOut => PgErrorKind::TimedOut,
        // rustls reports certificate errors as invalid data.
        InvalidData => PgErrorKind::Tls,
        _ => PgErrorKind::Unreachable,
    }
}

#[cfg(test)]
mod tests;
