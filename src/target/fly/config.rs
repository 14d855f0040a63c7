//! What the simulation reads in a machine's config; everything else is kept as it came.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::units::MachineSize;

/// The size of a machine and its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MachineShape {
    pub(super) cpu_kind: String,
    pub(super) cpus: u32,
    pub(super) memory_mb: u64,
    pub(super) env: BTreeMap<String, String>,
}

/// What the proxy does with a surplus machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AutoStop {
    Off,
    Stop,
    Suspend,
}

/// The rules of a machine's first service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServiceRules {
    pub(super) autostart: bool,
    pub(super) autostop: AutoStop,
    pub(super) min_machines_running: usize,
    pub(super) soft_limit: usize,
    pub(super) hard_limit: usize,
}

impl MachineShape {
    /// What `config` says; Fly's smallest machine where it says nothing.
    pub(super) fn of(config: &Value) -> Self {
        let guest = &config["guest"];
        let env = config["env"].as_object().into_iter().flatten();
        Self {
            cpu_kind: guest["cpu_kind"].as_str().unwrap_or("shared").to_owned(),
            cpus: guest["cpus"].as_u64().map_or(1, |cpus| u32::try_from(cpus).unwrap_or(u32::MAX)),
            memory_mb: guest["memory_mb"].as_u64().unwrap_or(256),
            env: env
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
        }
    }

    pub(super) fn is_shared(&self) -> bool {
        self.cpu_kind == "shared"
    }

    /// Why Fly has no machine of this size.
    pub(super) fn mistake(&self) -> Option<String> {
        let size = match MachineSize::of_cpus(&self.cpu_kind, self.cpus) {
            Ok(size) => size,
            Err(error) => return Some(format!("invalid number of CPUs or kind: {error}")),
        };
        let cpus = u64::from(self.cpus);
        let most = if size.is_shared() { 2048 } else { 8192 };
        let range = u64::from(size.default_memory_mb())..=most * cpus;
        (!range.contains(&self.memory_mb) || !self.memory_mb.is_multiple_of(256)).then(|| {
            format!(
                "invalid memory size {} MiB for {} CPUs of kind {}: choose {} to {} MiB, a \
                 multiple of 256",
                self.memory_mb,
                cpus,
                self.cpu_kind,
                range.start(),
                range.end()
            )
        })
    }
}

impl ServiceRules {
    /// The rules of the first service of `config`; Fly's defaults where it says nothing.
    pub(super) fn of(config: &Value) -> Self {
        let service = &config["services"][0];
        let limit = |name: &str, default: u64| {
            let limit = service["concurrency"][name].as_u64().filter(|limit| *limit > 0);
            usize::try_from(limit.unwrap_or(default)).unwrap_or(usize::MAX)
        };
        Self {
            autostart: service["autostart"].as_bool().unwrap_or(false),
            autostop: AutoStop::of(&service["autostop"]),
            min_machines_running: service["min_machines_running"]
                .as_u64()
                .and_then(|least| usize::try_from(least).ok())
                .unwrap_or(0),
            soft_limit: limit("soft_limit", 20),
            hard_limit: limit("hard_limit", u64::MAX),
        }
    }
}

impl AutoStop {
    /// Reads the new form (`off`, `stop`, `suspend`) and the old one (`false`, `true`).
    fn of(written: &Value) -> Self {
        match (written.as_bool(), written.as_str()) {
            (Some(true), _) | (_, Some("stop")) => Self::Stop,
            (_, Some("suspend")) => Self::Suspend,
            _ => Self::Off,
        }
    }
}

/// Writes `autostop` as Fly's answers do: `false` for `off` and `true` for `stop`.
pub(super) fn with_old_autostop(mut config: Value) -> Value {
    let services = config.get_mut("services").and_then(Value::as_array_mut);
    for service in
        services.into_iter().flatten().filter(|service| service.get("autostop").is_some())
    {
        match AutoStop::of(&service["autostop"]) {
            AutoStop::Off => service["autostop"] = json!(false),
            AutoStop::Stop => service["autostop"] = json!(true),
            AutoStop::Suspend => {}
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_autostop_are_read_and_the_old_one_is_written() {
        for (written, means, answered) in [
            (json!("off"), AutoStop::Off, json!(false)),
            (json!(false), AutoStop::Off, json!(false)),
            (json!("stop"), AutoStop::Stop, json!(true)),
            (json!(true), AutoStop::Stop, json!(true)),
            (json!("suspend"), AutoStop::Suspend, json!("suspend")),
        ] {
            let config = json!({"services": [{"autostop": written}]});
            assert_eq!(ServiceRules::of(&config).autostop, means);
            assert_eq!(with_old_autostop(config)["services"][0]["autostop"], answered);
        }
        assert_eq!(with_old_autostop(json!({"env": {}})), json!({"env": {}}));
    }

    #[test]
    fn sizes_that_fly_does_not_have_are_named() {
        for (kind, cpus, memory, good) in [
            ("shared", 1, 256, true),
            ("shared", 1, 2048, true),
            ("shared", 1, 4096, false),
            ("shared", 3, 1024, false),
            ("shared", 16, 4096, false),
            ("performance", 16, 32_768, true),
            ("shared", 1, 1000, false),
            ("performance", 1, 2048, true),
            ("performance", 1, 1024, false),
            ("huge", 1, 1024, false),
        ] {
            let guest = json!({"cpu_kind": kind, "cpus": cpus, "memory_mb": memory});
            let mistake = MachineShape::of(&json!({"guest": guest})).mistake();
            assert_eq!(mistake.is_none(), good, "{kind} {cpus} {memory}: {mistake:?}");
        }
    }
}
