//! What the command line changes in a scenario file.
//!
//! The values replace those of the sections that were read, and the file is then checked again. So
//! an override obeys the same rules as a value that is written, and whatever reads the scenario
//! (the plan, the safety guard, `check`) sees the overridden one.

mod editor;
mod load;
mod request;
mod target;

use std::time::Duration;

use super::Scenario;
use super::check;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::errors::ScenarioErrors;
use super::leaf::{ConnectionSetting, HttpVersion, IpFamily, StatusList};
use super::template::Template;
use crate::record::Budget;
use crate::units::Rate;
use editor::ScenarioEditor;

/// A value that replaces one of the file.
#[derive(Debug, Clone)]
pub struct OverrideValue<T> {
    /// The flag or the variable that it comes from: `--rate`, `TOLLGATE_RATE`.
    pub origin: String,
    /// The value.
    pub value: T,
}

/// What the command line changes in a scenario file.
#[derive(Debug, Clone, Default)]
pub struct ScenarioOverrides {
    /// Another rate of a constant load.
    pub rate: Option<OverrideValue<Rate>>,
    /// Another length of the measured stage. Ramps and single arrivals have none to change.
    pub duration: Option<OverrideValue<Duration>>,
    /// Another number of connections.
    pub connections: Option<OverrideValue<ConnectionSetting>>,
    /// Another limit for further connections.
    pub max_connections: Option<OverrideValue<u32>>,
    /// Budgets instead of those of the file.
    pub budgets: Option<OverrideValue<Vec<Budget>>>,
    /// Headers that every request sends, instead of those of the same name.
    pub headers: Option<OverrideValue<Vec<(String, Template)>>>,
    /// Another limit for the whole exchange.
    pub timeout: Option<OverrideValue<Duration>>,
    /// Statuses that every answer may have.
    pub expect_status: Option<OverrideValue<StatusList>>,
    /// Texts that the body of every answer must contain.
    pub expect_body: Option<OverrideValue<Vec<Template>>>,
    /// Another HTTP version.
    pub http: Option<OverrideValue<HttpVersion>>,
    /// Another IP version.
    pub ip: Option<OverrideValue<IpFamily>>,
    /// Another base URL, for one side of a duet.
    pub base_url: Option<OverrideValue<Template>>,
}

impl ScenarioOverrides {
    /// The flags and variables that change something.
    fn origins(&self) -> Vec<&str> {
        let origins = [
            origin(self.rate.as_ref()),
            origin(self.duration.as_ref()),
            origin(self.connections.as_ref()),
            origin(self.max_connections.as_ref()),
            origin(self.budgets.as_ref()),
            origin(self.headers.as_ref()),
            origin(self.timeout.as_ref()),
            origin(self.expect_status.as_ref()),
            origin(self.expect_body.as_ref()),
            origin(self.http.as_ref()),
            origin(self.ip.as_ref()),
            origin(self.base_url.as_ref()),
        ];
        origins.into_iter().flatten().collect()
    }
}

fn origin<T>(given: Option<&OverrideValue<T>>) -> Option<&str> {
    given.map(|given| given.origin.as_str())
}

impl Scenario {
    /// The scenario with the values of the command line.
    ///
    /// [`Self::overridden`] then says what was replaced by what. An override that the scenario
    /// cannot have is an error, which names the flag or variable and the reason.
    pub fn with_overrides(self, overrides: &ScenarioOverrides) -> Result<Self, ScenarioErrors> {
        let origins = overrides.origins();
        if origins.is_empty() {
            return Ok(self);
        }
        let mut editor = ScenarioEditor::new(self.file, self.load.model);
        editor.change_load(overrides);
        editor.change_target(overrides);
        editor.change_requests(overrides);
        let ScenarioEditor { file, overridden, refusals, .. } = editor;
        if !refusals.is_empty() {
            return Err(ScenarioErrors::of(&self.source, refusals));
        }
        let mut diagnostics = Diagnostics::default();
        match check::file(&file, &mut diagnostics) {
            Some((load, warmup)) if diagnostics.is_empty() => {
                let budget_origin =
                    overrides.budgets.as_ref().map(|budgets| budgets.origin.clone());
                Ok(Self { source: self.source, file, load, warmup, overridden, budget_origin })
            }
            _ => {
                let mistakes = diagnostics.into_inner().into_iter();
                let mistakes = mistakes.map(|mistake| name_origins(mistake, &origins));
                Err(ScenarioErrors::of(&self.source, mistakes.collect()))
            }
        }
    }
}

/// Adds what was overridden to a mistake: the line that it points at says something else.
fn name_origins(mistake: Diagnostic, origins: &[&str]) -> Diagnostic {
    let origins = origins.iter().map(|origin| format!("`{origin}`")).collect::<Vec<_>>().join(", ");
    let problem = format!("{} (the file is valid without {origins})", mistake.problem);
    Diagnostic { problem, ..mistake }
}

#[cfg(test)]
mod tests;
