//! Text with variables: `${NAME}` and `${NAME:-default}`, and with values that are known only while running: `${{name}}`.
//! `$${` stands for `${` itself.

use crate::units::UnitError;

/// Text in which variables stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template(Vec<Part>);

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text that stands for itself.
    Literal(String),
    /// A variable of the environment.
    Variable {
        /// Its name.
        name: String,
        /// What stands for it where it is not set or empty.
        default: Option<String>,
    },
    /// A value that is known only while running, by its name: what an earlier step captured, or what is made for
    /// each arrival.
    Live(String),
}

impl Template {
    /// Reads text; the error says which variable is not well written.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('$') {
                literal.push_str(before);
                literal.push_str("${");
                rest = &from[2..];
                continue;
            }
            literal.push_str(before);
            let (part, after) = if from.starts_with(LIVE) { live(from)? } else { variable(from)? };
            parts.push(Part::Literal(std::mem::take(&mut literal)));
            parts.push(part);
            rest = after;
        }
        literal.push_str(rest);
        parts.push(Part::Literal(literal));
        parts.retain(|part| !matches!(part, Part::Literal(text) if text.is_empty()));
        Ok(Self(parts))
    }

    /// The pieces in order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The names of its variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable { name, .. } => Some(name.as_str()),
            Part::Literal(_) | Part::Live(_) => None,
        })
    }

    /// The values that are known only while running, by their names, in order.
    pub fn live(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Live(name) => Some(name.as_str()),
            Part::Literal(_) | Part::Variable { .. } => None,
        })
    }
}

/// What a value that is known only while running begins with, and what it ends with.
const LIVE: &str = "${{";
const END_OF_LIVE: &str = "}}";

/// Reads the live value that `text` begins with; returns it and what follows.
fn live(text: &str) -> Result<(Part, &str), UnitError> {
    let remedy = "write `${{name}}` for a value that an earlier step captured, or `${{uuid}}`";
    let inner = &text[LIVE.len()..];
    let end = inner
        .find(END_OF_LIVE)
        .ok_or_else(|| UnitError::new(format!("`{}` is not closed", excerpt(text)), remedy))?;
    let name = inner[..end].trim();
    if !is_name(name) {
        let written = &text[..LIVE.len() + end + END_OF_LIVE.len()];
        return Err(UnitError::new(format!("`{written}` names no value"), remedy));
    }
    Ok((Part::Live(name.to_owned()), &inner[end + END_OF_LIVE.len()..]))
}

/// Reads the variable that `text` begins with; returns it and what follows.
fn variable(text: &str) -> Result<(Part, &str), UnitError> {
    let remedy = "write `${NAME}` or `${NAME:-default}`; `$${` stands for `${` itself";
    let end = text
        .find('}')
        .ok_or_else(|| UnitError::new(format!("`{}` is not closed", excerpt(text)), remedy))?;
    let (inner, after) = (&text[2..end], &text[end + 1..]);
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default.to_owned())),
        None => (inner, None),
    };
    let nested = default.as_ref().is_some_and(|default| default.contains("${"));
    if nested || !is_name(name) {
        return Err(UnitError::new(format!("`{}` is not a variable", &text[..=end]), remedy));
    }
    Ok((Part::Variable { name: name.to_owned(), default }, after))
}

fn excerpt(text: &str) -> String {
    text.chars().take_while(|c| !c.is_whitespace()).take(40).collect()
}

/// Whether a text is the name of a variable: letters, digits and `_`, and no digit first.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        let template = Template::parse(text).unwrap();
        let part = |part: &Part| match part {
            Part::Literal(text) => text.clone(),
            Part::Variable { name, default } => {
                format!("<{name}|{}>", default.as_deref().unwrap_or("none"))
            }
            Part::Live(name) => format!("<{{{name}}}>"),
        };
        template.parts().iter().map(part).collect()
    }

    #[test]
    fn variables_and_defaults_are_told_from_text() {
        assert_eq!(filled("a${B}c${D:-e f}"), "a<B|none>c<D|e f>");
        assert_eq!(filled("${A}${A:-}"), "<A|none><A|>");
        assert_eq!(filled("plain $5 } {"), "plain $5 } {");
    }

    #[test]
    fn values_that_are_known_while_running_stand_in_two_braces() {
        assert_eq!(filled("a${{id}}b${{ id }}${A}"), "a<{id}>b<{id}><A|none>");
        assert_eq!(filled("$${{id}}"), "${{id}}");
        assert_eq!(Template::parse("${{a}}${B}").unwrap().live().collect::<Vec<_>>(), ["a"]);
        for text in ["${{", "${{a}", "${{}}", "${{1}}", "${{a b}}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_doubled_dollar_sign_stands_for_itself() {
        assert_eq!(filled("$${A} and ${B}"), "${A} and <B|none>");
    }

    #[test]
    fn a_variable_that_is_not_well_written_is_refused() {
        for text in ["${A", "${}", "${1A}", "${A-b}", "${A:-${B}}", "${ä}", "x${", "${A B}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
