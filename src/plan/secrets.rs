//! Values that must never be shown, and their redaction from text.

use std::borrow::Cow;
use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// Replaces a secret in text.
const BLOT: &str = "•••";

/// Values shorter than this are only redacted as whole words. Otherwise a secret `1` would hide
/// every digit 1.
const SHORT: usize = 4;

/// Values that must never be shown, in every form in which they may be echoed. Nothing prints
/// them, not even `Debug`.
#[derive(Clone, Default)]
pub struct SecretSet(Vec<SecretString>);

impl SecretSet {
    /// Keeps each value and its escaped forms. Empty values are not secret.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut forms: Vec<String> = values.into_iter().flat_map(forms).collect();
        forms.sort_by(|a, b| longest_first(a, b));
        forms.dedup();
        Self(forms.into_iter().filter(|form| !form.is_empty()).map(SecretString::from).collect())
    }

    /// Adds the secrets of another set.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
        self.0.sort_by(|a, b| longest_first(a.expose_secret(), b.expose_secret()));
        self.0.dedup_by(|a, b| a.expose_secret() == b.expose_secret());
    }

    /// Whether there are no secrets.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a text echoes a secret in any form that [`Self::redact`] replaces.
    pub fn is_echoed_in(&self, text: &str) -> bool {
        matches!(self.redact(text), Cow::Owned(_))
    }

    /// The text with every secret replaced by `•••`.
    ///
    /// A secret is found as it is, percent-encoded in any way, and escaped as in JSON. Case is
    /// ignored, because hosts and paths may come back in another case. A secret of fewer than four
    /// characters is replaced only if no letter or digit touches it.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redact_with(text, BLOT)
    }

    /// Like [`Self::redact`], but with a replacement of the caller, which must not contain a
    /// secret.
    pub fn redact_with<'a>(&self, text: &'a str, by: &str) -> Cow<'a, str> {
        self.0
            .iter()
            .fold(Cow::Borrowed(text), |text, secret| replace_one(text, secret.expose_secret(), by))
    }
}

impl fmt::Debug for SecretSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(•••)")
    }
}

/// The parts of a secret HTTP URL that are likely tokens. A redirect may show one part of the path
/// without the rest, and the whole URL would then not be found.
///
/// A part counts as a token if it has 8 to 23 characters with both letters and digits, or at least
/// 24 characters of any kind. `conversations` and `2025-06-18` do not count.
pub(super) fn tokens_in(secret: &str) -> Vec<String> {
    let url = Url::parse(secret).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(url) = url else { return Vec::new() };
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    let parts = url.path_segments().into_iter().flatten().map(str::to_owned).chain(values);
    let is_token = |part: &String| match part.chars().count() {
        0..=7 => false,
        8..=23 => {
            part.bytes().any(|b| b.is_ascii_digit())
                && part.bytes().any(|b| b.is_ascii_alphabetic())
        }
        _ => true,
    };
    parts.filter(is_token).collect()
}

/// Longest first: a shorter secret inside a longer one would otherwise leave the rest of it
/// visible.
fn longest_first(a: &str, b: &str) -> std::cmp::Ordering {
    b.len().cmp(&a.len()).then_with(|| a.cmp(b))
}

/// The value as it is, as in a form's query, and as in JSON. Other escapes are undone before
/// comparing.
fn forms(value: String) -> [String; 3] {
    let json = serde_json::to_string(&value).unwrap_or_default();
    let quoted = json.trim_start_matches('"');
    [value.replace(' ', "+"), quoted.strip_suffix('"').unwrap_or(quoted).to_owned(), value]
}

fn replace_one<'a>(text: Cow<'a, str>, secret: &str, by: &str) -> Cow<'a, str> {
    let plain = FoldedText::of(&text);
    let secret = FoldedText::of(secret);
    let short = secret.bytes.len() < SHORT;
    let mut replaced = String::new();
    let mut copied = 0;
    for at in memchr::memmem::find_iter(&plain.bytes, &secret.bytes) {
        let end = at + secret.bytes.len();
        let (from, to) = (plain.starts[at], plain.starts[end]);
        if from < copied || short && plain.touches_word(at, end) {
            continue;
        }
        replaced.push_str(&text[copied..from]);
        replaced.push_str(by);
        copied = to;
    }
    if copied == 0 {
        return text;
    }
    replaced.push_str(&text[copied..]);
    Cow::Owned(replaced)
}

