//! Which known word a mistyped one was most likely meant to be.

/// The word most like `written`, where one is near enough to be meant.
pub fn nearest<'a>(written: &str, words: &[&'a str]) -> Option<&'a str> {
    let distance = |word: &str| strsim::damerau_levenshtein(written, word);
    let near = words.iter().copied().min_by_key(|word| distance(word))?;
    (distance(near) <= (near.len() / 3).max(1)).then_some(near)
}
