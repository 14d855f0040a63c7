//! YAML in a chosen order, with comments, that reads well to a person.
//!
//! The library decides how a text is quoted, so that no text can be read as anything else.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_saphyr::{Commented, FlowMap, FlowSeq, SpaceAfter, ser_options};

use super::error::JobError;

/// A node of a document.
#[derive(Debug, Clone)]
pub(super) enum Yaml {
    /// A mapping, one entry a line.
    Map(YamlEntries),
    /// A mapping on one line.
    Inline(YamlEntries),
    /// A sequence, one element a line.
    List(Vec<Yaml>),
    /// A sequence on one line.
    Row(Vec<Yaml>),
    Text(String),
    Number(u64),
    Switch(bool),
    /// A scalar with a comment behind it.
    Noted(Box<Yaml>, String),
    /// A node with an empty line behind it.
    Spaced(Box<Yaml>),
}

/// The entries of a mapping, in the order in which they are written.
#[derive(Debug, Clone)]
pub(super) struct YamlEntries(Vec<(String, Yaml)>);

/// Which spellings of texts are quoted.
#[derive(Debug, Clone, Copy)]
pub(super) enum YamlReader {
    /// All that any reader takes for something else, such as `on`.
    Any,
    /// Those of YAML 1.2, in which `on` is a text.
    Version12,
}

/// A mapping, one entry a line.
pub(super) fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Yaml)>) -> Yaml {
    Yaml::Map(YamlEntries::of(entries))
}

/// A mapping on one line.
pub(super) fn inline<K: Into<String>>(entries: impl IntoIterator<Item = (K, Yaml)>) -> Yaml {
    Yaml::Inline(YamlEntries::of(entries))
}

/// A sequence of texts, one a line.
pub(super) fn texts<T: Into<Yaml>>(texts: impl IntoIterator<Item = T>) -> Yaml {
    Yaml::List(texts.into_iter().map(Into::into).collect())
}

impl Yaml {
    /// The same scalar with a comment behind it.
    pub(super) fn noted(self, comment: impl Into<String>) -> Self {
        Self::Noted(Box::new(self), comment.into())
    }

    /// The same node with an empty line behind it.
    pub(super) fn spaced(self) -> Self {
        Self::Spaced(Box::new(self))
    }
}

impl YamlEntries {
    fn of<K: Into<String>>(entries: impl IntoIterator<Item = (K, Yaml)>) -> Self {
        Self(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Yaml {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Yaml {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Yaml {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Yaml {
    fn from(switch: bool) -> Self {
        Self::Switch(switch)
    }
}

impl Serialize for Yaml {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Map(entries) => entries.serialize(serializer),
            Self::Inline(entries) => FlowMap(entries).serialize(serializer),
            Self::List(elements) => elements.serialize(serializer),
            Self::Row(elements) => FlowSeq(elements).serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Switch(switch) => serializer.serialize_bool(*switch),
            Self::Noted(node, comment) => Commented(node, comment.clone()).serialize(serializer),
            Self::Spaced(node) => SpaceAfter(node).serialize(serializer),
        }
    }
}

impl Serialize for YamlEntries {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// The documents as text, with `heading` as comment before them.
pub(super) fn write(
    heading: &[String],
    documents: &[Yaml],
    reader: YamlReader,
) -> Result<String, JobError> {
    let options = || {
        ser_options! {
            yaml_12: matches!(reader, YamlReader::Version12),
            no_lang_directive: true,
            folded_wrap_chars: usize::MAX,
        }
    };
    let document = |document| {
        serde_saphyr::to_string_with_options(document, options()).map_err(|error| {
            JobError::new(format!("the YAML cannot be written: {error}"), "report this as a defect")
        })
    };
    let documents = documents.iter().map(document).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("{}\n{}", comment(heading), documents.join("---\n")))
}

/// Lines of a comment in YAML or in a shell script. Control characters cannot end it.
pub(super) fn comment(lines: &[String]) -> String {
    let escaped = |line: &String| {
        let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        let shown: String = line
            .chars()
            .map(|c| if is_break(c) { c.escape_default().to_string() } else { c.into() })
            .collect();
        if shown.is_empty() { "#\n".to_owned() } else { format!("# {shown}\n") }
    };
    lines.iter().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Reads a document as such a reader does; [`YamlReader::Any`] takes more for a switch.
    fn read_by(reader: YamlReader, written: &str) -> Value {
        let strict_booleans = matches!(reader, YamlReader::Version12);
        let options = serde_saphyr::options! { strict_booleans: strict_booleans };
        serde_saphyr::from_str_with_options(written, options).unwrap()
    }

    #[test]
    fn a_text_that_some_reader_takes_for_something_else_is_read_back_as_a_text() {
        let texts = [
            "y", "Y", "n", "N", "yes", "off", "True", "~", "NULL", "1e3", "0x1F", "0o7", "1_000",
            ".inf", "<<", "=",
        ];
        for reader in [YamlReader::Any, YamlReader::Version12] {
            let written =
                write(&[], &[map([("a", Yaml::Row(texts.map(Yaml::from).into()))])], reader);
            assert_eq!(read_by(reader, &written.unwrap())["a"], serde_json::json!(texts));
        }
    }

    proptest! {
        #[test]
        fn every_text_is_read_back_as_itself(key in ".*", text in "(?s).*", lines in "(?s)[-# :'\"\t a\n\r|>\u{85}]*") {
            for reader in [YamlReader::Any, YamlReader::Version12] {
                let listed = Yaml::List(vec![text.as_str().into(), lines.as_str().into()]);
                let row = Yaml::Row(vec![text.as_str().into(), lines.as_str().into()]);
                let entries = [("a", row), ("b", listed), ("c", inline([(key.clone(), text.as_str().into())]))];
                let written = write(&[text.clone(), lines.clone()], &[map(entries)], reader).unwrap();
                let read = read_by(reader, &written);
                let both = serde_json::json!([text, lines]);
                prop_assert_eq!(&read["a"], &both);
                prop_assert_eq!(&read["b"], &both);
                prop_assert_eq!(&read["c"][&key], &Value::from(text.clone()));
            }
        }
    }

    #[test]
    fn a_comment_is_one_line_whatever_it_holds() {
        let lines = ["a\nb: c".to_owned(), String::new(), "\r\u{85}\u{2028}".to_owned()];
        assert_eq!(comment(&lines), "# a\\nb: c\n#\n# \\r\\u{85}\\u{2028}\n");
    }
}
