//! The reports that a run gets in its folder.

use clap::ValueEnum;

/// The name of the page.
pub(super) const HTML: &str = "report.html";

/// The name of the report in markdown.
pub(super) const MARKDOWN: &str = "report.md";

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
    /// The names of the reports without the plots.
    pub(in crate::cli) fn names(self) -> &'static [&'static str] {
        match self {
            Self::All => &[HTML, MARKDOWN],
            Self::Html => &[HTML],
            Self::None => &[],
        }
    }

    /// The name of the report to open, if there is one.
    pub(in crate::cli) fn page(self) -> Option<&'static str> {
        self.names().first().copied()
    }
}
