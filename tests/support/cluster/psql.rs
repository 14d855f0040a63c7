//! Runs SQL through psql, so that a test does not read results through the code that it tests.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::programs;

/// A character that no value contains.
const BETWEEN_FIELDS: &str = "\u{1f}";

/// The rows of all statements, or psql's error output. Each statement is its own transaction.
///
/// NULL is an empty text. A value with a line end becomes several rows.
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
    // A psql that has failed stops reading and reports why, so a failed write is not an error here.
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
