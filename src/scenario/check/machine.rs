//! Checks the machines that a scenario names.

use std::time::Duration;

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::file::ScenarioFile;
use super::require;

/// The most machines of a scenario; more are a typing error.
const MOST_MACHINES: u32 = 1000;
/// The longest CPU time of a request.
const LONGEST_REQUEST: Duration = Duration::from_hours(1);

pub(super) fn all(file: &ScenarioFile, diagnostics: &mut Diagnostics) {
    let Some((location, machine)) = file.machine.located() else { return };
    require(&machine.size, "size", "\"shared-cpu-1x\"", location.key.clone(), diagnostics);
    if let Some((location, count)) = machine.count.located()
        && !(1..=MOST_MACHINES).contains(count)
    {
        let problem = format!("{count} machines are out of range");
        let remedy = format!("write 1 to {MOST_MACHINES}: the machines that share the load");
        diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
    }
    if let Some((location, cpu)) = machine.cpu_per_request.located()
        && (cpu.is_zero() || *cpu > LONGEST_REQUEST)
    {
        let problem = "the CPU time of a request is out of range";
        let remedy = "write the CPU time of one request, such as `15ms`; it is not its latency";
        diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
    }
}
