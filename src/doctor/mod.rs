//! Whether this machine can do the job: checks, before a run, what the run depends on.
//!
//! Each subject has a function that reads or measures, and pure functions that turn the result into
//! [`CheckFinding`]s. A new subject is a new function that returns its findings.

mod clock;
mod database;
mod folder;
mod processors;
mod scenario;
mod sockets;
mod store;
mod target;
mod timers;
mod trust;

use std::path::Path;
use std::time::Duration;

use crate::engine::{EngineError, probe};
use crate::plan::Plan;
use crate::record::Budget;
use crate::record::checkup::CheckFinding;

pub use database::databases;
pub use scenario::scenarios;
pub use store::{store, without_store};
pub use target::targets;

/// The group of this machine's findings.
const MACHINE: &str = "this machine";

/// How long timers, processors and clocks are watched.
const WATCHED: Duration = Duration::from_millis(500);

/// Compares this machine with what a plan needs; takes half a second.
///
/// `runs_dir` is the folder for run folders. The check leaves nothing in it.
///
/// # Errors
/// The system refuses a thread or a timer that the measurement needs.
pub fn machine(plan: &Plan, runs_dir: &Path) -> Result<Vec<CheckFinding>, EngineError> {
    let (clocks, busy) = (clock::ClockWatch::start(), processors::CpuWatch::start());
    let timers = probe::timers(plan.pacing, WATCHED)?;
    let (clocks, busy) = (clocks.stop(), busy.and_then(processors::CpuWatch::stop));
    let mut findings = vec![processors::cores(plan)];
    findings.extend(busy.iter().flat_map(processors::CpuUse::findings));
    findings.extend(timers::findings(&timers, tightest(plan)));
    findings.push(sockets::descriptors(probe::descriptors(plan)));
    findings.extend(sockets::ports(plan));
    findings.push(clocks.finding());
    findings.push(trust::system());
    findings.extend(folder::findings(runs_dir, plan));
    Ok(findings)
}

/// The lowest ceiling of a plan's budgets.
fn tightest(plan: &Plan) -> Option<Duration> {
    let requests = plan.scenarios.iter().flat_map(|scenario| &scenario.shown.requests);
    let ceilings = requests.flat_map(|request| &request.budgets).filter_map(Budget::ceiling);
    ceilings.map(|(_, ceiling)| ceiling).min()
}

/// A share (0 to 1) in percent: `0.3 %`.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 { "0 %".to_owned() } else { format!("{percent:.1} %") }
}
