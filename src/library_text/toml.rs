//! Mistakes in TOML, by the crate `toml`.

use super::keep_on_one_line;

/// What is wrong with a TOML file, on one line: `duplicate key`.
///
/// The crate's message without its drawing of the line, which may hold a secret.
pub fn describe_toml(error: &toml::de::Error) -> String {
    let lines: Vec<_> = error.message().lines().map(str::trim).collect();
    keep_on_one_line(&lines.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_toml_is_named_without_the_line() {
        for text in [
            "a = hunter2",
            "a = \"hunter2",
            "hunter2",
            "a = 1hunter2",
            "[hunter2",
            "hunter2 = 1\nhunter2 = 2",
            "a = \"hunter2\\q\"",
            "a = '''hunter2",
        ] {
            let words = describe_toml(&text.parse::<toml::Table>().unwrap_err());
            assert!(!words.is_empty() && !words.contains('\n'), "{words}");
            assert!(!words.contains("hunter2"), "{text}: {words}");
        }
    }
}
