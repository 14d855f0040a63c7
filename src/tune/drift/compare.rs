//! Compares the machines of an app with its `fly.toml`.

use std::collections::BTreeSet;

use super::fly_toml::{FlyToml, StatedService, StatedSize};
use super::reader::StatedValue;
use super::{ComparedSetting, DifferingMachine, DriftReport, RunningMachine, RunningService};
use crate::tune::words;

/// Groups of machines that flyctl makes for one command and destroys again.
const PASSING_GROUPS: &str = "fly_app_";

/// Compares the machines of an app with what its file says.
pub fn find_drift(file: &FlyToml, machines: &[RunningMachine]) -> DriftReport {
    let (machines, left_out): (Vec<_>, Vec<_>) = machines.iter().partition(|one| is_compared(one));
    let all = Comparison { file, machines, left_out: left_out.len() };
    let mut settings: Vec<ComparedSetting> = all.primary_region().into_iter().collect();
    for (at, size) in file.sizes.iter().enumerate() {
        settings.extend(all.size(at, size));
    }
    for service in &file.services {
        settings.extend(all.service(service));
    }
    settings.extend(all.groups_without_machines());
    settings.sort_by_key(|setting| setting.line);
    DriftReport { machines: all.machines.len(), notes: all.notes(), settings }
}

/// Whether a machine belongs to the app for good.
fn is_compared(machine: &RunningMachine) -> bool {
    let is_passing = machine.group.as_ref().is_some_and(|own| own.starts_with(PASSING_GROUPS));
    !is_passing && !matches!(machine.state.as_str(), "destroyed" | "destroying")
}

struct Comparison<'a> {
    file: &'a FlyToml,
    machines: Vec<&'a RunningMachine>,
    /// How many machines were left out: those of one-off commands, and destroyed ones.
    left_out: usize,
}

