//! `tollgate tune --demo`: a whole session against simulated machines on this computer.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use tempfile::NamedTempFile;

use super::quota::MetricPace;
use super::session_run::{Flags, SessionInput, run_session};
use crate::cli::demo::{ENVIRONMENT, TILE_LOADER_MOCK, TargetProcess};
use crate::cli::exit::{CommandError, ExitStatus};
use crate::fly::FlyEnvironment;
use crate::scenario::{OverrideValue, Scenario, ScenarioErrors, ScenarioOverrides};
use crate::tune::plan_file::{CurvePlan, SessionPlan};
use crate::units::Rate;

/// The plan of the demo's session, as it would be written.
const PLAN: &str = include_str!("demo.toml");

/// The simulated machines, as `tollgate target --fly demo` has them.
const MACHINES: &str = include_str!("../../target/fly/demo.toml");

/// How many simulated seconds pass in a real one, as [`MACHINES`] states it.
const SCALE: f64 = 4.0;

/// The simulated app. It is the only one that the demo can change.
const APP: &str = "rehearsal";

/// The load of the steady stage: short, because a session has many of them.
const RATE: f64 = 60.0;
const DURATION: Duration = Duration::from_secs(1);

/// How far apart metrics are sampled in simulated time, as [`MACHINES`] states it.
const METRIC_INTERVAL: Duration = Duration::from_secs(2);

pub(super) fn demo(flags: &Flags) -> Result<ExitStatus, CommandError> {
    if flags.app.is_some() || flags.machine.is_some() || flags.resume.is_some() {
        return Err(CommandError::usage(
            "error: --demo has an app of its own; leave out --app, --machine and --resume",
        ));
    }
    let interval = flags.metric_interval.unwrap_or(METRIC_INTERVAL.div_f64(SCALE));
    let scale = METRIC_INTERVAL.div_duration_f64(interval);
    let target = start_machines(scale)?;
    let url = &target.base_url;
    tracing::info!(url, "Simulated Fly machines: {url} (a separate process on this machine)");
    let mut plan = SessionPlan::parse("demo.toml", PLAN)?;
    hasten(&mut plan.curve, scale / SCALE)?;
    let (name, text) = TILE_LOADER_MOCK;
    let scenario = Scenario::parse(name, text).and_then(shortened)?;
    let fly = FlyEnvironment::read(|name| simulated_api(url, name))
        .map_err(|error| CommandError::internal(error.to_string()))?;
    let variables = BTreeMap::from([("TOLLGATE_TARGET".to_owned(), url.clone())]);
    let pace = MetricPace::of_simulation(interval);
    let input = SessionInput { plan, scenario, variables, fly: Some(fly), pace, is_demo: true };
    let run = flags.run.clone().or_environment(ENVIRONMENT);
    let flags = Flags { app: Some(APP.to_owned()), allow_downtime: true, run, ..flags.clone() };
    run_session(input, &flags)
}

/// Speeds a curve up by a factor, without changing its number of requests.
fn hasten(curve: &mut CurvePlan, times: f64) -> Result<(), CommandError> {
    let rate = Rate::per_second(curve.rate.as_per_second() * times);
    curve.rate = rate.map_err(CommandError::internal)?;
    curve.limit = curve.limit.div_f64(times);
    Ok(())
}

/// Starts the simulated machines at a scale.
fn start_machines(scale: f64) -> Result<TargetProcess, CommandError> {
    let (written, wanted) = (format!("scale = {SCALE:?}"), format!("scale = {scale:?}"));
    let mut file = NamedTempFile::new().map_err(CommandError::internal)?;
    let text = MACHINES.replacen(&written, &wanted, 1);
    file.write_all(text.as_bytes()).map_err(CommandError::internal)?;
    TargetProcess::start(["--fly", &file.path().to_string_lossy()])
}

/// The variables by which the simulated API is reached.
fn simulated_api(url: &str, name: &str) -> Option<String> {
    match name {
        "FLY_FLAPS_BASE_URL" => Some(url.to_owned()),
        "FLY_PROMETHEUS_URL" => Some(format!("{url}/prometheus")),
        "FLY_ORG" => Some("personal".to_owned()),
        "FLY_API_TOKEN" => Some("rehearsal-token".to_owned()),
        _ => None,
    }
}

fn shortened(scenario: Scenario) -> Result<Scenario, ScenarioErrors> {
    fn by_demo<T>(value: T) -> OverrideValue<T> {
        OverrideValue { origin: "tollgate tune --demo".to_owned(), value }
    }
    scenario.with_overrides(&ScenarioOverrides {
        rate: Rate::per_second(RATE).ok().map(by_demo),
        duration: Some(by_demo(DURATION)),
        ..ScenarioOverrides::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_file_states_the_pace_that_the_demo_assumes() {
        let interval = METRIC_INTERVAL.as_secs();
        let written = format!("scale = {SCALE:?}\nmetrics_every = \"{interval}s\"\n");
        assert!(MACHINES.contains(&written), "{MACHINES}");
    }
}
