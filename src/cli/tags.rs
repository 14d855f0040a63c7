//! The tags of runs, by which `history` filters.

use std::collections::BTreeMap;

use crate::history::{DEPLOY_TAG, ENVIRONMENT_TAG};
use crate::record::is_tag_key;

/// The tags of a run.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Tags")]
#[group(skip)]
pub(super) struct Flags {
    /// The environment under test, such as `staging`; stored as the tag `environment`
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// The deploy under test, such as a release or an image; stored as the tag `deploy`
    #[arg(long, value_name = "NAME")]
    deploy: Option<String>,
    /// Tag the run, to find it again; may be repeated. Tags are shown and stored as typed: do not
    /// put secrets in them
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse)]
    tags: Vec<(String, String)>,
}

impl Flags {
    /// These tags and one more, which wins over one of the same key.
    pub(super) fn with(mut self, key: &str, value: String) -> Self {
        self.tags.push((key.to_owned(), value));
        self
    }

    /// These tags; the environment is `name` if they name none.
    pub(super) fn or_environment(mut self, name: &str) -> Self {
        if !self.tags().contains_key(ENVIRONMENT_TAG) {
            self.environment = Some(name.to_owned());
        }
        self
    }

    /// All tags by key. The last tag of a key wins, and `--environment` and `--deploy` win over
    /// `--tag`.
    pub(super) fn tags(&self) -> BTreeMap<String, String> {
        let own = [(ENVIRONMENT_TAG, &self.environment), (DEPLOY_TAG, &self.deploy)];
        let own = own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
        self.tags.iter().cloned().chain(own).filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// Parses a tag such as `team=checkout`.
pub(super) fn parse(text: &str) -> Result<(String, String), String> {
    let remedy = "write it as `team=checkout`";
    let (key, value) =
        text.split_once('=').ok_or_else(|| format!("a tag needs a key and a value: {remedy}"))?;
    if !is_tag_key(key) {
        return Err(format!("a tag's key may contain letters, digits, `-`, `_` and `.`: {remedy}"));
    }
    if value.chars().any(char::is_control) {
        return Err("a tag's value must be one line without control characters".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_key_and_a_value_and_anything_else_is_refused() {
        assert_eq!(parse("team=a=b"), Ok(("team".to_owned(), "a=b".to_owned())));
        for wrong in ["team", "=x", "a b=c", "a=b\nc"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_default_environment_replaces_none_that_is_named() {
        let named = |environment: Option<&str>, tags: &[&str]| Flags {
            environment: environment.map(str::to_owned),
            tags: tags.iter().map(|tag| parse(tag).unwrap()).collect(),
            ..Flags::default()
        };
        for (flags, expected) in [
            (named(None, &["team=a"]), "demo"),
            (named(Some(""), &[]), "demo"),
            (named(Some("staging"), &[]), "staging"),
            (named(None, &["environment=other"]), "other"),
        ] {
            assert_eq!(flags.or_environment("demo").tags()[ENVIRONMENT_TAG], expected);
        }
    }

    #[test]
    fn a_dedicated_flag_wins_over_a_tag_of_the_same_key() {
        let flags = Flags {
            environment: Some("staging".to_owned()),
            deploy: Some(String::new()),
            tags: vec![
                parse("environment=other").unwrap(),
                parse("team=a").unwrap(),
                parse("team=b").unwrap(),
            ],
        };
        let expected = [("environment", "staging"), ("team", "b")];
        assert_eq!(
            flags.tags(),
            expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
        );
    }
}
