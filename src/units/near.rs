//! Finding the known word that a mistyped one most resembles.

/// The word nearest to `written`, if its edit distance is at most a third of its length (or 1).
pub fn nearest<'a>(written: &str, words: &[&'a str]) -> Option<&'a str> {
    let distance = |word: &str| strsim::damerau_levenshtein(written, word);
    let near = words.iter().copied().min_by_key(|word| distance(word))?;
    (distance(near) <= (near.len() / 3).max(1)).then_some(near)
}
