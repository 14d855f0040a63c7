use serde_json::json;
use time::macros::datetime;

use super::*;

/// The fields of a real answer, with one that this client does not know.
fn machine() -> Machine {
    serde_json::from_value(json!({
        "id": "148e21ea7e1e89", "name": "dark-sun-1", "state": "started", "region": "ord",
        "instance_id": "01JA", "private_ip": "fdaa::1", "host_status": "ok", "cordoned": false,
        "created_at": "2025-10-09T06:18:00Z", "updated_at": "2025-10-10T06:18:00.5Z",
        "image_ref": {"registry": "registry.fly.io", "repository": "x", "tag": "t", "digest": "d"},
        "config": {
            "image": "registry.fly.io/x:t", "env": {"KEY": "Zebra"}, "size": "old",
            "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 1024, "kernel_args": []},
            "metadata": {"fly_process_group": "app"},
            "services": [{
                "internal_port": 3000, "protocol": "tcp", "autostart": true, "autostop": true,
                "min_machines_running": 1, "ports": [],
                "concurrency": {"type": "requests", "soft_limit": 20, "hard_limit": 25}
            }]
        },
        "events": [
            {"id": "01", "type": "exit", "status": "stopped", "source": "flyd",
             "timestamp": 1_760_073_480_123_i64,
             "request": {"exit_event": {"exit_code": 137, "oom_killed": true}}},
            "not an event"
        ],
        "checks": [{"name": "http", "status": "passing", "output": "200", "updated_at": "x"}],
        "unheard_of": [1]
    }))
    .unwrap()
}

#[test]
fn the_fields_of_a_real_answer_are_read() {
    let machine = machine();
    assert_eq!((machine.id.as_str(), &machine.state), ("148e21ea7e1e89", &MachineState::Started));
    assert_eq!(machine.image_ref.tag, "t");
    let config = machine.config.unwrap();
    assert_eq!(config.guest().size_name().as_deref(), Some("shared-cpu-1x"));
    assert_eq!((config.guest().memory_mb, config.guest().is_shared()), (Some(1024), Some(true)));
    assert_eq!(config.metadata("fly_process_group"), Some("app"));
    assert_eq!(config.image(), Some("registry.fly.io/x:t"));
    let [service] = &config.services()[..] else { panic!("{config:?}") };
    assert_eq!((service.internal_port, service.autostart), (Some(3000), Some(true)));
    assert_eq!(service.autostop, Some(AutostopMode::Stop));
    assert_eq!(service.concurrency.soft_limit, Some(20));
    assert_eq!(service.concurrency.counted.as_deref(), Some("requests"));
}

#[test]
fn an_event_says_when_and_why_a_machine_ended() {
    let machine = machine();
    let [exit] = &machine.events[..] else { panic!("{:?}", machine.events) };
    assert_eq!((exit.kind.as_str(), exit.status.as_str()), ("exit", "stopped"));
    assert_eq!(exit.at(), Some(datetime!(2025-10-10 05:18:00.123 UTC)));
    assert_eq!((exit.exit_code(), exit.is_out_of_memory()), (Some(137), true));
    let wrapped = json!({"request": {"MonitorEvent": {"exit_event": {"exit_code": 1}}}});
    let wrapped: MachineEvent = serde_json::from_value(wrapped).unwrap();
    assert_eq!((wrapped.exit_code(), wrapped.is_out_of_memory()), (Some(1), false));
}

#[test]
fn what_an_answer_lacks_or_writes_in_another_form_is_not_known() {
    let bare: Machine = serde_json::from_value(json!({"id": "m"})).unwrap();
    assert_eq!((&bare.state, bare.events.len()), (&MachineState::Unknown, 0));
    let odd = json!({
        "id": "m", "name": null, "state": "hibernating", "config": null, "events": null,
        "checks": {"a": 1}, "created_at": "noon", "cordoned": "no", "host_status": "asleep"
    });
    let odd: Machine = serde_json::from_value(odd).unwrap();
    assert_eq!(odd.state.as_str(), "hibernating");
    assert_eq!((odd.config.is_none(), odd.events.len()), (true, 0));
    let config = MachineConfig::new(json!({"guest": {"cpus": "two", "memory_mb": 256}})).unwrap();
    assert_eq!((config.guest().cpus, config.guest().memory_mb), (None, Some(256)));
    assert!(config.services().is_empty());
    assert!(serde_json::from_value::<Machine>(json!({"name": "no id"})).is_err());
}

#[test]
fn both_forms_of_autostop_are_understood() {
    for (json, expected) in [
        (json!("off"), Some(AutostopMode::Off)),
        (json!(false), Some(AutostopMode::Off)),
        (json!("stop"), Some(AutostopMode::Stop)),
        (json!(true), Some(AutostopMode::Stop)),
        (json!("suspend"), Some(AutostopMode::Suspend)),
        (json!("later"), None),
        (json!(null), None),
        (json!(1), None),
    ] {
        let service: MachineService = serde_json::from_value(json!({"autostop": json})).unwrap();
        assert_eq!(service.autostop, expected, "{json}");
        assert_eq!(AutostopMode::from_json(&json), expected);
    }
}

#[test]
fn a_patched_configuration_keeps_what_this_client_does_not_know() {
    let config = machine().config.unwrap();
    let patched = config.patched(&json!({"guest": {"memory_mb": 2048}})).unwrap();
    assert_eq!(patched.guest().memory_mb, Some(2048));
    let mut expected = config.as_json().clone();
    expected["guest"]["memory_mb"] = json!(2048);
    assert_eq!(patched.as_json(), &expected);
    assert!(config.patched(&json!(null)).is_none());
}

#[test]
fn the_environment_of_an_app_is_not_shown() {
    let machine = machine();
    let shown = format!("{machine:?}");
    assert!(!shown.contains("Zebra") && shown.contains("MachineConfig"), "{shown}");
}
