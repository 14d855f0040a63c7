//! Whether the load of a plan spends the CPU quota of its machines, also by what a tuning session
//! measured.

use std::path::PathBuf;
use std::time::Duration;

use super::tune::DEFAULT_SESSIONS_DIR;
use crate::plan::{MachinePlan, QuotaForecast, ScenarioPlan};
use crate::record::session::SessionRecord;
use crate::store;
use crate::tune::cpu_use::{self, MeasuredCpu};
use crate::units::format_duration;

/// What is known about the quota and the load of one scenario.
pub(super) struct QuotaFacts {
    machines: MachinePlan,
    forecast: Option<QuotaForecast>,
    /// Where the CPU time comes from, if the scenario does not state it.
    origin: Option<String>,
}

impl QuotaFacts {
    /// The facts of a scenario. The CPU time of a request, and machines that the scenario does not
    /// name, are those of its newest session; `None` if neither is known.
    pub(super) fn of(scenario: &ScenarioPlan) -> Option<Self> {
        let stated = scenario.machines;
        if let Some(machines) = stated
            && let Some(cpu) = machines.cpu_per_request
        {
            let forecast = QuotaForecast::of(scenario, machines, cpu);
            return Some(Self { machines, forecast, origin: None });
        }
        let measured = measured_cpu(&scenario.shown.name);
        let size = measured.as_ref().and_then(|(_, measured)| measured.size);
        let one = |size| MachinePlan { size, count: 1, cpu_per_request: None };
        let machines = stated.or_else(|| size.map(one))?;
        let cpu = measured.as_ref().map(|(_, measured)| measured.per_request);
        Some(Self {
            machines,
            forecast: cpu.and_then(|cpu: Duration| QuotaForecast::of(scenario, machines, cpu)),
            origin: measured.map(|(session, measured)| origin(&session, &measured)),
        })
    }

    /// The facts in one line: `machines: 2 shared-cpu-1x; 20/s × 15ms CPU a request; …`.
    pub(super) fn line(&self) -> String {
        let known = match (&self.forecast, &self.origin) {
            (Some(forecast), Some(origin)) => format!("{forecast} ({origin})"),
            (Some(forecast), None) => forecast.to_string(),
            (None, _) if self.machines.cpu_per_request.is_some() => {
                "no request goes to them".to_owned()
            }
            (None, _) => "the CPU time of a request is not known: write `cpu_per_request`, or \
                          measure it by a tuning session"
                .to_owned(),
        };
        format!("machines: {}; {known}", self.machines)
    }

    /// A warning that only the measured figures give, and its remedy. What the scenario states
    /// itself is one of the plan's warnings.
    pub(super) fn measured_warning(&self) -> Option<(String, String)> {
        let origin = self.origin.as_ref()?;
        let forecast = self.forecast.as_ref()?;
        let problem = forecast
            .shortage()
            .or_else(|| Some(format!("{}, before the end of the run", forecast.spending()?)))?;
        Some((format!("{problem} ({origin})"), forecast.remedy()))
    }
}

/// `measured by session 2026-11-29T04-00-00Z-21ee1ce8 in 6 attempts`
fn origin(session: &SessionRecord, measured: &MeasuredCpu) -> String {
    let attempts = match measured.attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    let least = if measured.is_lower_bound { "at least " } else { "" };
    let per_request = format_duration(measured.per_request);
    format!("{least}{per_request}, measured by session {} in {attempts}", session.folder_name())
}

/// What the newest session of a scenario measured.
fn measured_cpu(scenario: &str) -> Option<(SessionRecord, MeasuredCpu)> {
    let sessions_dir = std::env::var_os("TOLLGATE_SESSIONS_DIR")
        .filter(|folder| !folder.is_empty())
        .map_or_else(|| PathBuf::from(DEFAULT_SESSIONS_DIR), PathBuf::from);
    // A folder that cannot be listed holds no session to learn from.
    let sessions = store::list_sessions(&sessions_dir).ok()?;
    let readable = sessions.into_iter().filter_map(|(_, record)| record.ok());
    let mut own = readable.filter(|record| record.plan.scenario == scenario);
    own.find_map(|record| {
        let measured = cpu_use::cpu_per_request(&record)?;
        Some((record, measured))
    })
}
