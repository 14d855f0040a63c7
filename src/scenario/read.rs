//! Reads a scenario file from disk.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::errors::ScenarioErrors;
use super::foreign_words::scheme_remedy;
use super::source::ScenarioSource;
use crate::files;
use crate::library_text::describe_io;
use crate::units::ByteSize;

/// The largest scenario file read.
const MAX_SIZE: ByteSize = ByteSize(1 << 20);

/// Where a shell's `<(…)` and `/dev/stdin` lead: to what this process already holds open.
const OWN_FILES: [&str; 3] = ["/dev/stdin", "/dev/fd", "/proc/self/fd"];

/// A kind of file, in the words of errors about it.
pub(crate) struct FileKind {
    /// What it is: `a scenario`.
    pub(crate) what: &'static str,
    /// What to name instead of something else: `a scenario file`.
    pub(crate) file: &'static str,
    /// What to do about a name that does not exist.
    pub(crate) missing: fn(&str) -> String,
}

impl FileKind {
    pub(super) const SCENARIO: Self =
        Self { what: "a scenario", file: "a scenario file", missing: remedy_for_missing };
}

/// Reads the text of a file. Fails if it is missing, unreadable, too large or not UTF-8.
pub(crate) fn read_source(path: &Path, kind: &FileKind) -> Result<ScenarioSource, ScenarioErrors> {
    let name = shown_name(&path.display().to_string());
    let failed = |problem: String, remedy: &str| {
        let source = Arc::new(ScenarioSource::new(&*name, ""));
        ScenarioErrors::of(&source, vec![Diagnostic::of_file(problem, remedy)])
    };
    let bytes = bytes_of(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => failed("no such file".to_owned(), &(kind.missing)(&name)),
        io::ErrorKind::IsADirectory => {
            failed("this is a directory".to_owned(), &format!("name {} in it", kind.file))
        }
        io::ErrorKind::FileTooLarge => failed(
            format!("the file is larger than 1 MiB, too large for {}", kind.what),
            &format!("name {}", kind.file),
        ),
        io::ErrorKind::InvalidInput => failed(
            format!("cannot be read: {}", describe_io(&error)),
            "name a file, `/dev/stdin`, or `<(…)`",
        ),
        _ => failed(format!("cannot be read: {}", describe_io(&error)), "make the file readable"),
    })?;
    String::from_utf8(bytes).map(|text| ScenarioSource::new(&*name, text)).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let source = Arc::new(ScenarioSource::new(&*name, text));
        let location = valid..valid + 1;
        let diagnostic = Diagnostic::new(location, "this is not UTF-8", "save the file as UTF-8");
        ScenarioErrors::of(&source, vec![diagnostic])
    })
}

/// A file's name in messages. A URL that was taken for a file may contain a password.
fn shown_name(name: &str) -> String {
    match (name.split_once("://"), name.rfind('@')) {
        (Some((scheme, _)), Some(at)) if at > scheme.len() + 2 => {
            format!("{scheme}://•••{}", &name[at..])
        }
        _ => name.to_owned(),
    }
}

/// What to do about the name of a file that does not exist.
fn remedy_for_missing(name: &str) -> String {
    if let Some(url) = as_socket_url(name) {
        return format!("write `{url}` for a server that listens on a Unix socket");
    }
    if let Some((scheme, _)) = name.split_once("://") {
        let other = "write an `http://` or `https://` URL, or the path of a scenario file";
        return scheme_remedy(scheme).unwrap_or(other).to_owned();
    }
    // oha and hey read a rate after `-q`, which takes no value here.
    if name.parse::<f64>().is_ok() {
        return format!(
            "for a rate, write `--rate {name}/s`; `-q` is `--quiet` and takes no value"
        );
    }
    match as_url(name) {
        Some(url) => format!("write `{url}` if you mean a URL"),
        None if Path::new(name).extension().is_none() && !name.contains('/') => {
            "name a scenario file that exists, or write a URL with `http://` or `https://`"
                .to_owned()
        }
        None => "name a scenario file that exists".to_owned(),
    }
}

/// The URL of a Unix socket that is written as other tools write it, `unix:/run/app.sock`.
fn as_socket_url(name: &str) -> Option<String> {
    let path = ["unix://", "unix:", "http://unix:", "http+unix:"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix));
    let is_socket = |name: &&str| Path::new(name).extension() == Some("sock".as_ref());
    let path = path.or_else(|| Some(name).filter(is_socket))?;
    // nginx and Node write the path of the request after a colon.
    let (path, request) = path.split_once(':').unwrap_or((path, "/"));
    Some(format!("http+unix://{}{request}", path.replace('/', "%2F")))
}

