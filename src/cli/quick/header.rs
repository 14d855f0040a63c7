//! `--header 'Name: value'`, with the values of credential headers kept out of the scenario.

use std::collections::BTreeMap;

use http::HeaderName;

use crate::scenario::{Template, TemplatePart};

/// Public words before a credential.
const SCHEMES: [&str; 4] = ["bearer ", "basic ", "token ", "digest "];

/// A header as typed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Header {
    name: String,
    /// May contain variables.
    value: String,
}

/// Omits the value, which may be a credential.
impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Header").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Header {
    pub(super) fn read(typed: &str) -> Result<Self, &'static str> {
        let (name, value) =
            typed.split_once(':').ok_or("a header has a colon between its name and its value")?;
        let (name, value) = (name.trim(), value.trim());
        HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| "the text before the colon is not a valid header name")?;
        Template::parse(value)
            .map_err(|_| "a variable is malformed: write ${NAME} or ${NAME:-default}")?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }

    /// Whether typed values of this header are secret. Those of all other headers are public.
    fn is_credential(&self) -> bool {
        #[rustfmt::skip]
        const NAMES: [&str; 11] = [
            "authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "apikey",
            "api_access_token", "x-auth-token", "x-hotdash-synthetic", "x-token", "x-key",
        ];
        NAMES.iter().any(|name| self.name.eq_ignore_ascii_case(name))
    }

    /// Whether the value has more than variables and an authentication scheme.
    fn has_text(&self) -> bool {
        let is_public = |part: &TemplatePart| match part {
            TemplatePart::Literal(text) => split_scheme(text).1.is_empty(),
            TemplatePart::Variable { default, .. } => default.is_none(),
            TemplatePart::Live(_) => true,
        };
        !Template::parse(&self.value).is_ok_and(|value| value.parts().iter().all(is_public))
    }

    /// The name and value for the scenario file. Typed text in a credential header is replaced by
    /// variables, which are added to `variables` under names that `environment` does not have.
    pub(super) fn extract_credentials(
        &self,
        environment: &BTreeMap<String, String>,
        variables: &mut BTreeMap<String, String>,
    ) -> (String, String) {
        let template = Template::parse(&self.value).ok().filter(|_| self.is_credential());
        let Some(template) = template else { return (self.name.clone(), self.value.clone()) };
        let is_unset = |name: &String| environment.get(name).is_none_or(String::is_empty);
        let mut value = String::new();
        for part in template.parts() {
            let (public, reference) = match part {
                TemplatePart::Literal(text) => match split_scheme(text) {
                    (scheme, "") => (scheme, None),
                    (scheme, secret) => {
                        (scheme, Some(self.add_variable(secret, environment, variables)))
                    }
                },
                TemplatePart::Variable { name, default: Some(default) } if is_unset(name) => {
                    ("", Some(self.add_variable(default, environment, variables)))
                }
                TemplatePart::Variable { name, .. } => ("", Some(name.clone())),
                TemplatePart::Live(name) => ("", Some(format!("{{{name}}}"))),
            };
            value.push_str(public);
            value.extend(reference.map(|name| format!("${{{name}}}")));
        }
        (self.name.clone(), value)
    }

    /// Adds a secret under the first free name and returns that name.
    fn add_variable(
        &self,
        secret: &str,
        environment: &BTreeMap<String, String>,
        variables: &mut BTreeMap<String, String>,
    ) -> String {
        let name = self.name.to_ascii_uppercase();
        let first = format!("HEADER_{}", name.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
        let numbered = (2..).map(|number| format!("{first}_{number}"));
        let is_free =
            |name: &String| !environment.contains_key(name) && !variables.contains_key(name);
        let free = std::iter::once(first.clone()).chain(numbered).find(is_free).unwrap_or(first);
        variables.insert(free.clone(), secret.to_owned());
        free
    }
}

/// A header as typed; only its name if it is a credential header with typed text.
pub(in crate::cli) fn redact_header(typed: &str) -> String {
    let Ok(header) = Header::read(typed) else { return "•••".to_owned() };
    if header.is_credential() && header.has_text() {
        return format!("{}: •••", header.name);
    }
    typed.to_owned()
}

/// The name of a typed header whose value has text of its own, if that may be shown.
pub(in crate::cli) fn header_with_text(typed: &str) -> Option<String> {
    let header = Header::read(typed).ok().filter(|header| !header.is_credential())?;
    header.has_text().then_some(header.name)
}

/// Splits an authentication scheme and the space after it from the rest.
fn split_scheme(text: &str) -> (&str, &str) {
    let has_scheme =
        |end: &usize| SCHEMES.iter().any(|scheme| text[..*end].eq_ignore_ascii_case(scheme));
    let end = text.find(' ').map(|blank| blank + 1).filter(has_scheme);
    text.split_at(end.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value in the scenario, and the variables that hold its typed text.
    fn extracted(typed: &str, environment: &[&str]) -> (String, Vec<(String, String)>) {
        let environment =
            environment.iter().map(|&name| (name.to_owned(), String::new())).collect();
        let mut variables = BTreeMap::new();
        let (_, value) =
            Header::read(typed).unwrap().extract_credentials(&environment, &mut variables);
        (value, variables.into_iter().collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn typed_text_in_credential_headers_becomes_a_variable() {
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
            (
                "Cookie: sid=${SID:-none}",
                &[],
                "${HEADER_COOKIE}${HEADER_COOKIE_2}",
                &[("HEADER_COOKIE", "sid="), ("HEADER_COOKIE_2", "none")],
            ),
            (
                "X-Auth-Token: secret ${A}",
                &[],
                "${HEADER_X_AUTH_TOKEN}${A}",
                &[("HEADER_X_AUTH_TOKEN", "secret ")],
            ),
            (
                "Cookie: sid=${SID}; k-1=${B}",
                &[],
                "${HEADER_COOKIE}${SID}${HEADER_COOKIE_2}${B}",
                &[("HEADER_COOKIE", "sid="), ("HEADER_COOKIE_2", "; k-1=")],
            ),
        ] {
            assert_eq!(
                extracted(typed, environment),
                (value.to_owned(), pairs(variables)),
                "{typed}"
            );
        }
    }

    #[test]
    fn variables_and_public_headers_stay_as_typed() {
        for (typed, value) in [
            ("Accept: text/html", "text/html"),
            ("Authorization: Bearer ${TOKEN}", "Bearer ${TOKEN}"),
            ("X-Request-Source: synthetic ${A:-b}", "synthetic ${A:-b}"),
        ] {
            assert_eq!(extracted(typed, &[]), (value.to_owned(), Vec::new()), "{typed}");
        }
    }

    #[test]
    fn an_invalid_header_is_refused() {
        for typed in ["Accept", "a b: c", ": c", "X: ${", "X: ${a b}"] {
            assert!(Header::read(typed).is_err(), "{typed}");
        }
    }
}
