//! What hands used to other tools type, and what is typed here instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Flags of curl, k6, oha, wrk and their kin that are none here.
const ELSEWHERE: [(&[&str], &str); 9] = [
    (&["--qps", "--rps", "-R"], "write `--rate 20/s`: requests a second"),
    (
        &["--vus", "-u"],
        "write `--rate 20/s`, or `--closed --connections 8` for connections that wait for answers",
    ),
    (&["-z", "-d"], "write `--duration 30s`; a request's body is `--body TEXT`"),
    (
        &["--data", "--data-raw", "--json"],
        "write `--body TEXT`, and `-H 'Content-Type: …'` for its type",
    ),
    (
        &["-n", "--requests", "-i", "--iterations"],
        "write `--rate 20/s --duration 30s`: a load is planned by time",
    ),
    (&["-L", "--location", "--redirect"], "write `--redirects 5`"),
    (&["-k"], "write `--insecure`"),
    (&["--http2", "--http1.1", "--http-version"], "write `--http 2` or `--http 1.1`"),
    (&["--threshold", "--thresholds", "--fail"], "write `--budget 'p95 < 300ms'`"),
];

/// What to write instead of a flag that other tools have.
pub(super) fn of(error: &clap::Error) -> Option<&'static str> {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return None };
    let typed = typed.split('=').next().unwrap_or_default();
    let known = ELSEWHERE.iter().find(|(flags, _)| flags.contains(&typed));
    known.filter(|_| error.kind() == ErrorKind::UnknownArgument).map(|(_, tip)| *tip)
}
