//! The environment variables that a plan is made from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The environment variables, and what happens if one is missing. `Debug` shows only the names.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<String, String>,
    lenient: bool,
    /// Variables that are set where the plan is carried out.
    elsewhere: BTreeSet<String>,
}

impl Environment {
    /// Variables for a run. A missing variable is an error.
    pub fn new(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { values: values.into_iter().collect(), ..Self::default() }
    }

    /// Variables for a check. A missing variable is a warning, and a placeholder replaces it.
    pub fn for_check(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { lenient: true, ..Self::new(values) }
    }

    /// The same for machines that have these variables: they are not missed here.
    #[must_use]
    pub fn with_elsewhere(self, names: BTreeSet<String>) -> Self {
        Self { elsewhere: names, ..self }
    }

    /// What a check fills in for a variable that is not set.
    pub(super) const PLACEHOLDER: &str = "placeholder";

    /// Whether a host stands for one that depends on a variable that is not set.
    pub fn is_placeholder(host: &str) -> bool {
        host.strip_suffix(".invalid").unwrap_or(host) == Self::PLACEHOLDER
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn is_elsewhere(&self, name: &str) -> bool {
        self.elsewhere.contains(name)
    }

    pub(super) fn is_lenient(&self) -> bool {
        self.lenient
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}
