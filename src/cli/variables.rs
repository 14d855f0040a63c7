//! The process's environment variables.

/// The variables of this process whose name and value are UTF-8. A scenario can only use these.
pub(super) fn utf8_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The value of one of them.
pub(super) fn utf8_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
