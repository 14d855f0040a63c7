//! How a value that is written as text is read and described.

use schemars::{Schema, json_schema};
use toml::Spanned;
use toml::de::DeValue;

use crate::scenario::diagnostic::{Diagnostic, Diagnostics};
use crate::scenario::toml_value::wrong_type;
use crate::units::UnitError;

/// A value that is written as text.
pub(crate) trait TextValue: Sized {
    /// Examples of such values; all possible values if [`Self::IS_CHOICE`] is true.
    const EXAMPLES: &[&str];
    /// Whether [`Self::EXAMPLES`] are the only possible values.
    const IS_CHOICE: bool = false;
    /// Whether any text is valid, so that an example would not help the user of an editor.
    const IS_FREE: bool = false;
    /// Whether it may contain variables.
    const HOLDS_VARIABLES: bool = false;
    /// The remedy for a variable in a value that cannot contain one.
    const INSTEAD_OF_VARIABLES: &str =
        "variables can be used in what is sent or compared: URL, path, headers, body, expectations";

    /// A regular expression that every valid text matches.
    fn pattern() -> Option<String> {
        None
    }

    /// Parses the value.
    fn from_text(text: &str) -> Result<Self, UnitError>;
}

/// Reads a value that is written as text.
pub(crate) fn read_text<T: TextValue>(
    value: &Spanned<DeValue<'_>>,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    let Some(text) = value.get_ref().as_str() else {
        let examples: Vec<_> =
            T::EXAMPLES.iter().map(|example| format!("`\"{example}\"`")).collect();
        let remedy = format!("write it like {}", examples.join(" or "));
        diagnostics.add(wrong_type(value, "a quoted string", remedy));
        return None;
    };
    let read = if !T::HOLDS_VARIABLES && text.contains("${") {
        Err(UnitError::new("variables are not allowed here", T::INSTEAD_OF_VARIABLES))
    } else {
        T::from_text(text)
    };
    read.map_err(|error| diagnostics.add(Diagnostic::of_unit(value.span(), error))).ok()
}

pub(crate) fn text_schema<T: TextValue>() -> Schema {
    if T::IS_CHOICE {
        return json_schema!({ "type": "string", "enum": T::EXAMPLES });
    }
    let mut schema = json_schema!({ "type": "string" });
    if !T::IS_FREE {
        schema.insert("examples".to_owned(), T::EXAMPLES.into());
    }
    if let Some(pattern) = T::pattern() {
        schema.insert("pattern".to_owned(), pattern.into());
    }
    schema
}
