//! Checks `[baseline]`: which earlier runs make a baseline.

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::file::ScenarioFile;
use crate::record::BaselineWindow;

pub(super) fn all(file: &ScenarioFile, diagnostics: &mut Diagnostics) {
    let runs = file.baseline.value().and_then(|baseline| baseline.runs.located());
    let (fewest, most) = (BaselineWindow::FEWEST, BaselineWindow::MOST);
    let Some((location, runs)) = runs.filter(|(_, runs)| !(fewest..=most).contains(runs)) else {
        return;
    };
    let problem = format!("a baseline cannot have {runs} runs");
    let remedy = format!("write a number from {fewest} to {most}; the default is 10");
    diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
}
