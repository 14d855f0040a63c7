//! SQL through psql, so that what a test looks at does not go through the code that it tests.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::programs;

/// A character that no value has.
const BETWEEN_FIELDS: &str = "\u{1f}";

/// The rows of all statements, or what psql complained of. Each statement is a transaction of its
/// own.
///
/// NULL is an empty text. A value with a line end is told as several rows.
pub(super) fn run(folder: &Path, url: &str, statements: &str) -> Result<Vec<Vec<String>>, String> {
    let mut command = Command::new(folder.join("psql"));
    programs::without_settings(&mut command);
    let mut child = command
        .args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-F",
            BETWEEN_FIELDS,
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            url,
            "-f",
            "-",
        ])
        .env("PGCONNECT_TIMEOUT", "20")
        .env("PGCLIENTENCODING", "UTF8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, statements) = (child.stdin.take().unwrap(), statements.to_owned());
    // A psql that has failed reads no further, and says why.
    let writer = std::thread::spawn(move || input.write_all(statements.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _written = writer.join().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    Ok(rows(&String::from_utf8(output.stdout).unwrap()))
}

fn rows(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split(BETWEEN_FIELDS).map(str::to_owned).collect()).collect()
}
