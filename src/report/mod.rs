//! Renders one run or one tuning session as terminal text, markdown, a self-contained HTML page and
//! plots; a comparison of two runs as terminal text; and a history as terminal text, JSON and CSV.
//!
//! A [`ReportModel`] holds everything that a report shows. Renderers arrange it and decide nothing.
//! Nothing here does I/O, so tests can check every byte of a report.
//!
//! Names, headers and evidence come from files and from the target. The model truncates them and
//! replaces control characters; each renderer escapes them for its format.

#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "a report is rendered once; readable code is worth an allocation per line"
)]

mod alert;
mod annotations;
mod ci;
mod evidence;
mod html;
mod junit;
mod listing;
mod markdown;
mod model;
mod open_metrics;
mod otlp;
mod plot;
mod session;
mod site;
mod terminal;
mod words;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use alert::alert_json;
pub use annotations::{RunAnnotation, SourceLine, annotations};
pub use ci::CiContext;
pub use evidence::{EntryOutcome, EvidenceEntry, RunArtifact, evidence_entry};
pub use html::{html, index_html, scenario_html, session_html, summary_html};
pub use junit::junit;
pub use listing::{history_csv, history_json, site_csv, site_json, suggestions_json};
pub use markdown::{
    COMMENT_LIMIT, STEP_SUMMARY_LIMIT, markdown, scenario_markdown, session_markdown,
    short_markdown, summary_markdown,
};
pub use model::{FindingSubject, ReportModel, comparison_line};
pub use open_metrics::open_metrics;
pub use otlp::{otlp_metrics, otlp_rejection};
pub use plot::{Plot, PlotError, SitePlot, history_plots, plots, session_plots};
pub use session::{AttemptEntry, SessionModel, attempt_entry};
pub use site::{HistorySite, SiteAudience, SiteOptions};
pub use terminal::{
    checkup_text, comparison_text, history_text, session_list, session_terminal, suggestion_text,
    terminal,
};
