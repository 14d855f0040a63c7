//! Checks `[gate]`: what the verdict has to hold against, and what it does to the exit code.

use std::time::Duration;

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::field::{KeyLocation, ScenarioField};
use super::super::file::{GateSection, ScenarioFile};
use super::super::load::{LoadModel, LoadShape};
use crate::record::{GatePolicy, GateRequirement, OnInconclusive};
use crate::units::duration_literal;

/// The shortest and the longest stall horizon that can be written.
const STALLS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_mins(10));
/// More blocks than any budget needs; the prober counts each of them in memory.
const MOST_BLOCKS: u128 = 1_000_000;

pub(super) fn all(file: &ScenarioFile, load: Option<&LoadShape>, diagnostics: &mut Diagnostics) {
    let Some(gate) = file.gate.value() else { return };
    stalls(gate, load, diagnostics);
    failures(gate, diagnostics);
    required(file, gate, diagnostics);
    if let Some(load) = load {
        needs_load(gate, load, diagnostics);
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

fn failures(gate: &GateSection, diagnostics: &mut Diagnostics) {
    let Some((location, &number)) = gate.fail_after.located() else { return };
    if !(1..=GatePolicy::MOST_FAILURES).contains(&number) {
        let problem = format!("the gate cannot fail after {number} runs");
        let remedy = format!("write a number from 1 to {}", GatePolicy::MOST_FAILURES);
        diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
    }
}

/// A requirement that is written twice, or that is a fact and also the name of a step.
fn required(file: &ScenarioFile, gate: &GateSection, diagnostics: &mut Diagnostics) {
    let fields = gate.require.value().into_iter().flatten();
    let mut before = Vec::new();
    for (location, requirement) in fields.filter_map(ScenarioField::located) {
        let is_step = |name: &str| {
            file.requests().any(|step| step.name.value().is_some_and(|step| step.as_str() == name))
        };
        let written = requirement.to_string();
        let (problem, remedy) = if before.contains(&requirement) {
            (format!("`{written}` is required twice"), "remove one of the two")
        } else if !matches!(requirement, GateRequirement::Measured(_)) && is_step(&written) {
            let problem = format!("`{written}` is a fact about the run, and a step has that name");
            (problem, "rename the step")
        } else {
            before.push(requirement);
            continue;
        };
        diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
    }
}

/// Policies about the end of the measured stage, or about evidence from it, need a load.
fn needs_load(gate: &GateSection, load: &LoadShape, diagnostics: &mut Diagnostics) {
    let is_once = load.model == LoadModel::Once;
    let mut refuse = |key: &str, location: &KeyLocation, load: &str, remedy: &str| {
        let problem = format!("`{key}` has no effect on {load}");
        diagnostics.add(Diagnostic::new(location.key.clone(), problem, remedy));
    };
    let keys = [
        ("stop_early", gate.stop_early.location()),
        ("carry", gate.carry.location()),
        ("breaker", gate.breaker.location()),
    ];
    let written = keys.into_iter().filter_map(|(key, location)| Some((key, location?)));
    for (key, location) in written.filter(|_| is_once) {
        let remedy = "remove it, or write a load with a duration";
        refuse(key, location, "a single arrival", remedy);
    }
    let Some((location, OnInconclusive::Extend(_))) = gate.on_inconclusive.located() else {
        return;
    };
    let remedy = "write `exit-3`, `fail` or `warn`, or a load with a duration";
    if is_once {
        refuse("extend", location, "a single arrival", remedy);
    } else if length(&load.model).is_none() {
        refuse("extend", location, "a load that only `iterations` ends", remedy);
    } else if matches!(load.model, LoadModel::Ramping { .. }) {
        let remedy = "write `exit-3`, `fail` or `warn`, or a constant load";
        refuse("extend", location, "a load with ramp steps: it has no length to extend", remedy);
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
