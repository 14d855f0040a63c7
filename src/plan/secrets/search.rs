//! Finds one form of a secret in a text.

use std::cmp::Ordering;

use memchr::memmem;
use secrecy::{ExposeSecret as _, SecretSlice};

use super::folded_text::FoldedText;
use super::strength::MIN_SEARCHED_CHARS;

/// What is replaced when a form is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Extent {
    /// What was found.
    Match,
    /// The whole word of base64 or hexadecimal digits around it.
    EncodedWord,
}

/// One form of a value.
#[derive(Clone)]
pub(super) struct SecretForm {
    /// The form in lower case, and, if that differs, without what looks like escapes: a text loses
    /// these before it is searched.
    views: Vec<FormView>,
    extent: Extent,
    /// Whether our own texts are searched too.
    is_token_like: bool,
}

/// A form as it is searched for in one view of a text.
#[derive(Clone)]
struct FormView {
    bytes: SecretSlice<u8>,
    /// How many bytes of it suffice to recognize it.
    beginning: usize,
}

/// The original positions of what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl SecretForm {
    /// A form of which this many bytes suffice to recognize it.
    pub(super) fn new(form: &str, beginning: usize, extent: Extent, is_token_like: bool) -> Self {
        let whole = FoldedText::views(form);
        let is_short = form.len() < MIN_SEARCHED_CHARS;
        let views = whole.into_iter().filter_map(|FoldedText { bytes, starts }| {
            let beginning = starts.partition_point(|start| *start < beginning);
            let beginning = beginning.max(MIN_SEARCHED_CHARS).min(bytes.len());
            let is_recognizable = bytes.len() >= MIN_SEARCHED_CHARS || is_short;
            (is_recognizable && !bytes.is_empty())
                .then(|| FormView { bytes: bytes.into(), beginning })
        });
        Self { views: views.collect(), extent, is_token_like }
    }

    /// Whether our own texts are searched for it too.
    pub(super) fn is_token_like(&self) -> bool {
        self.is_token_like
    }

    /// Where a text contains the form, or its beginning.
    pub(super) fn matches(&self, text: &FoldedText) -> Vec<Match> {
        self.views.iter().flat_map(|view| view.matches(text, view.beginning, self.extent)).collect()
    }

    /// Where a text contains the whole form.
    pub(super) fn whole_in(&self, text: &FoldedText) -> Vec<Match> {
        let whole = |view: &FormView| view.bytes.expose_secret().len();
        self.views.iter().flat_map(|view| view.matches(text, whole(view), self.extent)).collect()
    }

    /// Whether the form is secret although a text is public. A beginning that the text contains
    /// does not suffice any more to recognize the form.
    pub(super) fn stays_secret_beside(&mut self, public: &FoldedText) -> bool {
        for view in &mut self.views {
            let bytes = view.bytes.expose_secret();
            for at in memmem::find_iter(&public.bytes, &bytes[..view.beginning]) {
                let common = common_length(&public.bytes[at..], bytes);
                if common == bytes.len() {
                    return false;
                }
                let beyond = common + MIN_SEARCHED_CHARS;
                view.beginning = view.beginning.max(beyond).min(bytes.len());
            }
        }
        true
    }

    /// An order in which equal forms are neighbours, those for our own texts first.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let by_text = self.texts().cmp(other.texts()).then(self.extent.cmp(&other.extent));
        by_text.then(other.is_token_like.cmp(&self.is_token_like))
    }

    /// Whether two forms are found in the same places.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.extent == other.extent && self.texts().eq(other.texts())
    }

    fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.views.iter().map(|view| view.bytes.expose_secret())
    }
}

impl FormView {
    fn matches(&self, text: &FoldedText, beginning: usize, extent: Extent) -> Vec<Match> {
        let bytes = self.bytes.expose_secret();
        let found = memmem::find_iter(&text.bytes, &bytes[..beginning]);
        let found = found.map(|at| {
            let end = at + common_length(&text.bytes[at..], bytes);
            let (at, end) = match extent {
                Extent::Match => (at, end),
                Extent::EncodedWord => around(&text.bytes, at, end),
            };
            Match { start: text.starts[at], end: text.starts[end] }
        });
        found.collect()
    }
}

/// How many bytes two texts have in common at their beginning.
fn common_length(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The word of base64 or hexadecimal digits around a part of a text.
fn around(text: &[u8], start: usize, end: usize) -> (usize, usize) {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    let before = text[..start].iter().rev().take_while(|byte| is_base64(byte)).count();
    let after = text[end..].iter().take_while(|byte| is_base64(byte) || **byte == b'=').count();
    (start - before, end + after)
}
