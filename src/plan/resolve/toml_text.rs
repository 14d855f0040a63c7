//! Text as TOML writes it.

use toml::Value as Toml;

/// Text as TOML writes it, on one line.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().any(char::is_control) {
        return format!("{text:?}");
    }
    Toml::String(text.to_owned()).to_string()
}
