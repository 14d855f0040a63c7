//! Checks what the values of a plan file mean together, and fills in defaults.

use std::time::Duration;

use serde_json::Value;

use super::machine_patch::{literal, machine_patch};
use super::sections::{CommandWords, ConfigurationSection, CurveSection, SessionFile};
use super::{ConfigurationChange, ConfigurationPlan, CurvePlan, SessionPlan};
use crate::record::session::ColdState;
use crate::scenario::reading::Diagnostics;
use crate::scenario::{
    AlreadyReported, Diagnostic, PlainText, ScenarioField, ScenarioSource, Span,
};
use crate::units::Rate;

/// The rounds of a plan that names none: with fewer, most intervals are wide.
const DEFAULT_ROUNDS: u32 = 6;
const DEFAULT_RATE: f64 = 2.0;
const HIGHEST_RATE: f64 = 20.0;
const DEFAULT_LIMIT: Duration = Duration::from_mins(2);
const LONGEST_LIMIT: Duration = Duration::from_hours(1);

/// The maximum length of a name: names are used in tables.
const LONGEST_NAME: usize = 80;
/// Fly's limit for the names of apps.
const LONGEST_APP: usize = 63;
/// Fly suspends no machine with more memory than this.
const MOST_MEMORY_OF_SUSPEND: u64 = 2048;

/// The plan that a file describes; `None` after reporting what is missing or invalid.
pub(super) fn plan(
    file: &SessionFile,
    source: &ScenarioSource,
    diagnostics: &mut Diagnostics,
) -> Option<SessionPlan> {
    let name = name(&file.name, "the session", 0..0, diagnostics);
    let scenario = scenario(&file.scenario, diagnostics);
    require(&file.cold, "cold", "\"stop\"", 0..0, diagnostics);
    let app = app(&file.app, diagnostics);
    let rounds = rounds(&file.rounds, diagnostics);
    let curve = curve(&file.curve, diagnostics);
    let configurations = configurations(&file.configuration, diagnostics);
    app_is_named(file, diagnostics);
    suspend_is_possible(file, diagnostics);
    Some(SessionPlan {
        name: name?,
        scenario: source.resolve(&scenario?),
        app: app.ok()?,
        cold: *file.cold.value()?,
        rounds: rounds?,
        seed: default(&file.seed, 0)?,
        curve: curve?,
        configurations: configurations?,
    })
}

/// The value of a key, or its default; `None` if its value is invalid.
fn default<T: Clone>(field: &ScenarioField<T>, default: T) -> Option<T> {
    match field {
        ScenarioField::Absent => Some(default),
        ScenarioField::Invalid => None,
        ScenarioField::Present(_, value) => Some(value.clone()),
    }
}

/// Reports a missing key; `at` is the span of its section.
fn require<T>(
    field: &ScenarioField<T>,
    key: &str,
    example: &str,
    at: Span,
    diagnostics: &mut Diagnostics,
) {
    if !field.is_written() {
        let problem = format!("no `{key}` is given");
        diagnostics.add(Diagnostic::new(at, problem, format!("write `{key} = {example}`")));
    }
}

fn name(
    field: &ScenarioField<PlainText>,
    of: &str,
    at: Span,
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    require(field, "name", "\"…\"", at, diagnostics);
    let name = field.value()?.as_str();
    let problem = match name {
        name if name.trim().is_empty() => format!("{of} has an empty name"),
        name if name.chars().count() > LONGEST_NAME => format!("the name of {of} is too long"),
        name if name.chars().any(char::is_control) => {
            format!("the name of {of} has control characters")
        }
        name if name.trim() != name => format!("the name of {of} starts or ends with blanks"),
        name => return Some(name.to_owned()),
    };
    let remedy =
        format!("write a name of 1 to {LONGEST_NAME} characters without control characters");
    diagnostics.add(Diagnostic::new(field.value_span(), problem, remedy));
    None
}

