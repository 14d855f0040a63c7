//! The rehearsal of Fly's API: calls, what is said to it, and its description.

pub(crate) mod app;
pub(crate) mod description;
pub(crate) mod relay;

use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Output;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::bench::{read_request, text};

/// The token of the simulated API. No file and no output may contain it.
pub(crate) const TOKEN: &str = "canary-5f1c0ffee-token";

pub(crate) const MACHINES: &str = "/v1/apps/rehearsal/machines";

/// Calls an API with the token and these header lines; returns the status and the JSON.
pub(crate) fn call(
    url: &str,
    (method, path): (&str, &str),
    headers: &[&str],
    body: &str,
) -> (u16, Value) {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let headers = [headers, &[""]].concat().join("\r\n");
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
         authorization: Bearer {TOKEN}\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let (head, body) = read_request(&mut BufReader::new(stream)).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// Every file below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { files.extend(files_below(&entry)) } else { files.push(entry) }
    }
    files
}

/// Asserts an exit code; shows what was printed otherwise.
pub(crate) fn assert_exit(output: &Output, code: i32) {
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{stdout}\n{stderr}");
}

/// The text that a value holds in base64.
pub(crate) fn text_of(value: &Value) -> String {
    text(&BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap())
}
