//! Machines as an inventory shows them.

use crate::fly::{Machine, MachineConfig, MachineEvent, MachineService};
use crate::record::session::MachineFacts;

/// Number of events that an inventory shows.
const SHOWN_EVENTS: usize = 5;

/// A machine as an inventory shows it.
pub(super) fn machine_facts(machine: &Machine) -> MachineFacts {
    let config = machine.config.as_ref();
    let guest = config.map(MachineConfig::guest).unwrap_or_default();
    let services = config.map(MachineConfig::services).unwrap_or_default();
    let service = services.first().cloned().unwrap_or_default();
    MachineFacts {
        id: machine.id.clone(),
        name: machine.name.clone(),
        state: machine.state.as_str().to_owned(),
        region: machine.region.clone(),
        size: guest.size_name().unwrap_or_else(|| "unknown".to_owned()),
        cpus: guest.cpus.unwrap_or_default(),
        shared_cpus: guest.is_shared().unwrap_or_default(),
        memory_mb: guest.memory_mb.unwrap_or_default(),
        image: config.and_then(MachineConfig::image).unwrap_or_default().to_owned(),
        instance_id: machine.instance_id.clone(),
        autostop: service.autostop.map(|mode| mode.as_str().to_owned()).unwrap_or_default(),
        autostart: service.autostart,
        min_machines_running: service.min_machines_running,
        concurrency_type: services.first().map(counted).unwrap_or_default(),
        soft_limit: service.concurrency.soft_limit,
        hard_limit: service.concurrency.hard_limit,
        events: machine.events.iter().take(SHOWN_EVENTS).map(event_line).collect(),
    }
}

/// What the limits of a service count. Fly counts connections if the config does not say
/// (<https://fly.io/docs/apps/concurrency>).
fn counted(service: &MachineService) -> String {
    service.concurrency.counted.clone().unwrap_or_else(|| "connections".to_owned())
}

/// An event in one line: `2026-11-29T04:00:00Z start started by user`.
fn event_line(event: &MachineEvent) -> String {
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let at = event.at().and_then(|at| at.format(format).ok());
    let at = at.unwrap_or_else(|| "at an unknown time".to_owned());
    format!("{at} {} {} by {}", event.kind, event.status, event.source)
}
