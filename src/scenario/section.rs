//! Reads a table of known keys, so that every mistake in it is found at once.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::field::{ReadValue, ScenarioField};
use super::foreign_words::key_remedy;
use super::toml_value::{in_order, table_of};
use crate::units::near::nearest;

/// The sections of a scenario file, each with its keys.
pub(crate) type SectionKeys = [(&'static str, &'static [&'static str])];

/// A table with known keys.
pub(crate) struct SectionReader<'a, 'i> {
    table: &'a DeTable<'i>,
    /// Known keys that the unknown keys were probably meant to be.
    meant: Vec<&'a str>,
}

impl<'a, 'i> SectionReader<'a, 'i> {
    /// The table of section `name`. Reports every key that is not one of `keys`.
    pub(crate) fn open(
        name: &str,
        keys: &[&'a str],
        sections: &SectionKeys,
        value: &'a Spanned<DeValue<'i>>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let remedy = match keys {
            [first, ..] if !name.starts_with('[') => format!("write it like `{{ {first} = … }}`"),
            _ => format!("write it as the section {name}"),
        };
        let table = table_of(value, &remedy, diagnostics)?;
        let mut meant = Vec::new();
        for (key, _) in in_order(table).filter(|(key, _)| !keys.contains(&key.get_ref().as_ref())) {
            let near = meant_by(name, key.get_ref(), keys);
            diagnostics.add(unknown(key, (name, keys), &near, sections));
            meant.extend(near);
        }
        Some(Self { table, meant })
    }

    /// The value of a key. A misspelt key counts as written, so that it is not also reported as
    /// missing.
    pub(crate) fn field<T: ReadValue>(
        &self,
        name: &str,
        diagnostics: &mut Diagnostics,
    ) -> ScenarioField<T> {
        match self.table.iter().find(|(key, _)| key.get_ref() == name) {
            Some((key, value)) => ScenarioField::read(key.span(), value, diagnostics),
            None if self.meant.contains(&name) => ScenarioField::Invalid,
            None => ScenarioField::Absent,
        }
    }
}

/// The keys that an unknown key was probably meant to be.
fn meant_by<'k>(section: &str, written: &str, keys: &[&'k str]) -> Vec<&'k str> {
    match key_remedy(section, written) {
        Some((meant, _)) => keys.iter().copied().filter(|key| meant.contains(key)).collect(),
        None => nearest(written, keys).into_iter().collect(),
    }
}

fn unknown(
    key: &Spanned<Cow<'_, str>>,
    (section, keys): (&str, &[&str]),
    near: &[&str],
    sections: &SectionKeys,
) -> Diagnostic {
    let written = key.get_ref().as_ref();
    let elsewhere =
        sections.iter().find(|(_, keys)| keys.contains(&written)).map(|(section, _)| section);
    let remedy = match (key_remedy(section, written), near, elsewhere) {
        (Some((_, remedy)), ..) => remedy.to_owned(),
        (None, [near, ..], _) => format!("did you mean `{near}`?"),
        (None, [], Some(section)) => format!("it belongs to {section}"),
        (None, [], None) => format!("the valid keys are `{}`", keys.join("`, `")),
    };
    Diagnostic::new(key.span(), format!("unknown key `{written}` in {section}"), remedy)
}
