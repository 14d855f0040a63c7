//! `--header 'Name: value'`, with what may be a credential kept apart.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use clap::builder::TypedValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};
use http::HeaderName;

use crate::scenario::{Part, Template};

/// Headers whose typed values are no credentials: these alone are shown as they are typed.
const HARMLESS: [&str; 22] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-type",
    "dnt",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "origin",
    "pragma",
    "prefer",
    "range",
    "save-data",
    "te",
    "upgrade-insecure-requests",
    "user-agent",
    "x-requested-with",
];

/// A header as it is typed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// Its name, as written.
    pub(super) name: String,
    /// Its value, in which variables may stand.
    value: String,
}

/// Shows no value: it may be a credential.
impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Header").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Header {
    fn read(typed: &str) -> Result<Self, &'static str> {
        let (name, value) =
            typed.split_once(':').ok_or("a header has a colon between its name and its value")?;
        let (name, value) = (name.trim(), value.trim());
        HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| "what stands before the colon is no header's name")?;
        Template::parse(value)
            .map_err(|_| "a variable is not well written: write ${NAME} or ${NAME:-default}")?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }

    /// The value as the scenario has it: whatever was typed in place of a variable becomes one, unless the header is
    /// known to hold no credential. Its values are added to `variables`, under names that `environment` has not.
    pub(super) fn kept_apart(
        &self,
        environment: &BTreeMap<String, String>,
        variables: &mut BTreeMap<String, String>,
    ) -> (String, String) {
        let harmless = HARMLESS.contains(&self.name.to_ascii_lowercase().as_str());
        let template = Template::parse(&self.value).ok().filter(|_| !harmless);
        let Some(template) = template else { return (self.name.clone(), self.value.clone()) };
        let mut value = String::new();
        for part in template.parts() {
            match part {
                Part::Literal(text) if is_frame(&self.name, text, template.parts().len()) => {
                    value.push_str(&escaped(text));
                }
                Part::Literal(text) => {
                    // The scheme stays to be read: `Bearer ${…}`.
                    let (scheme, secret) = scheme(text);
                    value.push_str(scheme);
                    value.push_str("${");
                    value.push_str(&keep(&self.name, secret, environment, variables));
                    value.push('}');
                }
                Part::Variable { name, default: Some(default) } if is_unset(name, environment) => {
                    value.extend(["${", &keep(&self.name, default, environment, variables), "}"]);
                }
                Part::Variable { name, .. } => value.extend(["${", name, "}"]),
                Part::Live(name) => value.extend(["${{", name, "}}"]),
            }
        }
        (self.name.clone(), value)
    }
}

/// Keeps a value as a variable and returns its name.
fn keep(
    header: &str,
    secret: &str,
    environment: &BTreeMap<String, String>,
    variables: &mut BTreeMap<String, String>,
) -> String {
    let upper: String = header
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect();
    let first = format!("HEADER_{upper}");
    let numbered = (2..).map(|number| format!("HEADER_{upper}_{number}"));
    let mut names = std::iter::once(first.clone()).chain(numbered);
    let free = |name: &String| !environment.contains_key(name) && !variables.contains_key(name);
    let name = names.find(free).unwrap_or(first);
    variables.insert(name.clone(), secret.to_owned());
    name
}

/// Whether a text beside variables is what surrounds a value: a scheme such as `Bearer `, signs, or a cookie's `; sid=`.
fn is_frame(header: &str, text: &str, parts: usize) -> bool {
    let name_of_a_cookie = || {
        let name = text.trim_matches([' ', ';', '=']);
        header.eq_ignore_ascii_case("cookie")
            && text.ends_with('=')
            && name.len() <= 16
            && name.bytes().all(|byte| byte.is_ascii_alphabetic() || b"-_".contains(&byte))
    };
    let signs_alone = || text.chars().all(|c| " ,;=\"".contains(c));
    parts > 1 && (signs_alone() || is_scheme(text) || name_of_a_cookie())
}

/// Whether a variable leaves its place to the default.
fn is_unset(name: &str, environment: &BTreeMap<String, String>) -> bool {
    environment.get(name).is_none_or(String::is_empty)
}

/// A header as it was typed, or its name alone where something stands in it that may be a secret.
pub(in crate::cli) fn shown_header(typed: &str) -> String {
    let Ok(header) = Header::read(typed) else { return "•••".to_owned() };
    let parts =
        Template::parse(&header.value).map(|value| value.parts().to_vec()).unwrap_or_default();
    let is_open = |part: &Part| match part {
        Part::Literal(text) => is_frame(&header.name, text, parts.len()),
        Part::Variable { default, .. } => default.is_none(),
        Part::Live(_) => true,
    };
    let is_harmless = HARMLESS.contains(&header.name.to_ascii_lowercase().as_str());
    if is_harmless || parts.iter().all(is_open) {
        typed.to_owned()
    } else {
        format!("{}: •••", header.name)
    }
}