fn scenario(field: &ScenarioField<PlainText>, diagnostics: &mut Diagnostics) -> Option<String> {
    require(field, "scenario", "\"scenario.toml\"", 0..0, diagnostics);
    let path = field.value()?.as_str();
    let (problem, remedy) = match path {
        path if path.trim().is_empty() => ("the scenario has no name", "name a scenario file"),
        path if path.contains('\0') => ("a path cannot contain a null character", "remove it"),
        path if path.contains("://") => (
            "a URL has no load and no budgets for the steady stage",
            "name a scenario file; `tollgate init` writes one",
        ),
        path => return Some(path.to_owned()),
    };
    diagnostics.add(Diagnostic::new(field.value_span(), problem, remedy));
    None
}

/// The app, if one is named.
fn app(
    field: &ScenarioField<PlainText>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<String>, AlreadyReported> {
    let app = match field {
        ScenarioField::Absent => return Ok(None),
        ScenarioField::Invalid => return Err(AlreadyReported),
        ScenarioField::Present(_, app) => app.as_str(),
    };
    let is_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_valid = (1..=LONGEST_APP).contains(&app.len())
        && app.bytes().all(is_label)
        && !app.starts_with('-')
        && !app.ends_with('-');
    if is_valid {
        return Ok(Some(app.to_owned()));
    }
    let remedy = match app.strip_suffix(".fly.dev").and_then(|host| host.rsplit('/').next()) {
        Some(app) => format!("write the app alone: `{app}`"),
        None => {
            "write its name as `fly apps list` shows it: small letters, digits and `-`".to_owned()
        }
    };
    let problem = format!("`{app}` is not the name of a Fly app");
    diagnostics.add(Diagnostic::new(field.value_span(), problem, remedy));
    Err(AlreadyReported)
}

fn rounds(field: &ScenarioField<u32>, diagnostics: &mut Diagnostics) -> Option<u32> {
    let rounds = default(field, DEFAULT_ROUNDS)?;
    if (1..=SessionPlan::MAX_ROUNDS).contains(&rounds) {
        return Some(rounds);
    }
    let problem = format!("{rounds} rounds are out of range");
    let remedy = format!("write 1 to {}; intervals need at least 2", SessionPlan::MAX_ROUNDS);
    diagnostics.add(Diagnostic::new(field.value_span(), problem, remedy));
    None
}

fn curve(field: &ScenarioField<CurveSection>, diagnostics: &mut Diagnostics) -> Option<CurvePlan> {
    let section = default(field, CurveSection::default())?;
    let rate = match section.rate.value() {
        Some(rate) if rate.as_per_second() > HIGHEST_RATE => {
            let problem = format!("a curve at {rate} would load the app and not only follow it");
            let remedy = "write at most `20/s`; the steady stage has the scenario's load";
            diagnostics.add(Diagnostic::new(section.rate.value_span(), problem, remedy));
            None
        }
        Some(rate) => Some(*rate),
        None if section.rate.is_invalid() => None,
        None => Rate::per_second(DEFAULT_RATE).ok(),
    };
    let limit = default(&section.limit, DEFAULT_LIMIT)?;
    if limit.is_zero() || limit > LONGEST_LIMIT {
        let remedy = "write a duration up to `1h`, such as `120s`";
        let problem = "the limit of the curve is out of range";
        diagnostics.add(Diagnostic::new(section.limit.value_span(), problem, remedy));
        return None;
    }
    Some(CurvePlan { rate: rate?, limit })
}

fn configurations(
    field: &ScenarioField<Vec<ScenarioField<ConfigurationSection>>>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<ConfigurationPlan>> {
    let sections = default(field, Vec::new())?;
    if sections.is_empty() {
        return Some(vec![ConfigurationPlan::as_it_is()]);
    }
    if let Some(surplus) = sections.get(SessionPlan::MAX_CONFIGURATIONS) {
        let problem = format!("{} configurations are too many", sections.len());
        let remedy = format!("write at most {}", SessionPlan::MAX_CONFIGURATIONS);
        diagnostics.add(Diagnostic::new(surplus.key_span(), problem, remedy));
    }
    names_differ(&sections, diagnostics);
    let read: Vec<_> = sections.iter().map(|section| configuration(section, diagnostics)).collect();
    read.into_iter().collect()
}

fn configuration(
    field: &ScenarioField<ConfigurationSection>,
    diagnostics: &mut Diagnostics,
) -> Option<ConfigurationPlan> {
    let (location, section) = field.located()?;
    let name = name(&section.name, "a configuration", location.key.clone(), diagnostics);
    let hypothesis = match &section.hypothesis {
        ScenarioField::Invalid => None,
        written => Some(written.value().map_or("", PlainText::as_str).trim().to_owned()),
    };
    let change = change(section, diagnostics);
    Some(ConfigurationPlan { name: name?, hypothesis: hypothesis?, change: change? })
}

/// Reports every name that another configuration has, too.
fn names_differ(sections: &[ScenarioField<ConfigurationSection>], diagnostics: &mut Diagnostics) {
    let mut seen: Vec<&str> = Vec::new();
    for field in sections.iter().filter_map(ScenarioField::value).map(|section| &section.name) {
        let Some(name) = field.value().map(PlainText::as_str) else { continue };
        if seen.contains(&name) {
            let problem = format!("two configurations are named `{name}`");
            let remedy = "rename one of the two: reports tell them apart by their names";
            diagnostics.add(Diagnostic::new(field.value_span(), problem, remedy));
        }
        seen.push(name);
    }
}

fn change(
    section: &ConfigurationSection,
    diagnostics: &mut Diagnostics,
) -> Option<ConfigurationChange> {
    if section.machine.is_written() && section.command.is_written() {
        let problem = "both `machine` and `command` are given";
        let remedy = "remove one of the two, or make two configurations of them";
        let span = section.command.key_span();
        diagnostics.add(Diagnostic::new(span, problem, remedy));
    }
    match (&section.machine, &section.command) {
        (ScenarioField::Invalid, _) | (_, ScenarioField::Invalid) => None,
        (ScenarioField::Present(location, patch), _) => {
            let span = location.value.clone();
            machine_patch(patch, &span, diagnostics).map(ConfigurationChange::Machine)
        }
        (_, ScenarioField::Present(_, CommandWords(words))) => {
            Some(ConfigurationChange::Command(words.clone()))
        }
        (ScenarioField::Absent, ScenarioField::Absent) => Some(ConfigurationChange::None),
    }
}

/// Reports a missing app if the plan changes the state or the config of machines.
fn app_is_named(file: &SessionFile, diagnostics: &mut Diagnostics) {
    if file.app.is_written() {
        return;
    }
    let remedy = "write `app = \"…\"`, the name of the Fly app";
    if let Some((location, cold)) = file.cold.located()
        && !matches!(cold, ColdState::None | ColdState::Idle { .. })
    {
        let problem = format!("`{cold}` needs an app whose machines it is done to");
        diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
    }
    for section in configuration_sections(file).filter(|section| section.machine.is_written()) {
        let problem = "`machine` needs an app whose machines it changes";
        diagnostics.add(Diagnostic::new(section.machine.key_span(), problem, remedy));
    }
}

/// Reports machines that would be too large to be suspended.
fn suspend_is_possible(file: &SessionFile, diagnostics: &mut Diagnostics) {
    if file.cold.value() != Some(&ColdState::Suspend) {
        return;
    }
    for (location, patch) in configuration_sections(file).filter_map(|one| one.machine.located()) {
        let memory = literal(patch).pointer("/guest/memory_mb").and_then(Value::as_u64);
        if let Some(memory) = memory.filter(|memory| *memory > MOST_MEMORY_OF_SUSPEND) {
            let problem = format!("Fly suspends no machine with `{memory}` MB of memory");
            let remedy = format!("write at most {MOST_MEMORY_OF_SUSPEND} MB, or `cold = \"stop\"`");
            diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
        }
    }
}

fn configuration_sections(file: &SessionFile) -> impl Iterator<Item = &ConfigurationSection> {
    file.configuration.value().into_iter().flatten().filter_map(ScenarioField::value)
}
