//! Which machines of an app a session uses, and whether it may.

use crate::cli::exit::CommandError;
use crate::fly::{AppName, Machine, MachineId, MachineState};
use crate::tune::restore::{RestingState, SavedMachine, refuse_downtime};

/// What a session asks of its app.
pub(super) struct AppRequest<'a> {
    pub(super) app: &'a AppName,
    /// The only machine to use.
    pub(super) machine: Option<&'a MachineId>,
    pub(super) allows_downtime: bool,
    /// Whether machines will stand still: cold states and changes of their configuration do that.
    pub(super) stops_machines: bool,
}

/// The machines to use. It is an error if there are none, or if they may not stand still.
pub(super) fn choose_machines<'m>(
    machines: &'m [Machine],
    request: &AppRequest<'_>,
) -> Result<Vec<&'m Machine>, CommandError> {
    let chosen = choose(machines, request)?;
    if request.stops_machines && !request.allows_downtime {
        let ids = |machines: &[&Machine]| machines.iter().map(|m| m.id.clone()).collect::<Vec<_>>();
        let running: Vec<_> = serving(machines).into_iter().filter(|m| runs(m)).collect();
        if let Some(why) = refuse_downtime(&ids(&running), &ids(&chosen)) {
            return Err(CommandError::usage(format!("error: {why}")));
        }
    }
    Ok(chosen)
}

pub(super) fn runs(machine: &Machine) -> bool {
    RestingState::of(machine.state.as_str()) == Some(RestingState::Started)
}

/// The machines of the app itself that have a service; all of them if none has one. Fly's own ones,
/// for release commands and consoles, are left out.
pub(super) fn serving(machines: &[Machine]) -> Vec<&Machine> {
    let is_there = |machine: &&Machine| {
        let group = machine.config.as_ref().and_then(|c| c.metadata("fly_process_group"));
        !matches!(machine.state, MachineState::Destroyed | MachineState::Destroying)
            && !group.is_some_and(|group| group.starts_with("fly_app_"))
    };
    let has_service = |machine: &&Machine| {
        machine.config.as_ref().is_some_and(|config| !config.services().is_empty())
    };
    let there: Vec<&Machine> = machines.iter().filter(is_there).collect();
    let serving: Vec<&Machine> = there.iter().copied().filter(has_service).collect();
    if serving.is_empty() { there } else { serving }
}

fn choose<'m>(
    machines: &'m [Machine],
    request: &AppRequest<'_>,
) -> Result<Vec<&'m Machine>, CommandError> {
    let serving = serving(machines);
    let Some(wanted) = request.machine else {
        if serving.is_empty() {
            return Err(CommandError::usage(format!(
                "error: app {} has no machines; deploy it first",
                request.app.as_str()
            )));
        }
        return Ok(serving);
    };
    let found = machines.iter().find(|machine| machine.id == wanted.as_str());
    found.map(|machine| vec![machine]).ok_or_else(|| {
        let ids: Vec<_> = serving.iter().map(|machine| machine.id.as_str()).collect();
        CommandError::usage(format!(
            "error: app {} has no machine {}; it has {}",
            request.app.as_str(),
            wanted.as_str(),
            ids.join(", ")
        ))
    })
}

/// A machine as it has to be restored.
pub(super) fn saved(machine: &Machine) -> Result<(String, SavedMachine), CommandError> {
    let state = RestingState::of(machine.state.as_str());
    match (state, &machine.config) {
        (Some(state), Some(config)) => {
            let config = config.as_json().clone();
            Ok((machine.id.clone(), SavedMachine { state, config }))
        }
        _ => Err(CommandError::usage(format!(
            "error: machine {} is {} and cannot be restored from that; wait until it has started \
             or stopped, or name another with --machine",
            machine.id, machine.state
        ))),
    }
}
