//! Text with variables, `${NAME}` and `${NAME:-default}`, and with live values, `${{name}}`, that
//! are known only during the run. `$${` is a literal `${`.

use crate::units::UnitError;

/// Text with variables in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template(Vec<TemplatePart>);

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// Literal text.
    Literal(String),
    /// An environment variable.
    Variable {
        /// Its name.
        name: String,
        /// The value to use if the variable is empty or not set.
        default: Option<String>,
    },
    /// The name of a live value: one that an earlier step captured, or one that each arrival
    /// creates.
    Live(String),
}

impl Template {
    /// Parses text. The error names the malformed variable.
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
            parts.push(TemplatePart::Literal(std::mem::take(&mut literal)));
            parts.push(part);
            rest = after;
        }
        literal.push_str(rest);
        parts.push(TemplatePart::Literal(literal));
        parts.retain(|part| !matches!(part, TemplatePart::Literal(text) if text.is_empty()));
        Ok(Self(parts))
    }

    /// The pieces in order.
    pub fn parts(&self) -> &[TemplatePart] {
        &self.0
    }

    /// The names of its variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| Some(part.variable()?.0))
    }

    /// The names of its live values, in order.
    pub fn live(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            TemplatePart::Live(name) => Some(name.as_str()),
            TemplatePart::Literal(_) | TemplatePart::Variable { .. } => None,
        })
    }
}

impl TemplatePart {
    /// The name of a variable, and its default.
    pub fn variable(&self) -> Option<(&str, Option<&str>)> {
        match self {
            Self::Variable { name, default } => Some((name, default.as_deref())),
            Self::Literal(_) | Self::Live(_) => None,
        }
    }
}

/// The delimiters of a live value.
const LIVE: &str = "${{";
const END_OF_LIVE: &str = "}}";

/// Parses the live value at the start of `text`. Returns it and the rest.
fn live(text: &str) -> Result<(TemplatePart, &str), UnitError> {
    let remedy = "write `${{name}}` for a value that an earlier step captured, `${{data.column}}` for one of a data file, or `${{uuid}}`";
    let inner = &text[LIVE.len()..];
    let end = inner
        .find(END_OF_LIVE)
        .ok_or_else(|| UnitError::new(format!("`{}` is not closed", excerpt(text)), remedy))?;
    let name = inner[..end].trim();
    if let Some(column) = column_of(name) {
        let rest = &inner[end + END_OF_LIVE.len()..];
        return Ok((TemplatePart::Live(data_value(column)), rest));
    }
    if !is_name(name) {
        let written = &text[..LIVE.len() + end + END_OF_LIVE.len()];
        return Err(UnitError::new(format!("`{written}` is not a valid name of a value"), remedy));
    }
    Ok((TemplatePart::Live(name.to_owned()), &inner[end + END_OF_LIVE.len()..]))
}

/// The column that `data.column` names. Columns are named by their file, so blanks and `-` are
/// valid.
fn column_of(name: &str) -> Option<&str> {
    let column = name.strip_prefix(DATA)?.trim();
    let is_valid =
        !column.is_empty() && !column.contains(['{', '}']) && !column.contains(char::is_control);
    is_valid.then_some(column)
}

/// The name of the live value of a column: `data.column`.
pub(crate) fn data_value(column: &str) -> String {
    format!("{DATA}{column}")
}

/// The column of a live value; `None` if its value comes from elsewhere.
pub(crate) fn data_column(name: &str) -> Option<&str> {
    name.strip_prefix(DATA)
}

/// What the name of each value of a data file starts with. No capture is named so: captures have no
/// dot.
const DATA: &str = "data.";

/// Parses the variable at the start of `text`. Returns it and the rest.
fn variable(text: &str) -> Result<(TemplatePart, &str), UnitError> {
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
    Ok((TemplatePart::Variable { name: name.to_owned(), default }, after))
}

/// Whether a text is one variable and nothing else.
pub(crate) fn is_variable(text: &str) -> bool {
    text.starts_with("${") && text.find('}') == Some(text.len() - 1)
}

fn excerpt(text: &str) -> String {
    text.chars().take_while(|c| !c.is_whitespace()).take(40).collect()
}

/// Whether a text is a valid variable name: letters, digits and `_`, not starting with a digit.
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
        let part = |part: &TemplatePart| match part {
            TemplatePart::Literal(text) => text.clone(),
            TemplatePart::Variable { name, default } => {
                format!("<{name}|{}>", default.as_deref().unwrap_or("none"))
            }
            TemplatePart::Live(name) => format!("<{{{name}}}>"),
        };
        template.parts().iter().map(part).collect()
    }

    #[test]
    fn variables_and_defaults_are_separated_from_text() {
        assert_eq!(filled("a${B}c${D:-e f}"), "a<B|none>c<D|e f>");
        assert_eq!(filled("${A}${A:-}"), "<A|none><A|>");
        assert_eq!(filled("plain $5 } {"), "plain $5 } {");
    }

    #[test]
    fn live_values_are_written_in_two_braces() {
        assert_eq!(filled("a${{id}}b${{ id }}${A}"), "a<{id}>b<{id}><A|none>");
        assert_eq!(filled("$${{id}}"), "${{id}}");
        assert_eq!(
            filled("${{ data.user id }}${{data.e-mail}}"),
            "<{data.user id}><{data.e-mail}>"
        );
        assert_eq!(Template::parse("${{a}}${B}").unwrap().live().collect::<Vec<_>>(), ["a"]);
        for text in ["${{", "${{a}", "${{}}", "${{1}}", "${{a b}}", "${{data.}}", "${{data.a{b}}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_doubled_dollar_sign_is_a_literal_one() {
        assert_eq!(filled("$${A} and ${B}"), "${A} and <B|none>");
    }

    #[test]
    fn a_malformed_variable_is_refused() {
        for text in ["${A", "${}", "${1A}", "${A-b}", "${A:-${B}}", "${ä}", "x${", "${A B}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
