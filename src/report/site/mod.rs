//! The model of a site of latency history: what each page shows, in words, for every format.

mod budget_row;
mod budget_state;
mod caveats;
mod finding;
mod labels;
mod leading_figure;
mod request_panel;
mod run_row;
mod series_page;
mod summary;

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{HistoryScope, ScenarioHistory};
use crate::report::words;

pub(super) use budget_row::BudgetHistoryRow;
pub(super) use budget_state::BudgetState;
pub(super) use caveats::SeriesCaveats;
pub(super) use labels::{SiteLabels, percent_change};
pub(super) use leading_figure::LeadingFigure;
pub(super) use request_panel::{PERIOD_HEADS, RequestPanel};
pub(super) use run_row::{RUN_HEADS, RunHistoryRow};
pub(super) use series_page::{CONDITION_HEADS, SeriesPage};
pub(super) use summary::{SUMMARY_HEADS, SummaryModel, SummarySection};

/// Who opens a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteAudience {
    /// Those who run the probes: everything is shown.
    Team,
    /// A partner: without hosts, addresses, the pages of runs, and tags that are not named public.
    Partner,
}

/// What a site is made for.
#[derive(Debug, Clone)]
pub struct SiteOptions {
    /// The period and the time zone.
    pub scope: HistoryScope,
    /// Who opens it.
    pub audience: SiteAudience,
    /// The keys of tags that a partner may see; `commit` stands for the git commit.
    pub public_tags: BTreeSet<String>,
}

impl SiteOptions {
    /// Whether a page may show a tag.
    pub(super) fn shows_tag(&self, key: &str) -> bool {
        self.audience == SiteAudience::Team || self.public_tags.contains(key)
    }
}

/// A site of latency history.
#[derive(Debug)]
pub struct HistorySite {
    pub(super) options: SiteOptions,
    /// One page for each scenario and environment, in the order of their names.
    pub(super) pages: Vec<SeriesPage>,
    /// The tuning sessions that have a page: title and file name.
    pub(super) sessions: Vec<(String, String)>,
}

impl HistorySite {
    /// The site of some scenarios.
    pub fn new(histories: Vec<ScenarioHistory>, options: SiteOptions) -> Self {
        let names = labels::series_names(&histories, &options);
        let pages = histories
            .into_iter()
            .zip(names)
            .map(|(history, name)| SeriesPage::new(history, name, &options))
            .collect();
        Self { options, pages, sessions: Vec::new() }
    }

    /// The state of all budgets.
    pub(super) fn budget_state(&self) -> BudgetState {
        BudgetState::of(&self.pages)
    }

    /// The names of the runs that pages refer to, with their ids; none for partners.
    pub fn linked_runs(&self) -> BTreeSet<String> {
        let panels = self.pages.iter().flat_map(|page| &page.panels);
        match self.options.audience {
            SiteAudience::Team => panels.flat_map(RequestPanel::listed_runs).collect(),
            SiteAudience::Partner => BTreeSet::new(),
        }
    }

    /// Links the runs whose pages exist.
    pub fn link_runs(&mut self, existing: &BTreeSet<String>) {
        let panels = self.pages.iter_mut().flat_map(|page| &mut page.panels);
        panels.for_each(|panel| panel.link_runs(existing));
    }

    /// Links the pages of tuning sessions: their file names by title. Titles begin with the time,
    /// and the newest comes first.
    pub fn link_sessions(&mut self, sessions: BTreeMap<String, String>) {
        let shown = |(title, file): (String, String)| (words::display(&title, words::LINE), file);
        self.sessions = sessions.into_iter().rev().map(shown).collect();
    }

    /// The file stems of the scenarios' pages, in the order of the index.
    pub fn slugs(&self) -> Vec<&str> {
        self.pages.iter().map(|page| page.slug.as_str()).collect()
    }

    /// Whether no run started in the period.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }
}

#[cfg(test)]
mod tests;
