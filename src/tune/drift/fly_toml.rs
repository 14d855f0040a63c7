//! What a `fly.toml` says about machines and their services, as flyctl reads it.
//!
//! Source: <https://fly.io/docs/reference/configuration/> and flyctl's own reading of old forms.

use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::reader::{StatedValue, TomlReader, entry, integer_of};
use crate::scenario::reading::Diagnostics;
use crate::scenario::{FileKind, ScenarioErrors, ScenarioSource, parse_root, read_source};
use crate::units::MachineSize;

/// The process group of an app that names none.
const DEFAULT_GROUP: &str = "app";
/// The size of a machine whose section names none.
const DEFAULT_CPUS: u32 = 1;
/// The port of an `[http_service]` that names none.
const DEFAULT_PORT: u16 = 8080;

/// A `fly.toml`, as far as drift is about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlyToml {
    pub(super) app: Option<StatedValue<String>>,
    pub(super) primary_region: Option<StatedValue<String>>,
    /// The process groups, sorted; at least one.
    pub(super) groups: Vec<String>,
    /// The line of `[processes]`, or the first one.
    pub(super) groups_line: usize,
    pub(super) sizes: Vec<StatedSize>,
    pub(super) services: Vec<StatedService>,
    pub(super) notes: Vec<String>,
}

/// One `[[vm]]` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatedSize {
    /// The groups that it names; empty if it is for all that no other section names.
    pub(super) processes: Vec<String>,
    pub(super) memory_mb: StatedValue<u32>,
    pub(super) cpus: StatedValue<u32>,
    pub(super) cpu_kind: StatedValue<String>,
}

/// `[http_service]`, or one `[[services]]` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatedService {
    /// The groups that it names; empty if it is for the default group.
    pub(super) processes: Vec<String>,
    pub(super) internal_port: StatedValue<u16>,
    pub(super) protocol: String,
    pub(super) autostop: Option<StatedValue<&'static str>>,
    pub(super) autostart: Option<StatedValue<bool>>,
    pub(super) min_machines_running: Option<StatedValue<u32>>,
    pub(super) counted: Option<StatedValue<String>>,
    pub(super) soft_limit: Option<StatedValue<u32>>,
    pub(super) hard_limit: Option<StatedValue<u32>>,
}

const FLY_TOML: FileKind = FileKind {
    what: "a fly.toml",
    file: "the app's fly.toml",
    missing: |_| "name the app's fly.toml; `fly config save --app NAME` writes one".to_owned(),
};

impl FlyToml {
    /// Reads a file. The error holds every mistake in it.
    pub fn read(path: &Path) -> Result<Self, ScenarioErrors> {
        Self::of_source(read_source(path, &FLY_TOML)?)
    }

    /// Reads a text. Errors show `name` as the path of the file.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioErrors> {
        Self::of_source(ScenarioSource::new(name, text))
    }

    /// The app that the file names.
    pub fn app(&self) -> Option<&str> {
        self.app.as_ref().map(|app| app.value.as_str())
    }

    /// The process group of machines and services that name none.
    pub(super) fn default_group(&self) -> &str {
        let named = self.groups.iter().find(|group| *group == DEFAULT_GROUP);
        named.or(self.groups.first()).map_or(DEFAULT_GROUP, String::as_str)
    }

    /// The section that decides the size of a group's machines.
    pub(super) fn size_of(&self, group: &str) -> Option<usize> {
        let named = |size: &StatedSize| size.processes.iter().any(|one| one == group);
        let own = self.sizes.iter().position(named);
        own.or_else(|| self.sizes.iter().position(|size| size.processes.is_empty()))
    }

    fn of_source(source: ScenarioSource) -> Result<Self, ScenarioErrors> {
        let source = Arc::new(source);
        let mut diagnostics = Diagnostics::default();
        let root = parse_root(&source, &mut diagnostics);
        let Some(table) = root.as_ref().and_then(|root| root.get_ref().as_table()) else {
            return Err(ScenarioErrors::of(&source, diagnostics.into_inner()));
        };
        let mut reader = TomlReader { text: source.text(), diagnostics };
        let file = Self::of_table(table, &mut reader);
        if reader.diagnostics.is_empty() {
            Ok(file)
        } else {
            Err(ScenarioErrors::of(&source, reader.diagnostics.into_inner()))
        }
    }

    fn of_table<'t>(table: &DeTable<'t>, reader: &mut TomlReader<'t>) -> Self {
        let http = reader.tables_of(table, "http_service");
        let others = reader.tables_of(table, "services");
        let mut services: Vec<StatedService> = http
            .into_iter()
            .filter_map(|(line, section)| service(section, line, Some(DEFAULT_PORT), reader))
            .collect();
        services.extend(
            others.into_iter().filter_map(|(line, section)| service(section, line, None, reader)),
        );
        let mut sizes: Vec<StatedSize> = ["vm", "compute"]
            .into_iter()
            .flat_map(|key| reader.tables_of(table, key))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|(line, section)| size(section, line, &KEYS_OF_VM, reader))
            .collect();
        let mut notes = Vec::new();
        if let Some(line) = KEYS_AT_TOP.iter().find_map(|key| line_of(table, key, reader)) {
            notes.push(format!(
                "line {line}: flyctl reads sizes only from `[[vm]]`; a deploy ignores this key"
            ));
            sizes.push(size(table, line, &KEYS_AT_TOP, reader));
        }
        Self {
            app: reader.text_of(table, "app"),
            primary_region: reader.text_of(table, "primary_region"),
            groups: groups(table),
            groups_line: line_of(table, "processes", reader).unwrap_or(1),
            sizes,
            services,
            notes,
        }
    }
}

