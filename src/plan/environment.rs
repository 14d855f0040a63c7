//! The variables a plan is made from.

use std::collections::BTreeMap;
use std::fmt;

/// The variables of the environment, and what to do where one is missing. `Debug` shows their names alone.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<String, String>,
    lenient: bool,
}

impl Environment {
    /// Variables to run with: a missing one is an error.
    pub fn new(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { values: values.into_iter().collect(), lenient: false }
    }

    /// Variables to check with: a missing one is a warning, and a placeholder stands for it.
    pub fn for_check(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { lenient: true, ..Self::new(values) }
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
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