impl<'a> Comparison<'a> {
    fn group_of(&self, machine: &'a RunningMachine) -> &'a str {
        match &machine.group {
            Some(group) => group,
            None => self.file.default_group(),
        }
    }

    /// One setting of each of some machines: what it must be, and what it is where it differs.
    fn setting<T>(
        machines: &[&RunningMachine],
        stated: &StatedValue<T>,
        expected: String,
        difference: impl Fn(&RunningMachine) -> Option<String>,
    ) -> ComparedSetting {
        let differing =
            machines.iter().filter_map(|machine| Some(differing(machine, difference(machine)?)));
        ComparedSetting {
            line: stated.line,
            file: stated.written.clone(),
            expected,
            compared: machines.len(),
            differing: differing.collect(),
            together: None,
        }
    }

    /// Whether any machine is in the primary region.
    fn primary_region(&self) -> Option<ComparedSetting> {
        let stated = self.file.primary_region.as_ref().filter(|_| !self.machines.is_empty())?;
        let missing = !self.machines.iter().any(|machine| machine.region == stated.value);
        let elsewhere =
            |machine: &RunningMachine| missing.then(|| format!("in `{}`", machine.region));
        let expected = format!("machines in `{}`", stated.value);
        Some(Self::setting(&self.machines, stated, expected, elsewhere))
    }

    fn size(&self, at: usize, size: &StatedSize) -> Vec<ComparedSetting> {
        let machines: Vec<&RunningMachine> = self
            .machines
            .iter()
            .filter(|machine| self.file.size_of(self.group_of(machine)) == Some(at))
            .copied()
            .collect();
        if machines.is_empty() {
            return Vec::new();
        }
        let (memory, cpus, kind) = (&size.memory_mb, &size.cpus, &size.cpu_kind);
        let megabytes = |mb: u32| format!("{mb} MB");
        let counted = |cpus: u32| words::count(cpus as usize, "CPU");
        vec![
            Self::setting(&machines, memory, megabytes(memory.value), |machine| {
                found(machine.memory_mb, &memory.value, megabytes)
            }),
            Self::setting(&machines, cpus, counted(cpus.value), |machine| {
                found(machine.cpus, &cpus.value, counted)
            }),
            Self::setting(&machines, kind, format!("{} CPUs", kind.value), |machine| {
                found(machine.cpu_kind.clone(), &kind.value, |kind| format!("{kind} CPUs"))
            }),
        ]
    }

    fn service(&self, stated: &StatedService) -> Vec<ComparedSetting> {
        let machines: Vec<&RunningMachine> = self
            .machines
            .iter()
            .filter(|machine| self.is_served(stated, self.group_of(machine)))
            .copied()
            .collect();
        if machines.is_empty() {
            return Vec::new();
        }
        let port = &stated.internal_port;
        let mut settings = vec![Self::setting(
            &machines,
            port,
            format!("a service on port {}", port.value),
            |machine| matching(machine, stated).is_none().then(|| ports(machine)),
        )];
        let serving: Vec<&RunningMachine> = machines
            .iter()
            .filter(|machine| matching(machine, stated).is_some())
            .copied()
            .collect();
        settings.extend(proxy_settings(stated, &serving));
        settings.extend(self.minimum(stated, &serving));
        settings
    }

    fn is_served(&self, stated: &StatedService, group: &str) -> bool {
        if stated.processes.is_empty() {
            return group == self.file.default_group();
        }
        stated.processes.iter().any(|own| own == group)
    }

    /// `min_machines_running`: as each machine has it, and whether enough machines are there to
    /// keep it. It holds in the primary region only.
    fn minimum(
        &self,
        stated: &StatedService,
        serving: &[&RunningMachine],
    ) -> Option<ComparedSetting> {
        let minimum = stated.min_machines_running.as_ref()?;
        let region = self.file.primary_region.as_ref().map(|region| region.value.as_str());
        let counted: Vec<&&RunningMachine> = serving
            .iter()
            .filter(|machine| region.is_none_or(|region| machine.region == region))
            .collect();
        let running = counted.iter().filter(|machine| machine.state == "started").count();
        let place = region.map(|region| format!(" in `{region}`")).unwrap_or_default();
        let wanted = minimum.value as usize;
        let together = if counted.len() < wanted {
            let machines = words::count(counted.len(), "machine");
            Some(format!("only {machines}{place} can run"))
        } else if running < wanted {
            Some(format!("{running} of {} machines{place} run", counted.len()))
        } else {
            None
        };
        let expected = format!("at least {wanted} running{place}");
        let mut setting = Self::setting(serving, minimum, expected, |machine| {
            let own = matching(machine, stated)?.min_machines_running;
            let differs = own.unwrap_or(0) != minimum.value;
            differs.then(|| own.map_or("none set".to_owned(), |own| format!("set to {own}")))
        });
        setting.together = together;
        Some(setting)
    }

    /// Process groups of the file that no machine runs.
    fn groups_without_machines(&self) -> Vec<ComparedSetting> {
        let present: BTreeSet<&str> =
            self.machines.iter().map(|machine| self.group_of(machine)).collect();
        let missing = self.file.groups.iter().filter(|group| !present.contains(group.as_str()));
        missing
            .map(|group| ComparedSetting {
                line: self.file.groups_line,
                file: format!("process group `{group}`"),
                expected: "one machine or more".to_owned(),
                compared: 0,
                differing: Vec::new(),
                together: Some("no machine runs it".to_owned()),
            })
            .collect()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.file.notes.clone();
        notes.extend(self.note_on_left_out());
        notes.extend(self.notes_on_unused_sections());
        let unsized_groups: BTreeSet<&str> = self
            .machines
            .iter()
            .map(|machine| self.group_of(machine))
            .filter(|group| self.file.size_of(group).is_none())
            .collect();
        for group in unsized_groups {
            notes.push(format!(
                "no `[[vm]]` is for group `{group}`: a deploy keeps its memory and CPUs as they are"
            ));
        }
        for machine in &self.machines {
            notes.extend(self.note_on(machine));
        }
        notes
    }

    /// An app with machines that are all left out looks empty.
    fn note_on_left_out(&self) -> Option<String> {
        let (them, was) = match self.left_out {
            1 => (
                "it belongs to a one-off command, such as a release command, or is destroyed",
                "was",
            ),
            _ => (
                "they belong to one-off commands, such as release commands, or are destroyed",
                "were",
            ),
        };
        let count = words::count(self.left_out, "machine");
        (self.machines.is_empty() && self.left_out > 0)
            .then(|| format!("{count} {was} left out: {them}"))
    }

    /// Sections that no machine was compared with. Without any machine, that is said once.
    fn notes_on_unused_sections(&self) -> Vec<String> {
        if self.machines.is_empty() {
            return Vec::new();
        }
        let groups: Vec<&str> = self.machines.iter().map(|one| self.group_of(one)).collect();
        let sizes =
            self.file.sizes.iter().enumerate().filter(|(at, _)| {
                !groups.iter().any(|group| self.file.size_of(group) == Some(*at))
            });
        let services = self
            .file
            .services
            .iter()
            .filter(|service| !groups.iter().any(|group| self.is_served(service, group)));
        let of_sizes = sizes.map(|(_, size)| {
            let line = size.memory_mb.line.min(size.cpus.line).min(size.cpu_kind.line);
            self.note_on_unused(line, "size", &size.processes)
        });
        let of_services = services.map(|service| {
            self.note_on_unused(service.internal_port.line, "service", &service.processes)
        });
        of_sizes.chain(of_services).collect()
    }

    fn note_on_unused(&self, line: usize, what: &str, processes: &[String]) -> String {
        let is_known = |group: &&String| self.file.groups.contains(group);
        let named = |groups: Vec<&String>| {
            let noun = if groups.len() == 1 { "group" } else { "groups" };
            let quoted: Vec<_> = groups.iter().map(|group| format!("`{group}`")).collect();
            format!("{noun} {}", quoted.join(", "))
        };
        let unknown: Vec<&String> = processes.iter().filter(|group| !is_known(group)).collect();
        let why = if !unknown.is_empty() {
            format!("`[processes]` does not have its {}", named(unknown))
        } else if processes.is_empty() {
            "no machine belongs to a process group that it covers".to_owned()
        } else {
            format!("no machine belongs to its {}", named(processes.iter().collect()))
        };
        format!("line {line}: this {what} was compared with no machine: {why}")
    }

    fn note_on(&self, machine: &'a RunningMachine) -> Vec<String> {
        let (id, group) = (&machine.id, self.group_of(machine));
        let mut notes = Vec::new();
        if !self.file.groups.iter().any(|own| own == group) {
            notes.push(format!("{id} belongs to group `{group}`, which the file does not have"));
        }
        if let Some(region) = &self.file.primary_region
            && region.value != machine.region
        {
            let place = &machine.region;
            notes.push(format!("{id} is in `{place}`: `min_machines_running` does not hold there"));
        }
        for service in &machine.services {
            let is_stated = self.file.services.iter().any(|stated| is_match(service, stated));
            if let (false, Some(port)) = (is_stated, service.internal_port) {
                notes
                    .push(format!("{id} has a service on port {port} that the file does not have"));
            }
        }
        notes
    }
}

/// What the proxy does with the machines of a service.
fn proxy_settings(stated: &StatedService, serving: &[&RunningMachine]) -> Vec<ComparedSetting> {
    let of = |machine: &RunningMachine| matching(machine, stated).cloned().unwrap_or_default();
    let quoted = |word: String| format!("`{word}`");
    let limit = |limit: u32| limit.to_string();
    let autostop = stated.autostop.as_ref().map(|stop| {
        Comparison::setting(serving, stop, format!("`{}`", stop.value), |machine| {
            let own = of(machine).autostop.unwrap_or_else(|| "off".to_owned());
            found(Some(own), &stop.value.to_owned(), quoted)
        })
    });
    // The proxy starts a machine unless its config says otherwise.
    let autostart = stated.autostart.as_ref().map(|start| {
        Comparison::setting(serving, start, format!("`{}`", start.value), |machine| {
            let own = of(machine).autostart.unwrap_or(true);
            found(Some(own), &start.value, |own| format!("`{own}`"))
        })
    });
    let counted = stated.counted.as_ref().map(|counted| {
        Comparison::setting(serving, counted, format!("`{}`", counted.value), |machine| {
            let own = of(machine).counted.unwrap_or_else(|| "connections".to_owned());
            found(Some(own), &counted.value, quoted)
        })
    });
    let soft = stated.soft_limit.as_ref().map(|soft| {
        Comparison::setting(serving, soft, format!("soft limit {}", soft.value), |machine| {
            found(of(machine).soft_limit, &soft.value, limit)
        })
    });
    let hard = stated.hard_limit.as_ref().map(|hard| {
        Comparison::setting(serving, hard, format!("hard limit {}", hard.value), |machine| {
            found(of(machine).hard_limit, &hard.value, limit)
        })
    });
    let unstated = unstated(stated, serving);
    [autostop, autostart, counted, soft, hard].into_iter().flatten().chain(unstated).collect()
}

/// Settings that the machines have and the file lacks, so that the next deploy removes them.
fn unstated(stated: &StatedService, serving: &[&RunningMachine]) -> Vec<ComparedSetting> {
    let of = |machine: &RunningMachine| matching(machine, stated).cloned().unwrap_or_default();
    let missing = |key: &str| StatedValue {
        value: (),
        line: stated.internal_port.line,
        written: format!("no `{key}`"),
    };
    let autostop = stated.autostop.is_none().then(|| {
        let stated = missing("auto_stop_machines");
        Comparison::setting(serving, &stated, "`off`".to_owned(), |machine| {
            of(machine).autostop.filter(|own| own != "off").map(|own| format!("`{own}`"))
        })
    });
    let minimum = stated.min_machines_running.is_none().then(|| {
        let stated = missing("min_machines_running");
        Comparison::setting(serving, &stated, "none running".to_owned(), |machine| {
            let own = of(machine).min_machines_running.filter(|own| *own > 0);
            own.map(|own| format!("set to {own}"))
        })
    });
    [autostop, minimum].into_iter().flatten().filter(ComparedSetting::differs).collect()
}

/// What a machine has, if that is not what is wanted.
fn found<T: PartialEq>(own: Option<T>, wanted: &T, words: impl Fn(T) -> String) -> Option<String> {
    match own {
        Some(own) if own == *wanted => None,
        Some(own) => Some(words(own)),
        None => Some("not set".to_owned()),
    }
}

fn differing(machine: &RunningMachine, found: String) -> DifferingMachine {
    DifferingMachine {
        id: machine.id.clone(),
        region: machine.region.clone(),
        state: machine.state.clone(),
        found,
    }
}

/// The service of a machine that the file's service describes.
fn matching<'m>(machine: &'m RunningMachine, stated: &StatedService) -> Option<&'m RunningService> {
    machine.services.iter().find(|service| is_match(service, stated))
}

fn is_match(service: &RunningService, stated: &StatedService) -> bool {
    let protocol = service.protocol.as_deref().unwrap_or("tcp");
    service.internal_port == Some(stated.internal_port.value)
        && protocol.eq_ignore_ascii_case(&stated.protocol)
}

/// The ports of a machine: `port 8080`, `no service`.
fn ports(machine: &RunningMachine) -> String {
    let ports: Vec<String> = machine
        .services
        .iter()
        .filter_map(|service| service.internal_port.map(|port| port.to_string()))
        .collect();
    match ports.as_slice() {
        [] => "no service".to_owned(),
        [port] => format!("port {port}"),
        ports => format!("ports {}", ports.join(", ")),
    }
}
