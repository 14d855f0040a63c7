//! Values that must never be shown, and how they are blotted out of text.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};

/// What stands where a secret stood.
const BLOT: &str = "•••";

/// Values shorter than this are only blotted out as whole words: a secret `1` would otherwise eat every figure.
const SHORT: usize = 4;

/// What a URL may hold as it is (RFC 3986, 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the URL standard leaves as it is in a query (<https://url.spec.whatwg.org/#query-percent-encode-set>).
const QUERY: &AsciiSet =
    &percent_encoding::CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'\'');

/// The same for a path.
const PATH: &AsciiSet = &QUERY.remove(b'\'').add(b'?').add(b'^').add(b'`').add(b'{').add(b'}');

/// Values that must never be shown, in every form they may be echoed in; neither `Debug` nor anything else
/// prints them.
#[derive(Clone, Default)]
pub struct Secrets(Vec<SecretString>);

impl Secrets {
    /// Keeps each value and its escaped forms; empty values are no secrets.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut forms: Vec<String> = values.into_iter().flat_map(forms).collect();
        // The longest first, so that a secret within another does not leave the rest of that one.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self(forms.into_iter().filter(|form| !form.is_empty()).map(SecretString::from).collect())
    }

    /// The text with every secret replaced by `•••`, whether it stands as it is, percent-encoded, or escaped as in
    /// JSON. A secret of fewer than four characters is replaced only where letters or digits do not touch it.
    pub fn blot<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.iter().fold(Cow::Borrowed(text), |text, secret| blot_one(text, secret.expose_secret()))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(•••)")
    }
}

fn forms(value: String) -> [String; 7] {
    let encoded = |set| utf8_percent_encode(&value, set).to_string();
    let json = serde_json::to_string(&value).unwrap_or_default();
    let quoted = json.trim_start_matches('"');
    [
        encoded(NON_ALPHANUMERIC),
        encoded(UNRESERVED),
        encoded(UNRESERVED).replace("%20", "+"),
        encoded(QUERY),
        encoded(PATH),
        quoted.strip_suffix('"').unwrap_or(quoted).to_owned(),
        value,
    ]
}

fn blot_one<'a>(text: Cow<'a, str>, secret: &str) -> Cow<'a, str> {
    if !text.contains(secret) {
        return text;
    }
    if secret.chars().count() >= SHORT {
        return Cow::Owned(text.replace(secret, BLOT));
    }
    Cow::Owned(blot_words(&text, secret))
}

fn blot_words(text: &str, secret: &str) -> String {
    let mut blotted = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, _) in text.match_indices(secret) {
        let end = at + secret.len();
        let touches = text[..at].chars().next_back().is_some_and(char::is_alphanumeric)
            || text[end..].chars().next().is_some_and(char::is_alphanumeric);
        if !touches {
            blotted.push_str(&text[copied..at]);
            blotted.push_str(BLOT);
            copied = end;
        }
    }
    blotted.push_str(&text[copied..]);
    blotted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &[&str]) -> Secrets {
        Secrets::new(values.iter().map(|&value| value.to_owned()))
    }

    #[test]
    fn a_secret_is_blotted_out_in_every_form_it_may_be_echoed_in() {
        let secrets = secrets(&["a b/c\"d?e"]);
        for echoed in [
            "a b/c\"d?e",
            "a%20b%2Fc%22d%3Fe",
            "a+b%2Fc%22d%3Fe",
            "a%20b/c%22d?e",
            "a%20b/c%22d%3Fe",
            r#"a b/c\"d?e"#,
        ] {
            assert_eq!(secrets.blot(&format!("<{echoed}>")), "<•••>", "{echoed}");
        }
        assert_eq!(format!("{secrets:?}"), "Secrets(•••)");
    }

    #[test]
    fn a_short_secret_is_blotted_out_as_a_whole_word_only() {
        assert_eq!(secrets(&["1"]).blot("1 of 11, token=1"), "••• of 11, token=•••");
        assert_eq!(secrets(&[""]).blot("nothing"), "nothing");
    }

    #[test]
    fn a_secret_within_another_leaves_nothing_of_it() {
        assert_eq!(secrets(&["token", "my-token-42"]).blot("sent my-token-42, token"), "sent •••, •••");
    }

    #[test]
    fn text_without_secrets_is_not_copied() {
        assert!(matches!(secrets(&["token"]).blot("plain"), Cow::Borrowed(_)));
    }
}