/// Endings of names that are files and not hosts.
const FILE_ENDINGS: [&str; 14] = [
    "toml", "json", "jsonl", "yaml", "yml", "txt", "js", "ts", "py", "sh", "csv", "lua", "jmx",
    "har",
];

/// The URL that a missing file name was probably meant to be: a host with a port, a host with a dot
/// and a path, or a host whose last label is not the ending of a file.
fn as_url(name: &str) -> Option<String> {
    let (authority, path) =
        name.find('/').map_or((name, None), |at| (&name[..at], Some(&name[at..])));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_address = address.parse::<IpAddr>().is_ok();
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_host = is_address || host.split('.').all(is_label);
    let is_meant = match port {
        Some(port) => port.parse::<u16>().is_ok(),
        None => match path {
            Some(path) => host.contains('.') && !is_file_name(path),
            None => host == "localhost" || is_address || is_domain(host),
        },
    };
    let is_here =
        host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let scheme = if is_here { "http" } else { "https" };
    (is_host && is_meant).then(|| format!("{scheme}://{name}"))
}

/// Whether a name ends as files do, such as `smoke.toml`.
fn is_file_name(name: &str) -> bool {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| FILE_ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
}

/// Whether a name without port and path is a domain: `staging.example`.
fn is_domain(host: &str) -> bool {
    let ending = host.rsplit_once('.').map_or("", |(_, ending)| ending);
    ending.len() >= 2
        && ending.bytes().all(|byte| byte.is_ascii_alphabetic())
        && !is_file_name(host)
}

/// Reads a regular file, or a pipe that this process already holds open. Opening any other pipe
/// would wait for a writer.
fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !OWN_FILES.iter().any(|own| path.starts_with(own)) {
        return files::read_regular(path, MAX_SIZE);
    }
    let mut bytes = Vec::new();
    // An endless file, such as a device, must not fill the memory.
    File::open(path)?.take(MAX_SIZE.0 + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SIZE.0 {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_that_is_something_else_gets_a_remedy_for_that() {
        for (name, expected) in [
            ("ws://example.org/socket", "opens no WebSockets"),
            ("WSS://example.org", "opens no WebSockets"),
            ("grpc://example.org", "sends no gRPC"),
            ("postgresql://u@h/d", "`databases`"),
            ("gopher://example.org", "`http://` or `https://` URL"),
            ("100", "`--rate 100/s`; `-q` is `--quiet`"),
            ("smoke.toml", "name a scenario file that exists"),
            ("staging", "or write a URL with `http://` or `https://`"),
            ("unix:/tmp/x.sock", "`http+unix://%2Ftmp%2Fx.sock/`"),
            ("unix:///tmp/x.sock", "`http+unix://%2Ftmp%2Fx.sock/`"),
            ("unix:/tmp/x.sock:/app", "`http+unix://%2Ftmp%2Fx.sock/app`"),
            ("/tmp/x.sock", "`http+unix://%2Ftmp%2Fx.sock/`"),
        ] {
            let remedy = remedy_for_missing(name);
            assert!(remedy.contains(expected), "{name}: {remedy}");
        }
    }

    #[test]
    fn a_url_that_is_taken_for_a_file_is_shown_without_its_password() {
        for (name, shown) in [
            ("ws://u:hunter2@h/x", "ws://•••@h/x"),
            ("postgresql://u:p@ss@h/d", "postgresql://•••@h/d"),
            ("scenarios/a@b.toml", "scenarios/a@b.toml"),
            ("ws://h/x", "ws://h/x"),
        ] {
            assert_eq!(shown_name(name), shown);
        }
    }

    #[test]
    fn a_missing_file_with_a_port_or_a_path_is_probably_a_url() {
        for (name, url) in [
            ("127.0.0.1:8391", Some("http://127.0.0.1:8391")),
            ("localhost:3000/app?mock=1", Some("http://localhost:3000/app?mock=1")),
            ("[::1]:8391", Some("http://[::1]:8391")),
            ("example.org/app", Some("https://example.org/app")),
            ("example.org:8443", Some("https://example.org:8443")),
            ("app.example.org/", Some("https://app.example.org/")),
            ("example.org", Some("https://example.org")),
            ("staging.example", Some("https://staging.example")),
            ("localhost", Some("http://localhost")),
            ("10.0.0.7", Some("https://10.0.0.7")),
            ("smoke.toml", None),
            ("smoke.yaml", None),
            ("v1.2", None),
            ("scenarios/smoke", None),
            ("v1.2/smoke.toml", None),
            ("../smoke", None),
            ("./smoke", None),
            ("a:b", None),
            ("", None),
        ] {
            assert_eq!(as_url(name).as_deref(), url, "{name}");
        }
    }
}
