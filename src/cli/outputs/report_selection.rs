//! The reports that a run gets in its folder.

use clap::ValueEnum;

use super::RunOutput;
use super::html::HtmlReport;
use super::markdown::MarkdownReport;
use super::plots::PlotFiles;

/// Which reports to write into a run's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ReportSelection {
    /// `report.html`, `report.md`, and each plot as SVG and PNG
    All,
    /// Only `report.html`, which has the plots inside
    Html,
    /// Only the record and the intervals; `tollgate show` can write the reports later
    None,
}

impl ReportSelection {
    /// The reports in the order in which they are written and listed.
    pub(super) fn outputs(self) -> &'static [&'static dyn RunOutput] {
        match self {
            Self::All => &[&HtmlReport, &MarkdownReport, &PlotFiles],
            Self::Html => &[&HtmlReport],
            Self::None => &[],
        }
    }

    /// The names of the reports without the plots.
    pub(in crate::cli) fn names(self) -> &'static [&'static str] {
        match self {
            Self::All => &[HtmlReport::NAME, MarkdownReport::NAME],
            Self::Html => &[HtmlReport::NAME],
            Self::None => &[],
        }
    }

    /// The name of the report to open, if there is one.
    pub(in crate::cli) fn page(self) -> Option<&'static str> {
        self.names().first().copied()
    }
}