/// The line of a key, if it is there.
fn line_of<'t>(table: &DeTable<'t>, key: &str, reader: &TomlReader<'t>) -> Option<usize> {
    entry(table, key).map(|(name, _)| reader.line_of(name.span().start))
}

/// The names under `[processes]`, sorted.
fn groups(table: &DeTable<'_>) -> Vec<String> {
    let processes = entry(table, "processes").and_then(|(_, value)| value.get_ref().as_table());
    let mut names: Vec<String> = processes
        .into_iter()
        .flat_map(|table| table.iter().map(|(name, _)| name.get_ref().to_string()))
        .collect();
    names.sort_unstable();
    if names.is_empty() { vec![DEFAULT_GROUP.to_owned()] } else { names }
}

/// The keys of a size: its name, memory as text, memory in MB, CPUs, kind.
type SizeKeys = [&'static str; 5];
const KEYS_OF_VM: SizeKeys = ["size", "memory", "memory_mb", "cpus", "cpu_kind"];
/// The names of flags, which are written at the top by mistake.
const KEYS_AT_TOP: SizeKeys = ["vm_size", "vm_memory", "vm_memory_mb", "vm_cpus", "vm_cpu_kind"];

/// A size: what is not stated has the default of the named size, or of the smallest one.
fn size<'t>(
    section: &DeTable<'t>,
    line: usize,
    keys: &SizeKeys,
    reader: &mut TomlReader<'t>,
) -> StatedSize {
    let [size, memory, memory_mb, cpus, cpu_kind] = *keys;
    let expected = ("a size of Fly's machines", "write it like `\"shared-cpu-1x\"`");
    let named =
        reader.read(section, size, expected, |value| value.as_str()?.parse::<MachineSize>().ok());
    let default = named.clone().unwrap_or_else(|| StatedValue {
        value: MachineSize::shared(DEFAULT_CPUS),
        line,
        written: format!("no `{size}`"),
    });
    let expected = ("an amount of memory", "write it like `\"2gb\"` or `2048`, which are MB");
    let memory = reader.read(section, memory, expected, memory_of);
    let memory_mb = reader.read(section, memory_mb, expected, memory_of).or(memory);
    let expected = ("a kind of CPUs", "write `\"shared\"` or `\"performance\"`");
    let kind = reader.read(section, cpu_kind, expected, |value| {
        value.as_str().filter(|kind| ["shared", "performance"].contains(kind)).map(str::to_owned)
    });
    let cpus = reader.count_of(section, cpus);
    let default_memory = default.value.default_memory_mb();
    StatedSize {
        processes: reader.texts_of(section, "processes"),
        memory_mb: memory_mb.unwrap_or_else(|| default.implied(default_memory, "memory")),
        cpus: cpus.unwrap_or_else(|| default.implied(default.value.cpus(), "CPUs")),
        cpu_kind: kind.unwrap_or_else(|| {
            default.implied(default.value.cpu_kind().to_owned(), "kind of CPUs")
        }),
    }
}

