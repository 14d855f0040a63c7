//! Values that must never be shown, and their redaction from text.
//!
//! A plan shows a variable by its name, so no value of it gets into our own texts in the first
//! place. Redaction is for what a target, a database or a file says: it may echo a secret.

mod folded_text;
mod strength;

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use folded_text::FoldedText;
use strength::{MIN_SEARCHED_CHARS, SecretStrength};

/// Replaces a secret in text.
const REPLACEMENT: &str = "•••";

/// Values that must never be shown, in every form in which they may be echoed. Nothing prints
/// them, not even `Debug`.
///
/// Short and common values are not among them: texts contain them anyway. See [`Self::is_weak`].
#[derive(Clone, Default)]
pub struct SecretSet(Vec<SecretForm>);

/// One form of a value.
#[derive(Clone)]
struct SecretForm {
    text: SecretString,
    /// Whether our own texts are searched too.
    is_token_like: bool,
}

impl SecretForm {
    fn text(&self) -> &str {
        self.text.expose_secret()
    }
}

impl SecretSet {
    /// Keeps each value that may be searched for, and its escaped forms.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let searched = values.into_iter().filter(|value| !Self::is_weak(value));
        Self::from_forms(searched.flat_map(|value| {
            let is_token_like = SecretStrength::of(&value) == SecretStrength::TokenLike;
            forms(&value).into_iter().map(move |form| (form, is_token_like))
        }))
    }

    /// Keeps parts of URLs that contain a secret: `key=abc`. The name next to it makes the part
    /// recognizable even if the value alone is too short or too common to be searched for.
    pub fn from_url_parts(parts: impl IntoIterator<Item = String>) -> Self {
        let parts = parts.into_iter().flat_map(|part| forms(&part));
        Self::from_forms(parts.map(|form| (form, false)))
    }

    fn from_forms(forms: impl IntoIterator<Item = (String, bool)>) -> Self {
        let forms = forms.into_iter().filter(|(form, _)| !form.is_empty());
        let forms =
            forms.map(|(form, is_token_like)| SecretForm { text: form.into(), is_token_like });
        let mut all = Self(forms.collect());
        all.put_in_order();
        all
    }

    /// Whether a secret value is too short (fewer than eight characters) or too common to be
    /// searched for: `true`, `staging-1`. Plans still show its variable instead, but a target that
    /// echoes it is not noticed.
    pub fn is_weak(value: &str) -> bool {
        SecretStrength::of(value) == SecretStrength::Weak
    }

    /// The same secrets without those that public texts, such as the base URL, contain: they are
    /// known to every reader.
    #[must_use]
    pub fn without_public(mut self, public: &[&str]) -> Self {
        let public: Vec<_> = public.iter().map(|text| FoldedText::of(text).bytes).collect();
        let is_public = |form: &SecretForm| {
            let form = FoldedText::of(form.text()).bytes;
            public.iter().any(|text| memchr::memmem::find(text, &form).is_some())
        };
        self.0.retain(|form| !is_public(form));
        self
    }

    /// Adds the secrets of another set.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
        self.put_in_order();
    }

    fn put_in_order(&mut self) {
        self.0.sort_by(|a, b| {
            longest_first(a.text(), b.text()).then(b.is_token_like.cmp(&a.is_token_like))
        });
        self.0.dedup_by(|a, b| a.text() == b.text());
    }

    /// Whether there are no secrets.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a text echoes a secret in any form that [`Self::redact`] replaces.
    pub fn is_echoed_in(&self, text: &str) -> bool {
        matches!(self.redact(text), Cow::Owned(_))
    }

    /// What a target, a database or a file says, with every secret replaced by `•••`.
    ///
    /// A secret is found as it is, percent-encoded in any way, in base64, and escaped as in JSON
    /// and HTML. Case is ignored, because hosts and paths may come back in another case.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redact_with(text, REPLACEMENT)
    }

    /// Like [`Self::redact`], but with a replacement of the caller, which must not contain a
    /// secret.
    pub fn redact_with<'a>(&self, text: &'a str, by: &str) -> Cow<'a, str> {
        self.0.iter().fold(Cow::Borrowed(text), |text, secret| replace_one(text, secret.text(), by))
    }

    /// A text of ours, or one that the user typed, with secrets that look like no word replaced by
    /// `•••`. Our own words stay as they are, whatever the values of secrets are.
    pub fn redact_tokens<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let tokens = self.0.iter().filter(|secret| secret.is_token_like);
        tokens
            .fold(Cow::Borrowed(text), |text, secret| replace_one(text, secret.text(), REPLACEMENT))
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

/// The value as it is, as in a form's query, as in JSON and HTML, and in base64. Other escapes are
/// undone before comparing.
fn forms(value: &str) -> Vec<String> {
    let json = serde_json::to_string(value).unwrap_or_default();
    let quoted = json.trim_start_matches('"');
    let html = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    vec![
        value.to_owned(),
        value.replace(' ', "+"),
        quoted.strip_suffix('"').unwrap_or(quoted).to_owned(),
        html.replace('"', "&quot;").replace('\'', "&#39;"),
        html.replace('"', "&#34;").replace('\'', "&#x27;"),
        html,
        STANDARD_NO_PAD.encode(value),
        URL_SAFE_NO_PAD.encode(value),
    ]
}

