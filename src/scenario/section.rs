//! Reads a table of known keys, so that every mistake in it is found at once.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::field::{ReadValue, ScenarioField};
use super::toml_value::{in_order, table_of};
use crate::units::near::nearest;

/// The sections of a scenario file, each with its keys.
pub(super) type SectionKeys = [(&'static str, &'static [&'static str])];

/// A table with known keys.
pub(super) struct SectionReader<'a, 'i> {
    table: &'a DeTable<'i>,
    /// Known keys that the unknown keys were probably meant to be.
    meant: Vec<&'a str>,
}

impl<'a, 'i> SectionReader<'a, 'i> {
    /// The table of section `name`. Reports every key that is not one of `keys`.
    pub(super) fn open(
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
    pub(super) fn field<T: ReadValue>(
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

/// Words that are not keys of a section, and the keys that their authors probably mean.
const MEANT: [(&str, &str, &[&str]); 6] = [
    ("[target]", "url", &["base_url"]),
    ("[target]", "host", &["base_url"]),
    ("[request.expect]", "body", &["body_contains", "body_matches", "json"]),
    ("[request.expect]", "body_json", &["json"]),
    ("[request.expect]", "url", &["final_url"]),
    ("[request.expect]", "code", &["status"]),
];

/// The keys that an unknown key was probably meant to be.
fn meant_by<'k>(section: &str, written: &str, keys: &[&'k str]) -> Vec<&'k str> {
    let known = MEANT.iter().find(|(of, word, _)| *of == section && *word == written);
    match known {
        Some((.., meant)) => keys.iter().copied().filter(|key| meant.contains(key)).collect(),
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
    let remedy = match (near, elsewhere) {
        ([others @ .., last], _) => {
            let others: Vec<_> = others.iter().map(|near| format!("`{near}`")).collect();
            let or = if others.is_empty() { "" } else { " or " };
            format!("did you mean {}{or}`{last}`?", others.join(", "))
        }
        ([], Some(section)) => format!("it belongs to {section}"),
        ([], None) => format!("the valid keys are `{}`", keys.join("`, `")),
    };
    Diagnostic::new(key.span(), format!("unknown key `{written}` in {section}"), remedy)
}
