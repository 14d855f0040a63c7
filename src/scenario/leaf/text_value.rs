//! How a value that is written as text is read and described.

use schemars::{Schema, json_schema};
use toml::Spanned;
use toml::de::DeValue;

use crate::scenario::diagnostic::{Diagnostic, Diagnostics};
use crate::scenario::toml_value::wrong_type;
use crate::units::UnitError;

/// A value that is written as text.
pub(super) trait TextValue: Sized {
    /// How such values are written; all of them where [`Self::IS_CHOICE`] is true.
    const EXAMPLES: &[&str];
    /// Whether there are no others than [`Self::EXAMPLES`].
    const IS_CHOICE: bool = false;
    /// Whether any words will do, so that an example tells an editor's user nothing.
    const IS_FREE: bool = false;
    /// Whether variables may stand in it.
    const HOLDS_VARIABLES: bool = false;
    /// What is said to who writes a variable where none can stand.
    const INSTEAD_OF_VARIABLES: &str =
        "variables fill what is sent or compared: URL, path, headers, body, expectations";

    /// A regular expression that every such text matches.
    fn pattern() -> Option<String> {
        None
    }

    /// Reads one.
    fn from_text(text: &str) -> Result<Self, UnitError>;
}

/// Reads a value that is written as text.
pub(super) fn read_text<T: TextValue>(
    value: &Spanned<DeValue<'_>>,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    let Some(text) = value.get_ref().as_str() else {
        let examples: Vec<_> =
            T::EXAMPLES.iter().map(|example| format!("`\"{example}\"`")).collect();
        let remedy = format!("write it like {}", examples.join(" or "));
        diagnostics.add(wrong_type(value, "a text in quotes", remedy));
        return None;
    };
    let read = if !T::HOLDS_VARIABLES && text.contains("${") {
        Err(UnitError::new("no variable can stand here", T::INSTEAD_OF_VARIABLES))
    } else {
        T::from_text(text)
    };
    read.map_err(|error| diagnostics.add(Diagnostic::of_unit(value.span(), error))).ok()
}

pub(super) fn text_schema<T: TextValue>() -> Schema {
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
