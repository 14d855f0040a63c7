//! Values that must never be shown, and their redaction from text.
//!
//! A plan shows a variable by its name, so no value of it gets into our own texts in the first
//! place. Redaction is for what a target, a database or a file says: it may echo a secret.

mod folded_text;
mod forms;
mod search;
mod strength;

use std::borrow::Cow;
use std::fmt;

use url::Url;

use folded_text::FoldedText;
use search::{Match, SecretForm};
use strength::{MIN_SEARCHED_CHARS, SecretStrength};

/// Replaces a secret in text.
const REPLACEMENT: &str = "•••";

/// Values that must never be shown, in every form in which they may be echoed. Nothing prints
/// them, not even `Debug`.
///
/// Short and common values are not among them: texts contain them anyway. See [`Self::is_weak`].
#[derive(Clone, Default)]
pub struct SecretSet(Vec<SecretForm>);

impl SecretSet {
    /// Keeps each value that may be searched for, and its encoded forms.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        Self::from_forms(values.into_iter().flat_map(|value| forms::of_value(&value)))
    }

    /// Keeps parts of URLs that contain a secret: `key=abc`. The name next to it makes the part
    /// recognizable even if the value alone is too short or too common to be searched for.
    pub fn from_url_parts(parts: impl IntoIterator<Item = String>) -> Self {
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        Self::from_forms(parts.flat_map(|part| forms::of_url_part(&part)))
    }

    fn from_forms(forms: impl IntoIterator<Item = SecretForm>) -> Self {
        let mut all = Self(forms.into_iter().collect());
        all.remove_repeated();
        all
    }

    /// Whether a secret value is too short (fewer than eight characters) or too common to be
    /// searched for: `true`, `staging-1`. Plans still show its variable instead, but a target that
    /// echoes it is not noticed.
    pub fn is_weak(value: &str) -> bool {
        SecretStrength::of(value.trim()) == SecretStrength::Weak
    }

    /// The same secrets without those that public texts, such as the base URL, contain: they are
    /// known to every reader.
    #[must_use]
    pub fn without_public(mut self, public: &[&str]) -> Self {
        let public: Vec<_> = public.iter().flat_map(|text| FoldedText::views(text)).collect();
        self.0.retain_mut(|form| public.iter().all(|text| form.stays_secret_beside(text)));
        self
    }

    /// Adds the secrets of another set.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
        self.remove_repeated();
    }

    fn remove_repeated(&mut self) {
        self.0.sort_by(SecretForm::order);
        self.0.dedup_by(|a, b| a.is_same(b));
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
    /// A secret is found as it is, without the blanks around it, by each of its lines, by its
    /// beginning, in base64 (also within a longer text, such as `user:secret`), in hexadecimal
    /// digits, and escaped, even repeatedly, as in URLs, JSON and HTML. Case is ignored, because
    /// hosts and paths may come back in another case.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redact_with(text, REPLACEMENT)
    }

    /// Like [`Self::redact`], but with a replacement of the caller, which must not contain a
    /// secret.
    pub fn redact_with<'a>(&self, text: &'a str, by: &str) -> Cow<'a, str> {
        replace(text, by, |view| self.0.iter().flat_map(|form| form.matches(view)).collect())
    }

    /// A text of ours, or one that the user typed, with secrets that look like no word replaced by
    /// `•••`. Our own words stay as they are, whatever the values of secrets are.
    pub fn redact_tokens<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let tokens = || self.0.iter().filter(|form| form.is_token_like());
        replace(text, REPLACEMENT, |view| tokens().flat_map(|form| form.whole_in(view)).collect())
    }
}

impl fmt::Debug for SecretSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(•••)")
    }
}

/// Replaces what `find` finds in the views of a text.
fn replace<'a>(text: &'a str, by: &str, find: impl Fn(&FoldedText) -> Vec<Match>) -> Cow<'a, str> {
    let mut found: Vec<Match> = FoldedText::views(text).iter().flat_map(find).collect();
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    found.sort_by_key(|found| found.start);
    let (mut replaced, mut copied) = (String::new(), 0);
    for Match { start, end } in found {
        // Matches that overlap are one secret.
        if start >= copied {
            replaced.push_str(&text[copied..start]);
            replaced.push_str(by);
        }
        copied = copied.max(end);
    }
    replaced.push_str(&text[copied..]);
    Cow::Owned(replaced)
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

#[cfg(test)]
mod tests;
