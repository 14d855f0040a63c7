//! What a reader must know before the figures of a page, and how many runs it is about.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::labels::host;
use super::{SiteAudience, SiteOptions};
use crate::history::ConditionSpan;
use crate::report::words;

/// Maximum number of caveats that a page lists.
const LISTED: usize = 8;

/// The caveats of the runs of a period.
#[derive(Debug)]
pub(in crate::report) struct SeriesCaveats {
    /// Each caveat with the number of runs that have it, those of the most runs first.
    counted: Vec<(String, u64)>,
    /// The runs that have a caveat.
    affected: u64,
    /// All runs.
    runs: u64,
}

impl SeriesCaveats {
    /// The caveats of all runs. A caveat may name an address, which a partner does not see.
    pub(super) fn of(spans: &[ConditionSpan], options: &SiteOptions) -> Self {
        let hosts: Vec<String> =
            spans.iter().filter_map(|span| host(&span.conditions.base_url)).collect();
        let is_visible = |caveat: &&String| {
            options.audience == SiteAudience::Team
                || !hosts.iter().any(|host| caveat.contains(host.as_str()))
        };
        let (mut counts, mut affected) = (BTreeMap::<String, u64>::new(), 0);
        for span in spans {
            let visible = span.conditions.caveats.iter().filter(is_visible);
            let texts: BTreeSet<String> =
                visible.map(|caveat| words::display(caveat, words::LINE)).collect();
            affected += if texts.is_empty() { 0 } else { span.runs };
            for text in texts {
                *counts.entry(text).or_default() += span.runs;
            }
        }
        let mut counted: Vec<(String, u64)> = counts.into_iter().collect();
        counted.sort_by_key(|(_, runs)| Reverse(*runs));
        Self { counted, affected, runs: spans.iter().map(|span| span.runs).sum() }
    }

    /// Each caveat once.
    pub(in crate::report) fn texts(&self) -> Vec<&str> {
        self.counted.iter().map(|(caveat, _)| caveat.as_str()).collect()
    }

    /// The caveats of the most runs, each with its number of runs, and how many are left out.
    pub(in crate::report) fn lines(&self) -> Vec<String> {
        let line = |(caveat, runs): &(String, u64)| format!("{caveat} ({})", self.share(*runs));
        let more = self.counted.len().saturating_sub(LISTED);
        let listed = self.counted.iter().take(LISTED).map(line);
        listed.chain((more > 0).then(|| format!("{more} more"))).collect()
    }

    /// What a plot says: `caveats in 5 of 11 runs`; empty if no run has one.
    pub(in crate::report) fn note(&self) -> String {
        match self.affected {
            0 => String::new(),
            affected => format!("caveats in {}", self.share(affected)),
        }
    }

    /// Some of the runs: `5 of 11 runs`, `all 11 runs`.
    fn share(&self, part: u64) -> String {
        let whole = words::plural(self.runs, "run");
        if part == self.runs && part > 1 {
            format!("all {whole}")
        } else {
            format!("{} of {whole}", words::count(part))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use time::macros::datetime;

    use super::*;
    use crate::history::HistoryScope;
    use crate::record::RunConditions;

    fn caveats(audience: SiteAudience, spans: &[(u64, &[&str])]) -> SeriesCaveats {
        let at = datetime!(2026-11-03 14:00 UTC);
        let span = |(runs, caveats): &(u64, &[&str])| ConditionSpan {
            conditions: Arc::new(RunConditions {
                base_url: "https://shop.example".to_owned(),
                caveats: caveats.iter().map(|caveat| (*caveat).to_owned()).collect(),
                ..RunConditions::default()
            }),
            from: at,
            to: at,
            runs: *runs,
        };
        let spans: Vec<ConditionSpan> = spans.iter().map(span).collect();
        let zone = "UTC".parse().unwrap();
        let scope = HistoryScope { since: at, until: at, over_until: at, zone };
        let options = SiteOptions { scope, audience, public_tags: BTreeSet::new() };
        SeriesCaveats::of(&spans, &options)
    }

    #[test]
    fn each_caveat_has_its_number_of_runs_and_the_most_frequent_comes_first() {
        let found = caveats(SiteAudience::Team, &[(1, &["a", "b"]), (6, &[]), (4, &["b"])]);
        assert_eq!(found.lines(), ["b (5 of 11 runs)", "a (1 of 11 runs)"]);
        assert_eq!(
            (found.note().as_str(), found.texts()),
            ("caveats in 5 of 11 runs", vec!["b", "a"])
        );
        let all = caveats(SiteAudience::Team, &[(3, &["a"])]);
        assert_eq!(
            (all.lines(), all.note().as_str()),
            (vec!["a (all 3 runs)".to_owned()], "caveats in all 3 runs")
        );
        assert_eq!(caveats(SiteAudience::Team, &[(1, &["a"])]).note(), "caveats in 1 of 1 run");
        assert_eq!(caveats(SiteAudience::Team, &[(3, &[])]).note(), "");
    }

    #[test]
    fn at_most_eight_caveats_are_listed_and_the_others_counted() {
        let texts: Vec<String> = (0..11).map(|at| format!("caveat {at:02}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let found = caveats(SiteAudience::Team, &[(2, &texts)]);
        let lines = found.lines();
        assert_eq!((lines.len(), lines[8].as_str(), found.texts().len()), (9, "3 more", 11));
    }

    #[test]
    fn a_caveat_that_names_the_host_does_not_count_for_a_partner() {
        let spans: [(u64, &[&str]); 2] = [(2, &["connects to shop.example"]), (1, &["a"])];
        let found = caveats(SiteAudience::Partner, &spans);
        assert_eq!((found.texts(), found.note().as_str()), (vec!["a"], "caveats in 1 of 3 runs"));
    }
}
