//! The forms in which a target is likely to echo a secret.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{
    GeneralPurpose, GeneralPurposeConfig, STANDARD_NO_PAD, URL_SAFE_NO_PAD,
};
use url::Url;

use super::search::{Extent, SecretForm};
use super::strength::{SecretStrength, is_weak_beginning};

/// Only this many bytes of a long value are also searched for in encoded form.
const ENCODED_BYTES: usize = 4096;

/// The forms of a value; none if it is too short or too common to be searched for.
pub(super) fn of_value(value: &str) -> Vec<SecretForm> {
    let is_searched = |value: &String| SecretStrength::of(value) != SecretStrength::Weak;
    let (given, value) = (value, value.trim());
    let whole = std::iter::once(value.to_owned()).chain(credentials_in(value));
    let parts = value.lines().map(str::trim).chain([given]);
    let parts = parts.filter(|part| *part != value).map(str::to_owned);
    let mut forms: Vec<_> = whole.filter(is_searched).flat_map(|value| encoded(&value)).collect();
    for part in parts.filter(is_searched) {
        let is_token_like = SecretStrength::of(&part) == SecretStrength::TokenLike;
        forms.extend(plain(&part, beginning_of(&part), is_token_like));
    }
    forms
}

/// The forms of a part of a URL, which is only found as a whole.
pub(super) fn of_url_part(part: &str) -> Vec<SecretForm> {
    plain(part, part.len(), false).collect()
}

/// The forms of one value: as it is, and encoded.
fn encoded(value: &str) -> Vec<SecretForm> {
    let is_token_like = SecretStrength::of(value) == SecretStrength::TokenLike;
    let beginning = beginning_of(value);
    let mut forms: Vec<_> = plain(value, beginning, is_token_like).collect();
    let bytes = &value.as_bytes()[..value.len().min(ENCODED_BYTES.max(beginning))];
    let mut add = |form: &str, begun: usize| {
        forms.push(SecretForm::new(form, begun, Extent::EncodedWord, is_token_like));
    };
    let mut hexadecimal = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _infallible = write!(hexadecimal, "{byte:02x}");
    }
    add(&hexadecimal, 2 * beginning);
    for offset in 0..BASE64_BYTES {
        for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let begun = within_base64(&alphabet, &bytes[..beginning], offset);
            add(&within_base64(&alphabet, bytes, offset), begun.len());
        }
    }
    forms
}

/// The value as it is, as in a form's query, and with the sign that evidence has in place of
/// control characters.
fn plain(value: &str, beginning: usize, is_token_like: bool) -> impl Iterator<Item = SecretForm> {
    let forms = BTreeSet::from([
        value.to_owned(),
        value.replace(' ', "+"),
        value.replace(char::is_control, "·"),
    ]);
    forms
        .into_iter()
        .map(move |form| SecretForm::new(&form, beginning, Extent::Match, is_token_like))
}

/// How many bytes of a value suffice to recognize it: those of at least eight characters that are
/// no common words. The scheme and the host of a URL do not suffice.
fn beginning_of(value: &str) -> usize {
    let authority = value.find("://").map_or(0, |scheme| {
        let host = scheme + "://".len();
        value[host..].find(['/', '?', '#']).map_or(value.len(), |path| host + path + 1)
    });
    let ends = value[authority..].char_indices().map(|(at, c)| authority + at + c.len_utf8());
    let suffices = |end: &usize| !is_weak_beginning(&value[authority..*end]);
    ends.clone().find(suffices).unwrap_or(value.len())
}

/// The secrets that a value contains: the credentials after the scheme of an `Authorization`, the
/// user and the password of basic authentication, and the password of a URL.
fn credentials_in(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Some((scheme, rest)) = value.split_once(' ')
        && scheme.bytes().all(|byte| byte.is_ascii_alphabetic())
        && !rest.trim().contains(char::is_whitespace)
    {
        found.push(rest.trim().to_owned());
    }
    let candidates: Vec<_> = found.iter().map(String::as_str).chain([value]).collect();
    let decoded: Vec<_> = candidates.into_iter().filter_map(decode_base64).collect();
    for decoded in decoded {
        found.extend(decoded.split_once(':').map(|(_, password)| password.to_owned()));
        found.push(decoded);
    }
    if value.contains("://")
        && let Ok(url) = Url::parse(value)
        && let Some(password) = url.password()
    {
        let decoded = percent_encoding::percent_decode_str(password).decode_utf8_lossy();
        found.push(decoded.into_owned());
    }
    found
}

/// The printable text that a value encodes in base64.
fn decode_base64(value: &str) -> Option<String> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engines = [&alphabet::STANDARD, &alphabet::URL_SAFE];
    let mut decoded = engines.into_iter().filter_map(|alphabet| {
        let bytes = GeneralPurpose::new(alphabet, LENIENT).decode(value).ok()?;
        String::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control))
    });
    decoded.next()
}

/// The bytes that four characters of base64 encode.
const BASE64_BYTES: usize = 3;

/// The characters that a secret has in the base64 of a longer text, in which `offset` bytes,
/// modulo 3, stand before it. Those that it shares with the bytes around it are left out.
fn within_base64(alphabet: &GeneralPurpose, secret: &[u8], offset: usize) -> String {
    let text = [&[0; BASE64_BYTES][..offset], secret].concat();
    let encoded = alphabet.encode(&text);
    let (from, to) = ((offset * 8).div_ceil(6), text.len() * 8 / 6);
    encoded.get(from..to).unwrap_or_default().to_owned()
}
