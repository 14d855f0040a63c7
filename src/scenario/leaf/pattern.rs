//! Regular expressions for editors. Each matches at least every value that the reader accepts.
//!
//! They use only the syntax that every dialect supports, including ECMA-262: no look-around, no
//! named groups.

use crate::record::Dimension;

/// A decimal number, as Rust reads it.
const NUMBER: &str = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?";

/// The units of `humantime`.
const TIMES: &str = "nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|\
                     hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|years|year|yrs|yr|y";

/// Text without `${`.
pub(super) const WORDS: &str = r"^([^$]|\$+[^${])*\$*$";

/// `example.org:443:127.0.0.1,[::1]`
pub(super) const ADDRESSES: &str = r"^(\[[^\]]+\]|[^:\[\]]+):[0-9]+:[^,\s]+(,[^,\s]+)*$";

/// `login.example.org`
pub(super) const HOST: &str = r"^[^\s/?#@*]+$";

/// `20/s`
pub(super) fn rate() -> String {
    format!(r"^\s*{NUMBER}\s*/\s*(s|sec|min|m|h)\s*$")
}

/// `1m 30s`
pub(super) fn duration() -> String {
    format!("^{}$", times())
}

/// `extend 60s`, or a word
pub(super) fn on_inconclusive() -> String {
    format!("^(exit-3|fail|warn|extend[ \\t]{})$", times())
}

/// `2 of 3`
pub(super) const ALERT_RULE: &str = r"^\s*\+?0*[1-9][0-9]*\s+of\s+\+?0*[1-9][0-9]*\s*$";

/// `10s` or `off`
pub(super) fn breaker() -> String {
    format!("^(off|{})$", times())
}

/// `64 KiB`
pub(super) const SIZE: &str = r"^\s*[0-9]+\s*(B|kB|KiB|MB|MiB|GiB)\s*$";

/// `p95 < 300ms`
pub(super) fn budget() -> String {
    let dimensions = Dimension::ALL.map(Dimension::name).join("|");
    let counted = format!(r"(errors|dropped)\s*(=\s*0|<\s*{NUMBER}\s*%?)\s*");
    let quantile = r"p[0-9]+\.?[0-9]*([eE][+-]?[0-9]+)?";
    let timed = format!(r"(max|{quantile})\s*(\(\s*({dimensions})\s*\))?\s*<{}", times());
    let margin = format!(r"\+\s*({NUMBER}\s*%\s*|{})", times());
    let relative =
        format!(r"{quantile}\s*(\(\s*({dimensions})\s*\))?\s*<\s*baseline\s*({margin})?");
    format!(r"^\s*({counted}|{timed}|{relative})$")
}

fn times() -> String {
    format!(r"\s*(0|([0-9][0-9\s]*(\.[0-9\s]*[0-9][0-9\s]*)?({TIMES})\s*)+)\s*")
}
