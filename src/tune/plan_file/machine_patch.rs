//! Checks a patch of a machine's config.

use serde_json::{Map, Value};

use crate::scenario::reading::Diagnostics;
use crate::scenario::{Diagnostic, JsonTemplate, Span, TemplatePart};
use crate::units::near::nearest;

const PATCH_EXAMPLE: &str = "write it like `machine = { guest = { memory_mb = 2048 } }`";

/// The patch, if it is one that changes something.
pub(super) fn machine_patch(
    patch: &JsonTemplate,
    span: &Span,
    diagnostics: &mut Diagnostics,
) -> Option<Value> {
    let literal = literal(patch);
    let (problem, remedy) = match &literal {
        _ if !patch.variables().is_empty() => (
            "variables are not allowed here".to_owned(),
            "write the value; secrets of an app are set by `fly secrets set`".to_owned(),
        ),
        Value::Object(keys) if changes_nothing(keys) => {
            ("the patch changes nothing".to_owned(), format!("{PATCH_EXAMPLE}, or leave it out"))
        }
        Value::Object(keys) => {
            let mistakes = patch_mistakes(keys);
            let is_valid = mistakes.is_empty();
            diagnostics.add_all(
                mistakes.into_iter().map(|(what, next)| Diagnostic::new(span.clone(), what, next)),
            );
            return is_valid.then_some(literal);
        }
        _ => ("a patch of a machine's config is a table".to_owned(), PATCH_EXAMPLE.to_owned()),
    };
    diagnostics.add(Diagnostic::new(span.clone(), problem, remedy));
    None
}

/// The value of a patch without variables.
pub(super) fn literal(patch: &JsonTemplate) -> Value {
    patch.fill(|text| {
        let parts = text.parts().iter().map(|part| match part {
            TemplatePart::Literal(text) => text.as_str(),
            TemplatePart::Variable { name, .. } | TemplatePart::Live(name) => name,
        });
        parts.collect()
    })
}

/// Whether no key at any depth has a value.
fn changes_nothing(keys: &Map<String, Value>) -> bool {
    keys.values().all(|value| value.as_object().is_some_and(changes_nothing))
}

/// Keys of a `fly.toml`, and how a machine's config says the same.
const KEYS_OF_FLY_TOML: [(&str, &str); 5] = [
    ("memory", "guest = { memory_mb = 2048 }"),
    ("size", "guest = { cpu_kind = \"shared\", cpus = 2, memory_mb = 1024 }"),
    ("vm", "guest = { memory_mb = 2048 }"),
    ("cpu", "guest = { cpus = 2 }"),
    ("http_service", "services = [{ … }]"),
];

/// The keys of `guest`, as the Machines API describes them.
const KEYS_OF_GUEST: [&str; 9] = [
    "cpu_kind",
    "cpus",
    "gpu_kind",
    "gpus",
    "host_dedication_id",
    "kernel_args",
    "max_memory_mb",
    "memory_mb",
    "persist_rootfs",
];

/// The keys of a machine's config, as the Machines API describes them.
const KEYS_OF_CONFIG: [&str; 23] = [
    "auto_destroy",
    "cache_drive",
    "checks",
    "containers",
    "disable_machine_autostart",
    "dns",
    "env",
    "files",
    "guest",
    "image",
    "init",
    "metadata",
    "metrics",
    "mounts",
    "processes",
    "restart",
    "rootfs",
    "schedule",
    "services",
    "spot",
    "standbys",
    "statics",
    "stop_config",
];

/// What is wrong with a patch: keys in the wrong place or unknown, which the Machines API accepts
/// and ignores, and sizes that are no numbers.
fn patch_mistakes(keys: &Map<String, Value>) -> Vec<(String, String)> {
    let mut mistakes: Vec<_> = keys.keys().filter_map(|key| config_key_mistake(key)).collect();
    let Some(guest) = keys.get("guest") else { return mistakes };
    let is_number = |value: &Value| value.as_u64().is_some_and(|number| number > 0);
    for (key, example) in [("cpus", 2), ("memory_mb", 2048)] {
        if guest.get(key).is_some_and(|value| !is_number(value)) {
            let problem = format!("`{key}` is a positive integer");
            mistakes.push((
                problem,
                format!("write a number without quotes and unit: `{key} = {example}`"),
            ));
        }
    }
    match guest.as_object() {
        Some(guest) => {
            let unknown = guest.keys().filter(|key| !KEYS_OF_GUEST.contains(&key.as_str()));
            mistakes.extend(unknown.map(|key| unknown_key(key, "`guest`", &KEYS_OF_GUEST)));
        }
        None => mistakes.push(("`guest` is a table".to_owned(), PATCH_EXAMPLE.to_owned())),
    }
    mistakes
}

/// What is wrong with a key at the top of a patch, and the remedy.
fn config_key_mistake(key: &str) -> Option<(String, String)> {
    if KEYS_OF_CONFIG.contains(&key) {
        return None;
    }
    if KEYS_OF_GUEST.contains(&key) {
        let remedy = format!("write `machine = {{ guest = {{ {key} = … }} }}`");
        return Some((format!("`{key}` belongs to `guest`"), remedy));
    }
    if let Some((_, instead)) = KEYS_OF_FLY_TOML.iter().find(|(own, _)| *own == key) {
        let problem = format!("`{key}` is not a key of a machine's config");
        return Some((problem, format!("write `machine = {{ {instead} }}`")));
    }
    Some(unknown_key(key, "a machine's config", &KEYS_OF_CONFIG))
}

fn unknown_key(key: &str, of: &str, known: &[&str]) -> (String, String) {
    let remedy = nearest(key, known).map_or_else(
        || {
            let known: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
            format!("the keys are {}; a `command` can set others", known.join(", "))
        },
        |near| format!("did you mean `{near}`?"),
    );
    (format!("`{key}` is not a key of {of}"), remedy)
}
