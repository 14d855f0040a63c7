//! What a reader of a trend must know about imported runs.

use std::cmp::Reverse;

use super::{RequestTrend, TrendRow};
use crate::record::{ImportedFacts, NODE_CHECK, NODE_FETCH_START, OWN_CHECK};

/// Maximum number of the runs' own caveats that a trend repeats.
const MOST: usize = 8;

impl RequestTrend {
    /// What a reader must know about the figures, one sentence each: where imported runs come from,
    /// which budgets they were judged by, and what their figures hold. Empty if no run was
    /// imported.
    pub fn caveats(&self) -> Vec<String> {
        let imported: Vec<&TrendRow> =
            self.rows.iter().filter(|row| row.run.imported_from().is_some()).collect();
        if imported.is_empty() {
            return Vec::new();
        }
        let facts = || imported.iter().filter_map(|row| row.imported.as_ref());
        let mut caveats = vec![self.sources(&imported)];
        caveats.extend(budgets(facts(), imported.len()));
        caveats.extend(self.start_of_fetch(&imported));
        caveats.extend(own(facts(), imported.len()));
        caveats
    }

    /// How many runs were imported, and from what.
    fn sources(&self, imported: &[&TrendRow]) -> String {
        let kinds = counted(imported.iter().filter_map(|row| row.run.imported_from()));
        let all = imported.len();
        let sources: Vec<String> =
            kinds.iter().map(|(kind, count)| with_count(&source(kind), *count, all)).collect();
        let sources = sources.join(", ");
        match (all, self.rows.len()) {
            (1, 1) => format!("imported from {sources}"),
            (all, rows) if all == rows => format!("all {rows} runs were imported from {sources}"),
            (1, rows) => format!("1 of {rows} runs was imported from {sources}"),
            (all, rows) => format!("{all} of {rows} runs were imported from {sources}"),
        }
    }

    /// What the figures of the old check hold; `None` if there are none.
    fn start_of_fetch(&self, imported: &[&TrendRow]) -> Option<String> {
        let is_old = |row: &&&TrendRow| row.run.imported_from() == Some(NODE_CHECK);
        let old = imported.iter().filter(is_old).count();
        (self.ok > 0 && old > 0).then(|| {
            let figures = with_count("each figure of the old check", old, self.rows.len());
            format!(
                "{figures} also holds {NODE_FETCH_START}; those of `tollgate synthetic-check` do \
                 not and are a series of their own"
            )
        })
    }
}

/// The kind of file in words.
fn source(kind: &str) -> String {
    match kind {
        NODE_CHECK => "artifacts of the old check, `synthetic-check.mjs`".to_owned(),
        OWN_CHECK => "artifacts of `tollgate synthetic-check`".to_owned(),
        "hlog" => "interval logs".to_owned(),
        other => format!("`{other}`"),
    }
}

/// The budgets by which imported runs were judged; `None` if they had none.
fn budgets<'a>(facts: impl Iterator<Item = &'a ImportedFacts>, all: usize) -> Option<String> {
    let written = |facts: &ImportedFacts| {
        let budgets = facts.budgets.iter().map(|budget| format!("`{budget}`"));
        budgets.collect::<Vec<_>>().join(" and ")
    };
    let sets: Vec<String> = facts.map(written).filter(|set| !set.is_empty()).collect();
    let sets = counted(sets.iter().map(String::as_str));
    let sets: Vec<String> =
        sets.into_iter().map(|(set, count)| with_count(set, count, all)).collect();
    (!sets.is_empty()).then(|| format!("judged by {}", sets.join(", by ")))
}

/// The caveats of the runs themselves, the most frequent ones first.
fn own<'a>(facts: impl Iterator<Item = &'a ImportedFacts>, all: usize) -> Vec<String> {
    let sentences = facts.flat_map(|facts| &facts.caveats).map(String::as_str);
    // The trend has a sentence of its own about it.
    let sentences = sentences.filter(|sentence| !sentence.contains(NODE_FETCH_START));
    let mut each: Vec<(&str, usize)> = counted(sentences);
    let more = each.len().saturating_sub(MOST);
    each.truncate(MOST);
    let mut own: Vec<String> =
        each.into_iter().map(|(sentence, count)| with_count(sentence, count, all)).collect();
    own.extend((more > 0).then(|| format!("{more} more; `tollgate show RUN` has those of a run")));
    own
}

/// Each text with how often it occurs: the most frequent ones first, equally frequent ones in the
/// order of their first occurrence.
fn counted<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for text in texts {
        let place = *places.entry(text).or_insert_with(|| {
            counts.push((text, 0));
            counts.len() - 1
        });
        counts[place].1 += 1;
    }
    counts.sort_by_key(|(_, count)| Reverse(*count));
    counts
}

/// A text, and how many runs it is about if it is not about all.
fn with_count(text: &str, count: usize, all: usize) -> String {
    match count {
        count if count == all => text.to_owned(),
        1 => format!("{text} (1 run)"),
        count => format!("{text} ({count} runs)"),
    }
}
