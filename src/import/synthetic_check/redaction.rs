//! Removes credentials from the texts of an artifact.

use percent_encoding::percent_decode_str;
use url::Url;

/// Maximum number of characters that are kept.
const MOST: usize = 200;

const REDACTED: &str = "•••";

/// A text on one line and of limited length, without the user name and password of the target or of
/// any URL in it.
///
/// The error of a failed fetch may contain the full URL.
pub(super) fn redact_credentials(text: &str, target: &str) -> String {
    let mut text = redact_user_info(text);
    for credential in credentials(target) {
        text = text.replace(&credential, REDACTED);
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect()
}

/// User name and password of a URL, as written and decoded.
fn credentials(target: &str) -> Vec<String> {
    let Ok(url) = Url::parse(target) else { return Vec::new() };
    let parts = [url.password().unwrap_or_default(), url.username()];
    let decoded = parts.map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned());
    parts.map(str::to_owned).into_iter().chain(decoded).filter(|part| !part.is_empty()).collect()
}

/// Removes the text between `://` and the last `@` of the word, if the word has one.
fn redact_user_info(text: &str) -> String {
    let mut redacted = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        redacted += before;
        let word =
            after.find(|c: char| c.is_whitespace() || "\"'<>`".contains(c)).unwrap_or(after.len());
        // In an invalid URL a password may contain a slash, so everything up to the last `@` is
        // removed.
        let host = after[..word].rfind('@').map_or(0, |sign| sign + 1);
        if host > 0 {
            redacted += REDACTED;
            redacted.push('@');
        }
        rest = &after[host..];
    }
    redacted + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_any_url_are_removed_and_everything_else_is_kept() {
        let target = "https://probe:a%2Fb@host/app";
        for (text, expected) in [
            ("fetch failed", "fetch failed"),
            ("at https://host/app?x=1 failed", "at https://host/app?x=1 failed"),
            (
                "a URL with credentials: https://probe:a%2Fb@host/app",
                "a URL with credentials: https://•••@host/app",
            ),
            ("\"http://x:y/z@h/\" and http://u@i/", "\"http://•••@h/\" and http://•••@i/"),
            ("wrong password a/b\nfor probe", "wrong password ••• for •••"),
        ] {
            assert_eq!(redact_credentials(text, target), expected);
        }
    }
}
