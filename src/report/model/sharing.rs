//! How several probers split a run.

use crate::record::{RunRecord, ShardRecord, ShardSharing};

use super::{ReportFact, words};

/// What a reader of one shard's or of merged figures must know; `None` for a run on one prober.
pub(super) fn words(record: &RunRecord) -> Option<String> {
    let sharing = record.measurement.sharing.as_ref()?;
    Some(match sharing.parts.as_slice() {
        [ShardRecord { shard, run, .. }] if sharing.of > 1 && *run == record.id => format!(
            "Shard {shard} of {}: these figures cover one share of the \
             arrivals. Run `tollgate merge` to judge all shards together.",
            sharing.of
        ),
        parts => {
            let distinct = sharing.of as usize - sharing.missing_shards().len();
            let doubled = doubled(sharing);
            format!("Merged from {}{doubled}: {}.", counted(distinct, sharing.of), hosts(parts))
        }
    })
}

/// The shards of which only the first of several runs counts; empty if there are none.
fn doubled(sharing: &ShardSharing) -> String {
    let repeated = sharing.repeated_shards();
    let named: Vec<_> = repeated
        .iter()
        .map(|(shard, times)| format!("shard {shard} is given {times} times and counted once"))
        .collect();
    if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) }
}

fn counted(distinct: usize, of: u32) -> String {
    let shards = words::plural(u64::from(of), "shard");
    match of {
        _ if distinct != of as usize => format!("{distinct} of {shards}"),
        1 => "the only shard".to_owned(),
        2 => "both shards".to_owned(),
        _ => format!("all {shards}"),
    }
}

fn hosts(parts: &[ShardRecord]) -> String {
    let hosts: Vec<String> = parts.iter().map(|part| words::name(&part.host)).collect();
    words::display(&hosts.join(", "), words::LINE)
}

/// Each shard with its run and machine.
pub(super) fn facts(sharing: Option<&ShardSharing>) -> Vec<ReportFact> {
    let fact = |sharing: &ShardSharing, part: &ShardRecord| {
        let value = format!("{} of {} on {}, run {}", part.shard, sharing.of, part.host, part.run);
        ReportFact { name: "shard", value: words::display(&value, words::LINE) }
    };
    sharing
        .map(|sharing| sharing.parts.iter().map(|part| fact(sharing, part)).collect())
        .unwrap_or_default()
}
