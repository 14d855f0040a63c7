//! Names of apps and machines, checked before they become part of a path.

use std::fmt;

/// Maximum length of a name. Fly's own limits are lower.
const LONGEST: usize = 100;

/// The name of an app, as in `fly apps list`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppName(String);

/// The id of a machine, as in `fly machine list`: `148e21ea7e1e89`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MachineId(String);

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown} is not {what}: {why}; `{remedy}` lists them")]
pub struct NameError {
    what: &'static str,
    shown: String,
    why: &'static str,
    remedy: &'static str,
}

impl AppName {
    /// Checks a name: letters, digits, `-` and `_`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check(text, "the name of an app", "fly apps list").map(Self)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl MachineId {
    /// Checks an id: letters, digits, `-` and `_`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check(text, "the id of a machine", "fly machine list").map(Self)
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn check(text: &str, what: &'static str, remedy: &'static str) -> Result<String, NameError> {
    let shown = format!("`{}`", text.escape_debug().take(LONGEST).collect::<String>());
    let error = |why| NameError { what, shown: shown.clone(), why, remedy };
    if text.is_empty() {
        return Err(error("it is empty"));
    }
    if text.len() > LONGEST {
        return Err(error("it is longer than 100 characters"));
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !text.bytes().all(is_plain) {
        return Err(error("it may contain letters, digits, `-` and `_`"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_change_the_path_of_a_call_are_refused() {
        for text in ["", ".", "..", "a/b", "a%2fb", "a?b", "a b", "ä", "a\nb", "a#b", "a\\b"] {
            let error = MachineId::parse(text).unwrap_err().to_string();
            assert!(
                error.contains("is not the id of a machine") && !error.contains('\n'),
                "{error}"
            );
            assert!(AppName::parse(text).is_err(), "{text}");
        }
        assert!(AppName::parse(&"a".repeat(101)).is_err());
        assert_eq!(AppName::parse("hotdash-staging").unwrap().as_str(), "hotdash-staging");
        assert_eq!(MachineId::parse("148e21ea7e1e89").unwrap().to_string(), "148e21ea7e1e89");
    }

    #[test]
    fn the_error_says_where_names_are_listed() {
        let error = AppName::parse("my app").unwrap_err().to_string();
        let expected = "`my app` is not the name of an app: it may contain letters, digits, `-` \
                        and `_`; `fly apps list` lists them";
        assert_eq!(error, expected);
    }
}
