//! Writes the files of a session's folder.

use std::path::Path;

use crate::cli::exit::CommandError;
use crate::record::session::SessionRecord;
use crate::report::{self, SessionModel};
use crate::store::{self, SessionFolder};

const HTML: &str = "session.html";
const MARKDOWN: &str = "session.md";

/// Writes a session's record and then its reports; call it after each attempt and at the end.
/// Returns the names of the reports and plots.
///
/// The record comes first: an error in a report loses no attempt.
pub(super) fn write_session(
    folder: &SessionFolder,
    record: &SessionRecord,
) -> Result<Vec<String>, CommandError> {
    folder.write(record)?;
    write_session_reports(folder.path(), record)
}

/// Writes the reports and plots of a session into its folder. Returns the names of the files.
pub(super) fn write_session_reports(
    folder: &Path,
    record: &SessionRecord,
) -> Result<Vec<String>, CommandError> {
    let model = SessionModel::new(record);
    let mut files = vec![(HTML.to_owned(), report::session_html(&model).into_bytes())];
    files.push((MARKDOWN.to_owned(), report::session_markdown(&model).into_bytes()));
    for plot in report::session_plots(&model).map_err(CommandError::internal)? {
        files.push((format!("{}.svg", plot.name), plot.svg.into_bytes()));
        files.push((format!("{}.png", plot.name), plot.png));
    }
    for (name, bytes) in &files {
        store::write_atomically(folder, name, bytes)?;
    }
    Ok(files.into_iter().map(|(name, _)| name).collect())
}
