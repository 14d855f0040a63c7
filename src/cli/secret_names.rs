//! Names whose values are most often secret.

/// Words that end a name if its value is most often a secret.
const SECRET_WORDS: [&str; 17] = [
    "apikey",
    "auth",
    "authorization",
    "credential",
    "credentials",
    "jwt",
    "key",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "session",
    "sig",
    "signature",
    "token",
];

/// Whether the last word of a name is one of [`SECRET_WORDS`], as in `api_key`, or ends with one of
/// more than four letters, as in `accessToken`.
pub(super) fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let last = name.rsplit(|c: char| !c.is_ascii_alphanumeric()).find(|word| !word.is_empty());
    let is_end = |last: &str, word: &str| last == word || word.len() > 4 && last.ends_with(word);
    last.is_some_and(|last| SECRET_WORDS.iter().any(|word| is_end(last, word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_name_says_whether_its_value_is_secret() {
        for name in
            ["token", "accessToken", "api_key", "apikey", "X-Session", "client[secret]", "SIG"]
        {
            assert!(names_secret(name), "{name}");
        }
        for name in ["", "page", "author", "tokens", "monkey", "key_size", "X-Kind"] {
            assert!(!names_secret(name), "{name}");
        }
    }
}