const SCHEMES: [&str; 4] = ["bearer ", "basic ", "token ", "digest "];

fn is_scheme(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| text.eq_ignore_ascii_case(scheme))
}

/// An authentication scheme with its blank, and the rest.
fn scheme(text: &str) -> (&str, &str) {
    let found = SCHEMES.iter().find(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    match found {
        Some(scheme) if text.len() > scheme.len() => text.split_at(scheme.len()),
        _ => ("", text),
    }
}

/// Text that a scenario reads as itself.
fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// Reads `--header`; its errors never show what was typed.
#[derive(Debug, Clone)]
pub(super) struct HeaderParser;

impl TypedValueParser for HeaderParser {
    type Value = Header;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Header, clap::Error> {
        let read = value.to_str().ok_or("a header is text in UTF-8").and_then(Header::read);
        read.map_err(|why| {
            let message = format!(
                "invalid value for '--header <NAME: VALUE>': {why}; write 'Accept: text/html'"
            );
            wrong("--header", command, message)
        })
    }
}

/// An error about a flag's value that does not hold the value.
fn wrong(flag: &str, command: &Command, message: impl std::fmt::Display) -> clap::Error {
    let mut error = command.clone().error(ErrorKind::ValueValidation, message);
    error.insert(ContextKind::InvalidArg, ContextValue::String(flag.to_owned()));
    error
}

/// Reads text with variables; its errors never show what was typed.
#[derive(Debug, Clone)]
pub(super) struct BodyParser;

impl TypedValueParser for BodyParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        let text = value.to_str().filter(|text| Template::parse(text).is_ok());
        text.map(str::to_owned).ok_or_else(|| {
            let message = "invalid value for '--body <TEXT>': it is no text in UTF-8, or a variable in it is not well \
                           written; write ${NAME}, and $${ for ${ itself";
            wrong("--body", command, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value in the scenario, and the variables kept apart.
    fn kept(typed: &str, environment: &[&str]) -> (String, Vec<(String, String)>) {
        let environment =
            environment.iter().map(|&name| (name.to_owned(), String::new())).collect();
        let mut variables = BTreeMap::new();
        let (_, value) = Header::read(typed).unwrap().kept_apart(&environment, &mut variables);
        (value, variables.into_iter().collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn whatever_may_be_a_credential_becomes_a_variable() {
        for (typed, environment, value, variables) in [
            ("X-Api-Key: k-1", &[][..], "${HEADER_X_API_KEY}", &[("HEADER_X_API_KEY", "k-1")][..]),
            (
                "authorization: Bearer k-1",
                &[],
                "Bearer ${HEADER_AUTHORIZATION}",
                &[("HEADER_AUTHORIZATION", "k-1")],
            ),
            ("X-Key: k-1", &["HEADER_X_KEY"], "${HEADER_X_KEY_2}", &[("HEADER_X_KEY_2", "k-1")]),
            ("X-Key: k$${1}", &[], "${HEADER_X_KEY}", &[("HEADER_X_KEY", "k${1}")]),
            ("Cookie: sid=${SID:-none}", &[], "sid=${HEADER_COOKIE}", &[("HEADER_COOKIE", "none")]),
            ("X-Auth: secret ${A}", &[], "${HEADER_X_AUTH}${A}", &[("HEADER_X_AUTH", "secret ")]),
            (
                "Cookie: sid=${SID}; k-1=${B}",
                &[],
                "sid=${SID}${HEADER_COOKIE}${B}",
                &[("HEADER_COOKIE", "; k-1=")],
            ),
        ] {
            assert_eq!(kept(typed, environment), (value.to_owned(), pairs(variables)), "{typed}");
        }
    }

    #[test]
    fn variables_and_harmless_headers_stay_as_they_are_typed() {
        for (typed, value) in [
            ("Accept: text/html", "text/html"),
            ("Authorization: Bearer ${TOKEN}", "Bearer ${TOKEN}"),
            ("Cookie: sid=${SID}; theme=${THEME}", "sid=${SID}; theme=${THEME}"),
        ] {
            assert_eq!(kept(typed, &[]), (value.to_owned(), Vec::new()), "{typed}");
        }
    }

    #[test]
    fn a_header_that_cannot_be_read_is_refused() {
        for typed in ["Accept", "a b: c", ": c", "X: ${", "X: ${a b}"] {
            assert!(Header::read(typed).is_err(), "{typed}");
        }
    }
}
