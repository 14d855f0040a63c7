//! The starter scenario: every line that is commented out can be used unchanged.

use std::fs;
use std::ops::Range;
use std::path::Path;

use tempfile::TempDir;
use tollgate::plan::{Environment, Plan, PlanOverrides};
use tollgate::scenario::{Scenario, ScenarioErrors, ScenarioWarning};

/// Lines that are used together, and the comment above them.
struct Option {
    lines: Range<usize>,
    about: String,
}

impl Option {
    /// The keys that it replaces.
    fn replaced(&self) -> Vec<&str> {
        let Some(rest) = self.about.strip_prefix("# Instead of ") else { return Vec::new() };
        rest.split(',').next().unwrap().split('`').skip(1).step_by(2).collect()
    }
}

struct Starter {
    lines: Vec<String>,
    options: Vec<Option>,
}

impl Starter {
    fn read() -> Self {
        let text = fs::read_to_string("src/cli/starter.toml").unwrap();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let mut options: Vec<Option> = Vec::new();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_option(line)) {
            assert!(!line.starts_with("#:"), "{line}");
            match options.last_mut() {
                Some(option) if option.lines.end == at => option.lines.end = at + 1,
                _ => options.push(Option { lines: at..at + 1, about: lines[at - 1].clone() }),
            }
        }
        Self { lines, options }
    }

    /// The file with some of its options used.
    fn using(&self, options: &[&Option]) -> String {
        let replaced: Vec<_> = options.iter().flat_map(|option| option.replaced()).collect();
        let needs_http = options.iter().any(|option| option.about.contains("Needs `http`"));
        let line = |(at, line): (usize, &String)| {
            let used = options.iter().any(|option| option.lines.contains(&at));
            if used || needs_http && line.starts_with("#http = ") {
                return line[1..].to_owned();
            }
            let is_replaced = replaced.iter().any(|key| line.starts_with(&format!("{key} = ")));
            if is_replaced { String::new() } else { line.clone() }
        };
        self.lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn is_option(line: &str) -> bool {
    line.strip_prefix('#').is_some_and(|rest| !rest.is_empty() && !rest.starts_with(' '))
}

/// A folder with the files that the options name.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ca.pem", "probe.pem", "probe.key", "body.bin"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    folder
}

fn planned(folder: &Path, text: &str) -> Result<(Plan, Vec<ScenarioWarning>), ScenarioErrors> {
    let variables = [("TOLLGATE_TARGET", "https://staging.example.org"), ("TOKEN", "zebra-7f3a9c")];
    let environment =
        Environment::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let path = folder.join("scenario.toml");
    let scenario = Scenario::parse(path.to_str().unwrap(), text)?;
    Plan::resolve(&[scenario], &environment, &PlanOverrides::default())
}

fn holds(folder: &Path, text: &str) {
    let (_, warnings) =
        planned(folder, text).unwrap_or_else(|errors| panic!("{errors}\nin\n{text}"));
    assert!(warnings.is_empty(), "{warnings:?}\nin\n{text}");
}

#[test]
fn the_unchanged_starter_can_decide() {
    let starter = Starter::read();
    let folder = folder();
    holds(folder.path(), &starter.using(&[]));
    let (plan, _) = planned(folder.path(), &starter.using(&[])).unwrap();
    assert_eq!(plan.scenarios[0].shown.load, "open, 20/s constant for 30s, up to 16 connections");
}

#[test]
fn each_option_of_the_starter_can_be_used_alone() {
    let starter = Starter::read();
    let folder = folder();
    assert!(starter.options.len() > 25, "{}", starter.options.len());
    for option in &starter.options {
        let text = starter.using(&[option]);
        assert_ne!(text, starter.using(&[]));
        match option.replaced().as_slice() {
            [] => holds(folder.path(), &text),
            // One request cannot decide budgets that are set for 600.
            _ => drop(
                planned(folder.path(), &text)
                    .unwrap_or_else(|errors| panic!("{errors}\nin\n{text}")),
            ),
        }
    }
}

#[test]
fn all_compatible_options_of_the_starter_can_be_used_together() {
    let starter = Starter::read();
    let folder = folder();
    let together: Vec<_> =
        starter.options.iter().filter(|option| option.replaced().is_empty()).collect();
    assert!(together.len() > 20, "{}", together.len());
    holds(folder.path(), &starter.using(&together));
}

#[test]
fn the_starter_names_every_key() {
    let text = fs::read_to_string("src/cli/starter.toml").unwrap();
    let schema = serde_json::Value::from(tollgate::scenario::schema());
    let mut sections = vec![&schema];
    while let Some(section) = sections.pop() {
        for (key, value) in section["properties"].as_object().unwrap() {
            let named = [format!("{key} = "), format!("[{key}]"), format!(".{key}]")];
            assert!(named.iter().any(|form| text.contains(form)), "{key}");
            sections.extend(
                [value, &value["items"]]
                    .into_iter()
                    .filter(|inner| inner["properties"].is_object()),
            );
        }
    }
}
