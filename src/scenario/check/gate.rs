//! Checks `[gate]`: what the verdict has to hold against.

use std::time::Duration;

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::file::ScenarioFile;
use super::super::load::{LoadModel, LoadShape};
use crate::units::duration_literal;

/// The shortest and the longest stall horizon that can be written.
const STALLS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_mins(10));

pub(super) fn all(file: &ScenarioFile, load: Option<&LoadShape>, diagnostics: &mut Diagnostics) {
    let Some((location, &stalls)) = file.gate.value().and_then(|gate| gate.stalls.located()) else {
        return;
    };
    let (shortest, longest) = STALLS;
    if !(shortest..=longest).contains(&stalls) {
        let problem = format!("`{}` cannot be the stall horizon", duration_literal(stalls));
        let remedy = "write a duration from `\"10ms\"` to `\"10m\"`, such as `\"1s\"`";
        diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
    } else if load.is_some_and(|load| load.model == LoadModel::Once) {
        let problem = "`stalls` has no effect on a single arrival";
        let remedy = "remove it, or write a load with a duration";
        diagnostics.add(Diagnostic::new(location.key.clone(), problem, remedy));
    }
}
