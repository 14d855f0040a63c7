//! A URL as it is typed, split into the parts that a scenario file has keys for.

use std::collections::BTreeSet;

use url::Url;

use super::super::exit::CommandError;
use crate::library_text::describe_url;

/// The maximum length of a scenario's name, in characters.
pub(super) const MAX_NAME_LENGTH: usize = 80;

/// A URL as it is typed. It may contain variables, `${NAME}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Scheme, host and port.
    pub(super) base_url: String,
    /// The rest from `/` on, with the query and without the fragment.
    pub(super) path: String,
}

impl Address {
    /// Splits a URL. Errors never show it, because it may contain a password.
    pub(super) fn read(typed: &str) -> Result<Self, CommandError> {
        let wrong =
            |why: String| CommandError::usage(format!("error: a URL on the command line {why}"));
        let typed = typed.split_once('#').map_or(typed, |(before, _)| before);
        // The value of a variable does not change where the parts are, so a stand-in is parsed.
        let plain = replace_variables(typed, stand_in);
        let url = Url::parse(&plain).map_err(|error| {
            wrong(format!(
                "cannot be read: {}; write one such as `https://example.org/shop?page=1`",
                describe_url(error)
            ))
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "holds a user name or password; leave them out and send \
                 --header 'Authorization: Basic ${CREDENTIALS}'"
                    .to_owned(),
            ));
        }
        let after_scheme = typed.find("://").map_or(0, |at| at + 3);
        let end = typed[after_scheme..]
            .find(['/', '?', '\\'])
            .map_or(typed.len(), |at| after_scheme + at);
        let (base_url, path) = typed.split_at(end);
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { base_url: base_url.to_owned(), path: format!("{slash}{path}") })
    }

    /// The form of the URL in errors and names: without the query, which may contain a secret.
    pub(super) fn shown(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{}{path}", self.base_url)
    }

    /// A name made of host and path that is not in `taken`.
    pub(super) fn name(&self, taken: &BTreeSet<String>) -> String {
        let shown = replace_variables(&self.shown(), |_, name| name.to_owned());
        let bare = shown.split_once("://").map_or(shown.as_str(), |(_, rest)| rest);
        // The path of a Unix socket is percent-encoded.
        let bare = bare.replace("%2F", "/").replace("%2f", "/");
        let bare = bare.trim_end_matches('/');
        let clean: String =
            bare.chars().filter(|c| !c.is_control()).take(MAX_NAME_LENGTH - 5).collect();
        let numbered = (2..).map(|number| format!("{clean} {number}"));
        let mut names = std::iter::once(clean.clone()).chain(numbered);
        names.find(|name| !taken.contains(name)).unwrap_or(clean)
    }
}

/// A value that a variable may have where it stands in a URL, after the text `before`.
fn stand_in(before: &str, name: &str) -> String {
    let value = match before.chars().last() {
        Some('[') => "::1",
        Some(':') => "1",
        _ => name,
    };
    value.to_owned()
}

/// The text with each `${NAME:-default}` replaced by its default, and each `${NAME}` by what
/// `value` makes of the text before it and the name.
fn replace_variables(text: &str, value: impl Fn(&str, &str) -> String) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("${") {
        plain.push_str(before);
        let (variable, after) = from.split_once('}').unwrap_or((from, ""));
        plain += &match variable.split_once(":-") {
            Some((_, default)) => default.to_owned(),
            None => value(&plain, variable),
        };
        rest = after;
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: &str) -> (String, String) {
        let Address { base_url, path } = Address::read(typed).unwrap();
        (base_url, path)
    }

    fn parts(base_url: &str, path: &str) -> (String, String) {
        (base_url.to_owned(), path.to_owned())
    }

    #[test]
    fn a_url_is_split_where_its_path_begins() {
        assert_eq!(read("https://example.org"), parts("https://example.org", "/"));
        assert_eq!(read("http://[::1]:80/a/b?c=/d#e"), parts("http://[::1]:80", "/a/b?c=/d"));
        assert_eq!(
            read("http+unix://%2Frun%2Fapp.sock/a?b=c"),
            parts("http+unix://%2Frun%2Fapp.sock", "/a?b=c")
        );
        assert_eq!(read("HTTPS://example.org?a=b"), parts("HTTPS://example.org", "/?a=b"));
        assert_eq!(
            read("http://${HOST}:81/x?t=${TOKEN}"),
            parts("http://${HOST}:81", "/x?t=${TOKEN}")
        );
    }

    #[test]
    fn a_variable_may_be_an_ip_address_or_a_port() {
        for base_url in ["http://[${IP}]:3000", "http://${HOST}:${PORT}", "http://h:${PORT:-80}"] {
            assert_eq!(read(&format!("{base_url}/x")), parts(base_url, "/x"));
        }
        assert!(Address::read("http://${USER}:${PASSWORD}@h/").is_err());
    }

    #[test]
    fn a_url_with_credentials_is_refused_without_showing_them() {
        for typed in [
            "https://user:hunter2@example.org/",
            "https://hunter2@example.org",
            "https://a:hunter2@/",
        ] {
            let message = Address::read(typed).unwrap_err().to_string();
            assert!(!message.contains("hunter2"), "{message}");
        }
        assert!(Address::read("http://").is_err());
    }

    #[test]
    fn names_are_made_of_host_and_path_and_differ() {
        let name = |typed: &str, taken: &[&str]| {
            let taken = taken.iter().map(|&name| name.to_owned()).collect();
            Address::read(typed).unwrap().name(&taken)
        };
        assert_eq!(name("https://example.org/shop/?key=1", &[]), "example.org/shop");
        assert_eq!(
            name("https://example.org/", &["example.org", "example.org 2"]),
            "example.org 3"
        );
        assert_eq!(name("https://example.org/${TENANT}/x", &[]), "example.org/TENANT/x");
        assert_eq!(name("http+unix://%2Frun%2Fapp.sock/x", &[]), "/run/app.sock/x");
        assert!(
            name(&format!("https://example.org/{}", "ä".repeat(200)), &[]).chars().count() <= 80
        );
    }
}
