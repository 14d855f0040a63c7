//! I/O errors: the operating system's, and those that wrap an error of TLS.

use std::io;

use super::{describe_tls, find_tls_error, keep_on_one_line};

/// An I/O error as a clause: `connection refused`.
///
/// The operating system's number is left out. An error that wraps one of TLS is described as that.
pub fn describe_io(error: &io::Error) -> String {
    if let Some(tls) = find_tls_error(error) {
        return describe_tls(tls);
    }
    let text = error.to_string();
    match error.raw_os_error() {
        Some(code) => lower_first(text.trim_end_matches(&format!(" (os error {code})"))),
        None => describe_text(&text),
    }
}

/// A text that stands for a type: of rustls, which adds a link into its manual, and of the
/// resolver.
fn describe_text(text: &str) -> String {
    const LOOK_UP: &str = "failed to lookup address information: ";
    if text.contains("close_notify") {
        return "the connection was closed without the end of TLS (no close_notify), so something may be missing"
            .to_owned();
    }
    if text == "tls handshake eof" {
        return "the other side closed the connection during the handshake".to_owned();
    }
    match text.strip_prefix(LOOK_UP) {
        Some("Name or service not known") => "no address is known for this name".to_owned(),
        Some("Temporary failure in name resolution") => {
            "the resolver did not answer (temporary failure in name resolution)".to_owned()
        }
        Some(other) => lower_first(&keep_on_one_line(other)),
        None => keep_on_one_line(text),
    }
}

/// Whether this machine ran out of descriptors, local ports or buffers: not a fault of the other
/// side. A machine without IPv6 reports `ADDRNOTAVAIL` for an IPv6 address.
pub fn is_local_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let ours = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];
    Errno::from_io_error(error).is_some_and(|errno| ours.contains(&errno))
}

/// The cause of one of our own errors, as a clause.
pub fn describe_cause(cause: &(dyn std::error::Error + 'static)) -> String {
    if let Some(io) = cause.downcast_ref::<io::Error>() {
        return describe_io(io);
    }
    match cause.downcast_ref::<rustls::Error>() {
        Some(tls) => describe_tls(tls),
        None => keep_on_one_line(&cause.to_string()),
    }
}

/// The reason why a file cannot be read, as a clause: `there is no such file`.
pub fn describe_reading(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder, not a file".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => describe_io(error),
    }
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn errors_of_the_system_lose_their_number() {
        for (errno, text) in [
            (Errno::CONNREFUSED, "connection refused"),
            (Errno::CONNRESET, "connection reset by peer"),
            (Errno::HOSTUNREACH, "no route to host"),
            (Errno::MFILE, "too many open files"),
        ] {
            assert_eq!(describe_io(&errno.into()), text);
        }
    }

    #[test]
    fn texts_of_rustls_and_of_the_resolver_are_translated() {
        for (text, part) in [
            ("tls handshake eof", "during the handshake"),
            (
                "peer closed connection without sending TLS close_notify: https://docs.rs/rustls/x",
                "(no close_notify)",
            ),
            (
                "failed to lookup address information: Name or service not known",
                "no address is known",
            ),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                "the resolver did not answer",
            ),
            ("failed to lookup address information: Other", "other"),
        ] {
            let described = describe_io(&io::Error::other(text));
            assert!(described.contains(part) && !described.contains("http"), "{described}");
        }
    }

    #[test]
    fn errors_of_tls_are_found_inside() {
        let error = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        assert_eq!(describe_io(&error), describe_tls(&rustls::Error::DecryptError));
        assert_eq!(describe_io(&io::Error::other("a\nb")), "a b");
    }

    #[test]
    fn unreadable_files_say_why() {
        for (kind, text) in [
            (io::ErrorKind::NotFound, "there is no such file"),
            (io::ErrorKind::PermissionDenied, "this user may not read it"),
            (io::ErrorKind::IsADirectory, "it is a folder, not a file"),
            (io::ErrorKind::InvalidData, "it is not UTF-8 text"),
        ] {
            assert_eq!(describe_reading(&kind.into()), text);
        }
    }
}
