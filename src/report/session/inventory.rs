//! The machines of each attempt, before and after it.

use crate::record::session::{Attempt, MachineFacts, SessionRecord};
use crate::report::words;

use super::configuration;

/// The column headings of an inventory.
pub(in crate::report) const INVENTORY_HEADS: [&str; 13] = [
    "attempt",
    "machine",
    "state",
    "region",
    "size",
    "memory",
    "image",
    "autostop",
    "autostart",
    "minimum",
    "limits",
    "version",
    "latest event",
];

/// A machine during one attempt.
#[derive(Debug, Clone)]
pub(in crate::report) struct InventoryRow {
    /// One cell for each of [`INVENTORY_HEADS`].
    pub(in crate::report) cells: Vec<InventoryCell>,
}

/// A fact about a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct InventoryCell {
    /// The fact, or what it was and what it became: `stopped → started`.
    pub(in crate::report) text: String,
    /// Whether it changed during the attempt.
    pub(in crate::report) has_changed: bool,
}

impl InventoryRow {
    /// The machines of all attempts, in the order of time.
    pub(super) fn all(record: &SessionRecord) -> Vec<Self> {
        record.attempts.iter().flat_map(Self::of_attempt).collect()
    }

    fn of_attempt(attempt: &Attempt) -> Vec<Self> {
        let mut ids: Vec<&str> = Vec::new();
        for machine in attempt.machines_before.iter().chain(&attempt.machines_after) {
            if !ids.contains(&machine.id.as_str()) {
                ids.push(&machine.id);
            }
        }
        ids.into_iter().map(|id| Self::of_machine(attempt, id)).collect()
    }

    fn of_machine(attempt: &Attempt, id: &str) -> Self {
        let [before, after] = [&attempt.machines_before, &attempt.machines_after]
            .map(|machines| machines.iter().find(|machine| machine.id == id));
        let place = format!("{} {}", attempt.number, configuration::key(attempt.configuration));
        let answered = attempt.machine.as_deref() == Some(id);
        let name = words::name(id) + if answered { " (answered)" } else { "" };
        let fixed = [place, name].map(|text| InventoryCell { text, has_changed: false });
        // After a failure or an interruption, machines are not read again.
        let after = if attempt.machines_after.is_empty() { before } else { after };
        let facts = FACTS.iter().map(|fact| cell(before, after, *fact));
        let event = InventoryCell { text: latest_event(after.or(before)), has_changed: false };
        Self { cells: fixed.into_iter().chain(facts).chain([event]).collect() }
    }
}

/// The facts between the machine's name and its latest event, in the order of [`INVENTORY_HEADS`].
const FACTS: [fn(&MachineFacts) -> String; 10] = [
    |machine| machine.state.clone(),
    |machine| machine.region.clone(),
    |machine| format!("{} ({})", machine.size, words::plural(machine.cpus.into(), "CPU")),
    |machine| format!("{} MB", machine.memory_mb),
    |machine| stated(machine.image.rsplit('/').next().unwrap_or_default()),
    |machine| stated(&machine.autostop),
    |machine| match machine.autostart {
        Some(true) => "yes".to_owned(),
        Some(false) => "no".to_owned(),
        None => "–".to_owned(),
    },
    |machine| or_dash(machine.min_machines_running),
    |machine| match (machine.soft_limit, machine.hard_limit) {
        (None, None) => "–".to_owned(),
        (soft, hard) => {
            let limits =
                format!("{} / {} {}", or_dash(soft), or_dash(hard), machine.concurrency_type);
            limits.trim_end().to_owned()
        }
    },
    |machine| stated(&machine.instance_id),
];

/// The latest thing that happened to a machine; its events are newest first.
fn latest_event(machine: Option<&MachineFacts>) -> String {
    let latest = machine.and_then(|machine| machine.events.first());
    latest.map_or_else(|| "–".to_owned(), |event| words::display(event, words::NAME))
}

fn stated(text: &str) -> String {
    if text.is_empty() { "–".to_owned() } else { text.to_owned() }
}

fn or_dash(count: Option<u32>) -> String {
    count.map_or_else(|| "–".to_owned(), |count| count.to_string())
}

/// A fact before and after the attempt.
fn cell(
    before: Option<&MachineFacts>,
    after: Option<&MachineFacts>,
    fact: fn(&MachineFacts) -> String,
) -> InventoryCell {
    let [was, is] = [before, after]
        .map(|machine| machine.map(|machine| words::abbreviated(&fact(machine), 40)));
    let (text, has_changed) = match (was, is) {
        (Some(was), Some(is)) if was == is => (is, false),
        (Some(was), Some(is)) => (format!("{was} → {is}"), true),
        (Some(only), None) => (format!("{only} → gone"), true),
        (None, Some(only)) => (format!("new: {only}"), true),
        (None, None) => ("–".to_owned(), false),
    };
    InventoryCell { text, has_changed }
}
