//! `--proxy URL`, with a typed password kept out of the scenario.

use std::collections::BTreeMap;

use crate::scenario::is_variable;

/// A proxy as typed. It may contain variables.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct TypedProxy(String);

/// Omits the URL, which may contain a password.
impl std::fmt::Debug for TypedProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TypedProxy")
    }
}

impl TypedProxy {
    /// Fails if a variable in the password is more than a name: a default would be a typed password
    /// that the scenario shows.
    pub(super) fn new(typed: &str) -> Result<Self, &'static str> {
        let password = split(typed).map_or("", |(_, password, _)| password);
        let is_name = |part: &PasswordPart<'_>| match part {
            PasswordPart::Typed(_) => true,
            PasswordPart::Variable(text) => {
                text[2..text.len() - 1].chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
            }
        };
        if parts(password).iter().all(is_name) {
            Ok(Self(typed.to_owned()))
        } else {
            Err("a variable in its password must be a name alone, such as `${NAME}`")
        }
    }

    /// The proxy for the scenario file. Each typed part of a password is replaced by a variable,
    /// which is added to `variables` under a name that `environment` does not have; variables in it
    /// stay. The password is thus secret as a whole.
    pub(super) fn extract_password(
        &self,
        environment: &BTreeMap<String, String>,
        variables: &mut BTreeMap<String, String>,
    ) -> String {
        let Some((before, password, after)) = split(&self.0) else { return self.0.clone() };
        let mut written = before.to_owned();
        for part in parts(password) {
            let PasswordPart::Typed(typed) = part else {
                written += part.text();
                continue;
            };
            let name = free_name(environment, variables);
            written.extend(["${", &name, "}"]);
            variables.insert(name, typed.replace("$${", "${"));
        }
        written + after
    }
}

/// A name for a part of a password that no variable has yet.
fn free_name(
    environment: &BTreeMap<String, String>,
    variables: &BTreeMap<String, String>,
) -> String {
    const FIRST: &str = "PROXY_PASSWORD";
    let is_free = |name: &str| !environment.contains_key(name) && !variables.contains_key(name);
    if is_free(FIRST) {
        return FIRST.to_owned();
    }
    let mut numbered = (2_u64..).map(|number| format!("{FIRST}_{number}"));
    numbered.find(|name| is_free(name)).unwrap_or_default()
}

/// A part of a password.
enum PasswordPart<'a> {
    /// Literal text; `$${` stands for `${`.
    Typed(&'a str),
    /// A variable, `${NAME}`.
    Variable(&'a str),
}

impl<'a> PasswordPart<'a> {
    fn text(&self) -> &'a str {
        match self {
            Self::Typed(text) | Self::Variable(text) => text,
        }
    }
}

/// The typed parts of a password and the variables between them.
fn parts(password: &str) -> Vec<PasswordPart<'_>> {
    let (mut parts, mut typed, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = password[at..].find("${").map(|found| at + found) {
        let end = password[found..].find('}').map(|end| found + end + 1);
        let is_escaped = password[typed..found].ends_with('$');
        let Some(end) = end.filter(|_| !is_escaped) else {
            at = found + 2;
            continue;
        };
        parts.extend((typed < found).then(|| PasswordPart::Typed(&password[typed..found])));
        parts.push(PasswordPart::Variable(&password[found..end]));
        (typed, at) = (end, end);
    }
    parts.extend((typed < password.len()).then(|| PasswordPart::Typed(&password[typed..])));
    parts
}

/// A proxy as typed, without its password.
pub(in crate::cli) fn redact_proxy(typed: &str) -> String {
    match split(typed) {
        Some((before, password, after)) if !is_variable(password) => {
            format!("{before}•••{after}")
        }
        _ => typed.to_owned(),
    }
}

/// The text before, in and after the password; `None` if there are no credentials. A user without a
/// password counts as one, because tokens are written so.
fn split(typed: &str) -> Option<(&str, &str, &str)> {
    let begin = typed.find("://").map_or(0, |at| at + 3);
    let end = typed[begin..].rfind('@')? + begin;
    let password = typed[begin..end].find(':').map_or(begin, |colon| begin + colon + 1);
    Some((&typed[..password], &typed[password..end], &typed[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_password_becomes_a_variable_and_is_redacted_in_the_command() {
        for (typed, written, redacted) in [
            (
                "http://me:p@ss@proxy.test:3128",
                "http://me:${PROXY_PASSWORD}@proxy.test:3128",
                "http://me:•••@proxy.test:3128",
            ),
            (
                "http://token@proxy.test:3128",
                "http://${PROXY_PASSWORD}@proxy.test:3128",
                "http://•••@proxy.test:3128",
            ),
            (
                "http://me:${P}@proxy.test:3128",
                "http://me:${P}@proxy.test:3128",
                "http://me:${P}@proxy.test:3128",
            ),
            (
                "http://me:${P}pw@proxy.test:3128",
                "http://me:${P}${PROXY_PASSWORD}@proxy.test:3128",
                "http://me:•••@proxy.test:3128",
            ),
            (
                "http://me:a${P}b$${c}@proxy.test:3128",
                "http://me:${PROXY_PASSWORD}${P}${PROXY_PASSWORD_2}@proxy.test:3128",
                "http://me:•••@proxy.test:3128",
            ),
            ("http://proxy.test:3128", "http://proxy.test:3128", "http://proxy.test:3128"),
        ] {
            let mut variables = BTreeMap::new();
            let file =
                TypedProxy::new(typed).unwrap().extract_password(&BTreeMap::new(), &mut variables);
            assert_eq!((file.as_str(), redact_proxy(typed).as_str()), (written, redacted));
            assert_eq!(variables.is_empty(), typed == written);
            assert!(variables.values().all(|value| !value.contains("$$")));
        }
    }

    #[test]
    fn a_variable_with_a_default_in_a_password_is_refused_without_showing_it() {
        for typed in ["http://me:${P:-hunter2}@h:1", "http://me:a${{data.x}}@h:1"] {
            let refused = TypedProxy::new(typed).unwrap_err();
            assert!(refused.contains("a name alone") && !refused.contains("hunter2"), "{refused}");
        }
    }
}