/// The parts of a URL that contain a secret, without those that are searched for by themselves.
/// `shown` is the URL with the names of variables in place of their secret values.
pub(super) fn url_parts(value: &str, shown: &str) -> Vec<String> {
    let ((path, query), (shown_path, shown_query)) = (cut_query(value), cut_query(shown));
    let mut parts = Vec::new();
    if path != shown_path {
        parts.push(path.to_owned());
    }
    let (pairs, shown_pairs): (Vec<_>, Vec<_>) =
        (query.split('&').collect(), shown_query.split('&').collect());
    if pairs.len() == shown_pairs.len() {
        let differ = pairs.into_iter().zip(shown_pairs).filter(|(pair, shown)| pair != shown);
        parts.extend(differ.map(|(pair, _)| pair.to_owned()));
    } else {
        parts.push(query.to_owned());
    }
    parts.retain(|part| part.chars().count() >= MIN_URL_PART);
    parts
}

/// A shorter part of a URL, such as `/a` or `k=1`, is not searched for.
const MIN_URL_PART: usize = MIN_SEARCHED_CHARS / 2;

fn cut_query(url: &str) -> (&str, &str) {
    url.split_once('?').unwrap_or((url, ""))
}

fn replace_one<'a>(text: Cow<'a, str>, secret: &str, by: &str) -> Cow<'a, str> {
    let plain = FoldedText::of(&text);
    let secret = FoldedText::of(secret);
    let mut replaced = String::new();
    let mut copied = 0;
    for at in memchr::memmem::find_iter(&plain.bytes, &secret.bytes) {
        let end = at + secret.bytes.len();
        let (from, to) = (plain.starts[at], plain.starts[end]);
        if from < copied {
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
    fn a_secret_is_redacted_in_base64_and_html() {
        let secrets = secrets(&["<Zebra&7f3a's>"]);
        for echoed in [
            "&lt;Zebra&amp;7f3a&#39;s&gt;",
            "&lt;Zebra&amp;7f3a&#x27;s&gt;",
            "PFplYnJhJjdmM2Encz4",
            "PFplYnJhJjdmM2Encz4=",
        ] {
            assert!(secrets.is_echoed_in(&format!("a {echoed} b")), "{echoed}");
        }
    }

    #[test]
    fn short_and_common_values_are_never_searched_for() {
        for value in ["", "1", "api", "fail", "true", "staging", "production", "inconclusive"] {
            let text = format!("GET /{value}: none {value}ed, 1 of 11, {value}");
            assert_eq!(secrets(&[value]).redact(&text), text);
        }
    }

    #[test]
    fn our_own_texts_lose_only_what_looks_like_no_word() {
        let secrets = secrets(&["swordfish", "zebra-7f3a9c"]);
        let text = "swordfish-smoke: zebra-7f3a9c";
        assert_eq!(secrets.redact_tokens(text), "swordfish-smoke: •••");
        assert_eq!(secrets.redact(text), "•••-smoke: •••");
    }

    #[test]
    fn a_value_in_a_public_text_is_no_secret() {
        let secrets = secrets(&["eu-4.shop.example", "zebra-7f3a9c"]);
        let public = secrets.without_public(&["https://EU-4.shop.example/", "smoke"]);
        let text = "redirected to https://eu-4.shop.example/?t=zebra-7f3a9c";
        assert_eq!(public.redact(text), "redirected to https://eu-4.shop.example/?t=•••");
    }

    #[test]
    fn a_short_value_is_hidden_next_to_its_name_in_a_url() {
        for (value, shown, parts) in [
            ("/x?key=abc&page=1", "/x?key=${KEY}&page=1", &["key=abc"][..]),
            ("/tenant/abc/x", "/tenant/${TENANT}/x", &["/tenant/abc/x"]),
            ("/x?page=1", "/x?page=1", &[]),
            ("/x?key=a&b", "/x?key=${KEY}", &["key=a&b"]),
            ("/a", "/${X}", &[]),
        ] {
            assert_eq!(url_parts(value, shown), parts, "{value}");
        }
        let secrets = SecretSet::from_url_parts(["key=abc".to_owned()]);
        assert_eq!(secrets.redact("at http://h/y?key=abc&x, abc"), "at http://h/y?•••&x, abc");
        assert_eq!(secrets.redact_tokens("key=abc"), "key=abc");
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
            secrets(&["fish-42a", "my-fish-42ab"]).redact("sent my-fish-42ab, fish-42a"),
            "sent •••, •••"
        );
    }

    #[test]
    fn text_without_secrets_is_not_copied() {
        assert!(matches!(secrets(&["token"]).redact("plain"), Cow::Borrowed(_)));
    }
}
