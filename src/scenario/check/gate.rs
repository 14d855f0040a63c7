//! Checks `[gate]`: what the verdict has to hold against, and what it does to the exit code.

use std::time::Duration;

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::field::KeyLocation;
use super::super::file::{GateSection, ScenarioFile};
use super::super::load::{LoadModel, LoadShape};
use crate::record::OnInconclusive;
use crate::units::duration_literal;

/// The shortest and the longest stall horizon that can be written.
const STALLS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_mins(10));
/// More blocks than any budget needs; the prober counts each of them in memory.
const MOST_BLOCKS: u128 = 1_000_000;

pub(super) fn all(file: &ScenarioFile, load: Option<&LoadShape>, diagnostics: &mut Diagnostics) {
    let Some(gate) = file.gate.value() else { return };
    stalls(gate, load, diagnostics);
    if let Some(load) = load {
        early_and_late_ends(gate, load, diagnostics);
    }
}

fn stalls(gate: &GateSection, load: Option<&LoadShape>, diagnostics: &mut Diagnostics) {
    let Some((location, &stalls)) = gate.stalls.located() else { return };
    let (shortest, longest) = STALLS;
    let written = duration_literal(stalls);
    if !(shortest..=longest).contains(&stalls) {
        let problem = format!("`{written}` cannot be the stall horizon");
        let remedy = "write a duration from `\"10ms\"` to `\"10m\"`, such as `\"1s\"`";
        diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
    } else if load.is_some_and(|load| load.model == LoadModel::Once) {
        let problem = "`stalls` has no effect on a single arrival";
        let remedy = "remove it, or write a load with a duration";
        diagnostics.add(Diagnostic::new(location.key.clone(), problem, remedy));
    } else if let Some(duration) = load.and_then(|load| length(&load.model))
        && duration.as_millis() / stalls.as_millis() > MOST_BLOCKS
    {
        let takes = duration_literal(duration);
        let problem =
            format!("`{written}` divides a run of {takes} into more than {MOST_BLOCKS} blocks");
        let least = duration.as_millis().div_ceil(MOST_BLOCKS);
        let remedy = format!("write at least `\"{least}ms\"`");
        diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
    }
}

/// Policies that end the measured stage earlier or later than planned need a planned end.
fn early_and_late_ends(gate: &GateSection, load: &LoadShape, diagnostics: &mut Diagnostics) {
    let is_once = load.model == LoadModel::Once;
    let mut refuse = |key: &str, location: &KeyLocation, load: &str, remedy: &str| {
        let problem = format!("`{key}` has no effect on {load}");
        diagnostics.add(Diagnostic::new(location.key.clone(), problem, remedy));
    };
    if let Some(location) = gate.stop_early.location().filter(|_| is_once) {
        let remedy = "remove it, or write a load with a duration";
        refuse("stop_early", location, "a single arrival", remedy);
    }
    let Some((location, OnInconclusive::Extend(_))) = gate.on_inconclusive.located() else {
        return;
    };
    let remedy = "write `exit-3`, `fail` or `warn`, or a load with a duration";
    if is_once {
        refuse("extend", location, "a single arrival", remedy);
    } else if length(&load.model).is_none() {
        refuse("extend", location, "a load that only `iterations` ends", remedy);
    }
}

/// How long a load takes; `None` if the speed of the target decides.
fn length(model: &LoadModel) -> Option<Duration> {
    match model {
        LoadModel::Once => None,
        LoadModel::Constant { duration, .. } => Some(*duration),
        LoadModel::Ramping { stages, .. } => {
            let add = |all: Duration, (duration, _): &(Duration, _)| all.saturating_add(*duration);
            Some(stages.iter().fold(Duration::ZERO, add))
        }
        LoadModel::Closed { duration, .. } => *duration,
    }
}
