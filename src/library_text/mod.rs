//! The errors of libraries, in plain English.
//!
//! Every error text that comes from a library passes through this module before a person or a file
//! gets it. A library writes for programmers: it prints values with `Debug`, bytes as lists of
//! numbers, times as UNIX seconds, and may quote what it was given, such as a password. A known
//! error becomes a clause that says what is wrong. An unknown one keeps its text only if that text
//! cannot contain what the library was given.

mod defect;
mod http1;
mod http2;
mod io;
mod json;
mod pattern;
mod pem;
mod tls;
mod toml;
mod url;

pub use self::toml::describe_toml;
pub use self::url::describe_url;
pub use defect::{DEFECT_REMEDY, Defect, await_without_panic, catch_defect};
pub use http1::{CODING_IN_HTTP_1_0, HttpBlame, HttpProblem, read_http_problem};
pub use http2::describe_reason;
pub use io::{describe_cause, describe_io, describe_reading, is_local_shortage};
pub use json::{TOO_MUCH_MEMORY, describe_json};
pub use pattern::describe_pattern;
pub use pem::describe_pem;
pub use tls::{HandshakeProblem, describe_tls, find_tls_error, is_authority_as_server};

/// The longest text of a library that is shown, in characters.
const LONGEST: usize = 300;

/// A text of a library on one line, without control characters, of at most 300 characters.
///
/// It hides nothing: use it only for texts that cannot contain a secret.
pub fn keep_on_one_line(text: &str) -> String {
    let plain = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    plain.take(LONGEST).collect()
}