/// Memory in MB: `"2gb"`, `"2048mb"`, `"512"` and `2048`. Units are powers of 1024.
fn memory_of(value: &DeValue<'_>) -> Option<u32> {
    let mb = match (integer_of(value), value) {
        (Some(number), _) => number as f64,
        (None, DeValue::String(text)) => memory_text(text)?,
        _ => return None,
    };
    let whole: u32 = format!("{:.0}", mb.floor()).parse().ok()?;
    (whole > 0).then_some(whole)
}

fn memory_text(text: &str) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    let bytes = match unit.trim_start() {
        "" | "b" => 1.0,
        "k" | "kb" | "ki" | "kib" => 1024.0,
        "m" | "mb" | "mi" | "mib" => 1024.0 * 1024.0,
        "g" | "gb" | "gi" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tb" | "ti" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number * bytes / (1024.0 * 1024.0))
}

/// A service; `None` after reporting that its port is missing.
fn service<'t>(
    section: &DeTable<'t>,
    line: usize,
    default_port: Option<u16>,
    reader: &mut TomlReader<'t>,
) -> Option<StatedService> {
    let port = reader.read(section, "internal_port", ("a port", "write it like `3000`"), |value| {
        u16::try_from(integer_of(value)?).ok().filter(|port| *port > 0)
    });
    let default = default_port.filter(|_| entry(section, "internal_port").is_none());
    let written = "no `internal_port`".to_owned();
    let internal_port = port.or(default.map(|value| StatedValue { value, line, written }));
    let (counted, soft_limit, hard_limit) = concurrency(section, reader);
    let flag = ("true or false", "write `true` or `false`");
    let protocol = reader.text_of(section, "protocol");
    let autostop = reader.read(section, "auto_stop_machines", AUTOSTOP, autostop_of);
    let autostart = reader.read(section, "auto_start_machines", flag, DeValue::as_bool);
    let min_machines_running = reader.count_of(section, "min_machines_running");
    let processes = reader.texts_of(section, "processes");
    // Every mistake of the section is found before a missing port ends it.
    Some(StatedService {
        processes,
        internal_port: internal_port?,
        protocol: protocol
            .map_or_else(|| "tcp".to_owned(), |protocol| protocol.value.to_ascii_lowercase()),
        autostop,
        autostart,
        min_machines_running,
        counted,
        soft_limit,
        hard_limit,
    })
}

const AUTOSTOP: (&str, &str) =
    ("a way to stop machines", "write `\"off\"`, `\"stop\"` or `\"suspend\"`");

/// `true` and `false` are the old forms of stop and off.
fn autostop_of(value: &DeValue<'_>) -> Option<&'static str> {
    match value {
        DeValue::Boolean(stops) => Some(if *stops { "stop" } else { "off" }),
        DeValue::String(text) => match text.as_ref() {
            "off" | "false" => Some("off"),
            "stop" | "true" => Some("stop"),
            "suspend" => Some("suspend"),
            _ => None,
        },
        _ => None,
    }
}

type StatedConcurrency =
    (Option<StatedValue<String>>, Option<StatedValue<u32>>, Option<StatedValue<u32>>);

/// What is counted, the soft and the hard limit. The old form is `"soft,hard"`, of requests.
fn concurrency<'t>(section: &DeTable<'t>, reader: &mut TomlReader<'t>) -> StatedConcurrency {
    let Some((_, value)) = entry(section, "concurrency") else { return (None, None, None) };
    if let DeValue::Table(table) = value.get_ref() {
        let expected = ("a kind of concurrency", "write `\"connections\"` or `\"requests\"`");
        let counted = reader.read(table, "type", expected, |value| {
            value.as_str().filter(|it| ["connections", "requests"].contains(it)).map(str::to_owned)
        });
        let limits = ["soft_limit", "hard_limit"].map(|key| reader.count_of(table, key));
        let [soft, hard] = limits;
        return (counted, soft, hard);
    }
    let expected = ("a pair of limits", "write the section `[http_service.concurrency]`");
    let pair = reader.read(section, "concurrency", expected, |value| {
        let (soft, hard) = value.as_str()?.split_once(',')?;
        Some((soft.trim().parse().ok()?, hard.trim().parse().ok()?))
    });
    match pair {
        None => (None, None, None),
        Some(pair) => (
            Some(pair.with("requests".to_owned())),
            Some(pair.with(pair.value.0)),
            Some(pair.with(pair.value.1)),
        ),
    }
}
