//! How a run was shared out over several probers.

use crate::record::{Part, RunRecord, Sharing};

use super::{ReportFact, words};

/// What a reader of a shard's figures, or of merged ones, must know; `None` where one prober did it all.
pub(super) fn words(record: &RunRecord) -> Option<String> {
    let sharing = record.measurement.sharing.as_ref()?;
    Some(match sharing.parts.as_slice() {
        [Part { shard, .. }] if sharing.of > 1 => format!(
            "Shard {shard} of {}: these are the figures of one share of the arrivals; judge them together by `tollgate merge`.",
            sharing.of
        ),
        parts => format!("Merged from {}: {}.", counted(parts.len(), sharing.of), hosts(parts)),
    })
}

fn counted(parts: usize, of: u32) -> String {
    let shards = words::plural(u64::from(of), "shard");
    if parts == of as usize { format!("all of {shards}") } else { format!("{parts} of {shards}") }
}

fn hosts(parts: &[Part]) -> String {
    let hosts: Vec<String> = parts.iter().map(|part| words::name(&part.host)).collect();
    words::display(&hosts.join(", "), words::LINE)
}

/// Each part with the run and the machine it was measured on.
pub(super) fn facts(sharing: Option<&Sharing>) -> Vec<ReportFact> {
    let fact = |sharing: &Sharing, part: &Part| {
        let value = format!("{} of {} on {}, run {}", part.shard, sharing.of, part.host, part.run);
        ReportFact { name: "shard", value: words::display(&value, words::LINE) }
    };
    sharing
        .map(|sharing| sharing.parts.iter().map(|part| fact(sharing, part)).collect())
        .unwrap_or_default()
}
