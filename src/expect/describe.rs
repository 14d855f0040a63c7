//! Describes an unexpected response: enough to act on, nothing that could be secret.

use http::{HeaderName, StatusCode, header};
use url::Url;

use super::response::ResponseView;
use crate::record::Failure;

/// The longest header value that is shown.
const SHOWN: usize = 80;

/// Headers that carry credentials.
const HIDDEN: [HeaderName; 5] = [
    header::SET_COOKIE,
    header::COOKIE,
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::WWW_AUTHENTICATE,
];

/// An unexpected status. A redirect names its target, unless the response is sensitive.
pub(super) fn describe_status(answer: &ResponseView<'_>, is_sensitive: bool) -> (Failure, String) {
    match redirect_of(answer) {
        Some(_) if is_sensitive => (Failure::Redirected, describe_code(answer.status)),
        Some(to) => (
            Failure::Redirected,
            format!(
                "{} redirect to {}",
                answer.status.as_u16(),
                describe_location(&to, answer.url)
            ),
        ),
        None => (Failure::Status, describe_code(answer.status)),
    }
}

/// The URL that a response came from, relative to the expected one.
pub(super) fn describe_url(found: &Url, expected: &Url) -> String {
    let same_path = found.path() == expected.path() && found.origin() == expected.origin();
    let place = describe_location(found, expected);
    if same_path { format!("{place} with another query") } else { place }
}

/// The actual value of a header.
pub(super) fn describe_header(
    answer: &ResponseView<'_>,
    name: &HeaderName,
    is_sensitive: bool,
) -> String {
    let Some(value) = answer.headers.get(name) else {
        return "no such header".to_owned();
    };
    if is_sensitive {
        return "another value".to_owned();
    }
    if name == header::LOCATION {
        return redirect_target(answer)
            .map_or_else(|| "no URL".to_owned(), |to| describe_location(&to, answer.url));
    }
    match value.to_str() {
        Ok(text) if text.len() <= SHOWN && !HIDDEN.contains(name) => format!("`{text}`"),
        _ => "another value".to_owned(),
    }
}

/// A number of bytes as a person reads it: `2,345 bytes`.
pub(super) fn format_bytes(count: usize) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{} bytes", group_digits(count)) }
}

/// A count as a person reads it: `2,345`.
pub(super) fn group_digits(count: usize) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn describe_code(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

fn redirect_of(answer: &ResponseView<'_>) -> Option<Url> {
    answer.status.is_redirection().then(|| redirect_target(answer))?
}

fn redirect_target(answer: &ResponseView<'_>) -> Option<Url> {
    let location = std::str::from_utf8(answer.headers.get(header::LOCATION)?.as_bytes()).ok()?;
    answer.url.join(location.trim()).ok()
}

/// A URL relative to another: its path, with the host if it differs. The query is never shown.
fn describe_location(to: &Url, from: &Url) -> String {
    if to.origin() == from.origin() {
        return to.path().to_owned();
    }
    let port = to.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", to.scheme(), to.host_str().unwrap_or_default(), to.path())
}