/// A text, percent-decoded and in lower case, with the original position of each byte.
struct FoldedText {
    bytes: Vec<u8>,
    /// The position of each byte, followed by the end of the text. All are character boundaries.
    starts: Vec<usize>,
}

impl FoldedText {
    fn of(text: &str) -> Self {
        let mut plain = Self { bytes: Vec::new(), starts: Vec::new() };
        let mut at = 0;
        while let Some(character) = text[at..].chars().next() {
            let (byte, width) = match escaped(&text.as_bytes()[at..]) {
                Some(byte) => (byte, 3),
                None => (text.as_bytes()[at], character.len_utf8()),
            };
            plain.push(at, byte);
            // The further bytes of a longer character belong to the position where it starts.
            text.as_bytes()[at + 1..at + width].iter().filter(|byte| !byte.is_ascii()).for_each(
                |&byte| {
                    plain.push(at, byte);
                },
            );
            at += width;
        }
        plain.starts.push(text.len());
        plain
    }

    fn push(&mut self, at: usize, byte: u8) {
        self.bytes.push(byte.to_ascii_lowercase());
        self.starts.push(at);
    }

    fn touches_word(&self, at: usize, end: usize) -> bool {
        let word = |byte: Option<&u8>| {
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
        };
        word(at.checked_sub(1).and_then(|before| self.bytes.get(before)))
            || word(self.bytes.get(end))
    }
}

/// The byte that a percent sign and two hexadecimal digits encode.
fn escaped(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else { return None };
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? * 16 + digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &[&str]) -> SecretSet {
        SecretSet::new(values.iter().map(|&value| value.to_owned()))
    }

    #[test]
    fn a_secret_is_redacted_in_every_form_in_which_it_may_be_echoed() {
        let secrets = secrets(&["a b/c\"d?e"]);
        for echoed in [
            "a b/c\"d?e",
            "a%20b%2Fc%22d%3Fe",
            "a+b%2Fc%22d%3Fe",
            "a%20b/c%22d?e",
            "a%20b/c%22d%3Fe",
            r#"a b/c\"d?e"#,
        ] {
            assert_eq!(secrets.redact(&format!("<{echoed}>")), "<•••>", "{echoed}");
        }
        assert_eq!(format!("{secrets:?}"), "Secrets(•••)");
    }

    #[test]
    fn neither_case_nor_needless_escapes_hide_a_secret() {
        let secrets = secrets(&["S3cretTökenVALUE"]);
        for echoed in [
            "s3crettökenvalue",
            "S3CRETTöKENVALUE",
            "%53%33cretT%c3%b6kenVALUE",
            "%73%33%63%72%65%74%74%C3%B6%6b%65%6e%76%61%6c%75%65",
        ] {
            assert_eq!(secrets.redact(&format!("/ü/{echoed}/x%2")), "/ü/•••/x%2", "{echoed}");
        }
    }

    #[test]
    fn a_short_secret_is_redacted_only_as_a_whole_word() {
        assert_eq!(secrets(&["1"]).redact("1 of 11, token=1"), "••• of 11, token=•••");
        assert_eq!(secrets(&[""]).redact("nothing"), "nothing");
    }

    #[test]
    fn likely_tokens_in_a_secret_url_are_secret_too() {
        for (url, tokens) in [
            ("https://h/mcp/tok123secret/x", &["tok123secret"][..]),
            (
                "https://h/hooks/abcdefghijklmnopqrstuvwxyz?key=a1b2c3d4",
                &["abcdefghijklmnopqrstuvwxyz", "a1b2c3d4"],
            ),
            ("https://h/api/conversations/12?limit=20", &[]),
            ("https://h/2025-06-18/mcp", &[]),
            ("postgresql://u@h/shop_db_2025", &[]),
            ("no-url-1234567890", &[]),
        ] {
            assert_eq!(tokens_in(url), tokens, "{url}");
        }
    }

    #[test]
    fn a_secret_inside_another_leaves_no_rest() {
        assert_eq!(
            secrets(&["token", "my-token-42"]).redact("sent my-token-42, token"),
            "sent •••, •••"
        );
    }

    #[test]
    fn text_without_secrets_is_not_copied() {
        assert!(matches!(secrets(&["token"]).redact("plain"), Cow::Borrowed(_)));
    }
}
