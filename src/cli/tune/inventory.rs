//! Machines as an inventory shows them.

use crate::fly::{ImageRef, Machine, MachineConfig, MachineEvent, MachineService};
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
        image: image(config.and_then(MachineConfig::image), &machine.image_ref),
        instance_id: machine.instance_id.clone(),
        autostop: service.autostop.map(|mode| mode.as_str().to_owned()).unwrap_or_default(),
        autostart: service.autostart,
        min_machines_running: service.min_machines_running,
        concurrency_type: services.first().map(concurrency_type).unwrap_or_default(),
        soft_limit: service.concurrency.soft_limit,
        hard_limit: service.concurrency.hard_limit,
        events: machine.events.iter().take(SHOWN_EVENTS).map(event_line).collect(),
    }
}

/// What the limits of a service count. Fly counts connections if the config does not say
/// (<https://fly.io/docs/apps/concurrency>).
fn concurrency_type(service: &MachineService) -> String {
    service.concurrency.counted.clone().unwrap_or_else(|| "connections".to_owned())
}

/// The image: as the configuration names it, or as it was resolved, with its digest. A tag can be
/// moved, so that it alone does not say what runs.
fn image(named: Option<&str>, resolved: &ImageRef) -> String {
    let ImageRef { registry, repository, tag, digest } = resolved;
    let of_parts = || match (registry.as_str(), repository.as_str(), tag.as_str()) {
        (_, "", _) => String::new(),
        ("", repository, "") => repository.to_owned(),
        ("", repository, tag) => format!("{repository}:{tag}"),
        (registry, repository, "") => format!("{registry}/{repository}"),
        (registry, repository, tag) => format!("{registry}/{repository}:{tag}"),
    };
    let name = named.map_or_else(of_parts, str::to_owned);
    if digest.is_empty() || name.is_empty() || name.contains('@') {
        return name;
    }
    format!("{name}@{digest}")
}

/// An event in one line: `2026-11-29T04:00:00Z start started by user`, `2026-11-29T04:00:09Z exit
/// stopped by flyd, exit code 137, out of memory`.
fn event_line(event: &MachineEvent) -> String {
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let at = event.at().and_then(|at| at.format(format).ok());
    let at = at.unwrap_or_else(|| "at an unknown time".to_owned());
    let code = event.exit_code().filter(|code| *code != 0);
    let code = code.map(|code| format!(", exit code {code}")).unwrap_or_default();
    let memory = if event.is_out_of_memory() { ", out of memory" } else { "" };
    format!("{at} {} {} by {}{code}{memory}", event.kind, event.status, event.source)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(machine: &serde_json::Value) -> MachineFacts {
        machine_facts(&serde_json::from_value(machine.clone()).unwrap())
    }

    #[test]
    fn an_image_is_named_with_the_digest_that_runs() {
        let resolved = json!({"registry": "registry.fly.io", "repository": "x", "tag": "t",
                              "digest": "sha256:ab"});
        for (config, resolved, expected) in [
            (json!({"image": "x:latest"}), resolved.clone(), "x:latest@sha256:ab"),
            (json!({"image": "x@sha256:cd"}), resolved.clone(), "x@sha256:cd"),
            (json!({}), resolved, "registry.fly.io/x:t@sha256:ab"),
            (json!({"image": "x:latest"}), json!(null), "x:latest"),
            (json!({}), json!({}), ""),
        ] {
            let machine = json!({"id": "m", "config": config, "image_ref": resolved});
            assert_eq!(facts(&machine).image, expected, "{machine}");
        }
    }

    #[test]
    fn the_last_events_are_shown_with_how_a_machine_exited() {
        let killed = json!({"type": "exit", "status": "stopped", "source": "flyd",
            "timestamp": 1_760_073_480_000_i64,
            "request": {"exit_event": {"exit_code": 137, "oom_killed": true}}});
        let start = json!({"type": "start", "status": "started", "source": "user"});
        let events: Vec<_> = std::iter::once(killed).chain(vec![start; 9]).collect();
        let shown = facts(&json!({"id": "m", "events": events})).events;
        assert_eq!(
            shown[0],
            "2025-10-10T05:18:00Z exit stopped by flyd, exit code 137, out of memory"
        );
        assert_eq!(
            (shown.len(), shown[1].as_str()),
            (5, "at an unknown time start started by user")
        );
    }
}
