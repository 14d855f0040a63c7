//! Resolves the load of a scenario, and describes load and warm-up in words.

use std::fmt::Write as _;
use std::time::Duration;

use super::template_filler::TemplateFiller;
use crate::plan::load_plan::LoadPlan;
use crate::plan::overrides::PlanOverrides;
use crate::plan::schedule::{RampStep, Schedule};
use crate::plan::target_plan::HttpProtocol;
use crate::scenario::{LoadModel, LoadShape, Scenario, WarmupShape};
use crate::units::{Rate, UnitError, duration_literal, plural};

/// The load of a scenario; `None` after reporting an error.
pub(super) fn resolve(
    scenario: &Scenario,
    overrides: &PlanOverrides,
    filler: &mut TemplateFiller<'_>,
) -> Option<LoadPlan> {
    let LoadShape { connections, max_connections, .. } = scenario.load;
    let duration_override = overrides.duration;
    if let Some((problem, remedy)) = duration_override
        .and_then(|duration_override| refusal(duration_override, &scenario.load.model))
    {
        return filler.report(&scenario.file.load.key_span(), problem, remedy);
    }
    let schedule = match &scenario.load.model {
        LoadModel::Once => Ok(Schedule::once()),
        LoadModel::Constant { rate, duration, seed } => {
            Ok(seeded(*seed, Schedule::constant(*rate, duration_override.unwrap_or(*duration))))
        }
        LoadModel::Ramping { start, stages, seed } => {
            ramping(*start, stages).map(|ramp| seeded(*seed, ramp))
        }
        LoadModel::Closed { duration, iterations } => {
            let until = duration_override.or(*duration).unwrap_or(LoadShape::MAX_DURATION);
            return Some(LoadPlan::Closed { connections, until, iterations: *iterations });
        }
    };
    let in_batches = |schedule: Schedule| match scenario.load.batch_every {
        Some(period) => schedule.in_batches(period),
        None => schedule,
    };
    match schedule.map(in_batches) {
        Ok(schedule) => Some(LoadPlan::Open { schedule, connections, max_connections }),
        Err(UnitError { problem, remedy }) => {
            let stages = scenario.file.load.value().map_or(0..0, |load| load.stages.value_span());
            filler.report(&stages, problem, remedy)
        }
    }
}

/// Why a load cannot have the duration given on the command line, and the remedy.
fn refusal(duration_override: Duration, model: &LoadModel) -> Option<(&'static str, &'static str)> {
    if duration_override.is_zero() || duration_override > LoadShape::MAX_DURATION {
        return Some((
            "the duration of `--duration` is zero or more than 24h",
            "pass a duration up to 24h",
        ));
    }
    matches!(model, LoadModel::Once | LoadModel::Ramping { .. })
        .then_some(("this load has no duration to change", "remove `--duration`"))
}

/// How many exchanges share one connection; `None` after reporting that the protocol does not allow
/// several.
pub(super) fn streams(
    scenario: &Scenario,
    protocol: HttpProtocol,
    filler: &mut TemplateFiller<'_>,
) -> Option<u32> {
    let streams = scenario.load.streams;
    if streams == 1 || protocol == HttpProtocol::Http2 {
        return Some(streams);
    }
    let location = scenario.file.load.value().and_then(|load| load.streams.location())?;
    let remedy = "write it in `[target]`: HTTP/1.1 carries one exchange at a time";
    filler.report(&location.key, "`streams` needs `http = \"2\"`", remedy)
}

/// Reports a period that differs from that of an earlier scenario.
pub(super) fn same_period(
    before: &[Scenario],
    scenario: &Scenario,
    filler: &mut TemplateFiller<'_>,
) {
    let Some(period) = scenario.load.every else { return };
    let another = before.iter().find(|other| other.load.every.is_some_and(|every| every != period));
    if let (Some(another), Some(load)) = (another, scenario.file.load.value()) {
        let theirs = another.load.every.unwrap_or_default();
        let problem = format!(
            "`every` is {} here and {} in {}: a run has one period",
            duration_literal(period),
            duration_literal(theirs),
            another.source.name()
        );
        let remedy = "write the same period in both, or run them separately";
        filler.report::<()>(&load.every.value_span(), problem, remedy);
    }
}

fn ramping(
    start: Option<Rate>,
    stages: &[(Duration, Option<Rate>)],
) -> Result<Schedule, UnitError> {
    let ramps: Vec<RampStep> =
        stages.iter().map(|&(duration, to)| RampStep { duration, to }).collect();
    Schedule::ramping(start, &ramps)
}

fn seeded(seed: Option<u64>, schedule: Schedule) -> Schedule {
    match seed {
        Some(seed) => Schedule::poisson(seed, &schedule),
        None => schedule,
    }
}

/// The load in one line: `open, 20/s constant for 40s, up to 16 connections`.
pub(super) fn words(scenario: &Scenario, load: &LoadPlan) -> String {
    let LoadShape {
        model, connections: number, max_connections, fresh, streams, batch_every, ..
    } = &scenario.load;
    let batches = batch_every.map_or_else(String::new, |period| {
        format!(", in batches every {}", duration_literal(period))
    });
    let mut connections = plural(u64::from(*number), "connection");
    if *streams > 1 {
        let _ = write!(connections, " of {streams} streams each");
    }
    if max_connections > number {
        let _ = write!(connections, ", then new ones up to {max_connections}");
    }
    let over = if *fresh {
        format!("each over its own of up to {connections}")
    } else {
        format!("up to {connections}")
    };
    match model {
        LoadModel::Once => "once".to_owned(),
        LoadModel::Constant { rate, seed, .. } => {
            format!(
                "open, {rate} {} for {}{batches}, {over}",
                law(*seed, "constant"),
                duration_literal(load.duration())
            )
        }
        LoadModel::Ramping { start, stages, seed } => format!(
            "open, {}{}{batches}, {over}",
            ramp_words(*start, stages),
            match seed {
                Some(_) => format!(", {}", law(*seed, "")),
                None => String::new(),
            }
        ),
        LoadModel::Closed { duration, iterations } => {
            let mut line = format!("closed, {connections}");
            if *fresh {
                line.push_str(", a fresh one for each arrival");
            }
            if duration.is_some() {
                let _ = write!(line, " for {}", duration_literal(load.duration()));
            }
            if let Some(iterations) = iterations {
                let _ = write!(line, ", {}", plural(*iterations, "arrival"));
            }
            line
        }
    }
}

fn law(seed: Option<u64>, regular: &str) -> String {
    seed.map_or_else(|| regular.to_owned(), |seed| format!("Poisson with seed {seed}"))
}

fn ramp_words(start: Option<Rate>, stages: &[(Duration, Option<Rate>)]) -> String {
    let rate_text =
        |rate: Option<Rate>| rate.map_or_else(|| "0/s".to_owned(), |rate| rate.to_string());
    let mut line = format!("from {}", rate_text(start));
    for (at, (duration, to)) in stages.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(line, "{comma} to {} over {}", rate_text(*to), duration_literal(*duration));
    }
    line
}

/// The warm-up in one line: `8 connections, 32 requests`; `none`.
pub(super) fn warmup_words(warmup: WarmupShape) -> String {
    match warmup {
        WarmupShape { requests: 0, .. } => "none".to_owned(),
        WarmupShape { connections, requests } => {
            format!(
                "{}, {}",
                plural(u64::from(connections), "connection"),
                plural(requests, "request")
            )
        }
    }
}
