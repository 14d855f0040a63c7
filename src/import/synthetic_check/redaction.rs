//! Texts of an artifact without the credentials that may stand in them.

use percent_encoding::percent_decode_str;
use url::Url;

/// The most characters that are kept.
const MOST: usize = 200;

const REDACTED: &str = "•••";

/// A text without user name and password of the target and of any URL in it, on one line and of
/// some length at most.
///
/// What fetches a URL may name it in its error, in full.
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

/// Leaves out what stands between `://` and the last `@` of the word, where there is one before its
/// path.
fn redact_user_info(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        kept += before;
        let word =
            after.find(|c: char| c.is_whitespace() || "\"'<>`".contains(c)).unwrap_or(after.len());
        // A password may hold a slash where the text is no sound URL, so that all up to the last
        // `@` goes.
        let host = after[..word].rfind('@').map_or(0, |sign| sign + 1);
        if host > 0 {
            kept += REDACTED;
            kept.push('@');
        }
        rest = &after[host..];
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_any_url_are_left_out_and_all_else_is_kept() {
        let target = "https://probe:a%2Fb@host/app";
        for (text, kept) in [
            ("fetch failed", "fetch failed"),
            ("at https://host/app?x=1 failed", "at https://host/app?x=1 failed"),
            (
                "a URL with credentials: https://probe:a%2Fb@host/app",
                "a URL with credentials: https://•••@host/app",
            ),
            ("\"http://x:y/z@h/\" and http://u@i/", "\"http://•••@h/\" and http://•••@i/"),
            ("wrong password a/b\nfor probe", "wrong password ••• for •••"),
        ] {
            assert_eq!(redact_credentials(text, target), kept);
        }
    }
}
