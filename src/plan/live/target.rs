//! The path and query of a URL with live values in it.

use http::uri::PathAndQuery;
use url::{Position, Url};

use super::text::{LiveText, LiveTextPiece};
use super::{ArrivalValues, LiveValueError, TextBuffer};

/// Path and query of a URL, with live values.
///
/// The fixed text is normalised once, as the URL standard demands. Values are percent-encoded when
/// they are filled in and change nothing else, so that no URL is parsed on the way of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveTarget(LiveText);

impl LiveTarget {
    /// The target of a complete URL. `None` if its fixed text makes no URL.
    pub(in crate::plan) fn of_url(url: &LiveText) -> Option<Self> {
        let marked: String = url.0.iter().enumerate().map(marked).collect();
        let url_text = Url::parse(&marked).ok()?;
        let mut rest = &url_text[Position::BeforePath..Position::AfterQuery];
        let mut target = LiveText::default();
        for (at, piece) in url.0.iter().enumerate() {
            if matches!(piece, LiveTextPiece::Fixed(_)) {
                continue;
            }
            // A value before `/..` is not part of the URL.
            if let Some((before, after)) = rest.split_once(&marked_value(at)) {
                target.push(before);
                target.0.push(piece.clone());
                rest = after;
            }
        }
        target.push(rest);
        Some(Self(target))
    }

    /// The target of a path that starts with a value of the data file: `column` holds these values
    /// with the path of the base URL, and normalised.
    pub(in crate::plan) fn of_column(self, column: usize) -> Self {
        let Self(LiveText(mut pieces)) = self;
        let first = pieces.iter().position(|piece| matches!(piece, LiveTextPiece::Column(_)));
        if let Some(at) = first {
            pieces[at] = LiveTextPiece::EscapedColumn(column);
            pieces.drain(..at);
        }
        Self(LiveText(pieces))
    }

    /// Whether it uses values of the data file.
    pub(in crate::plan) fn uses_columns(&self) -> bool {
        self.0.columns().next().is_some()
    }

    /// Path and query with the values filled in. Fails if a value would leave its path segment.
    pub fn fill(
        &self,
        values: &ArrivalValues,
        texts: &mut TextBuffer,
    ) -> Result<PathAndQuery, LiveValueError> {
        let target = texts.cut(|filled| {
            let has_dots = self.0.write_url(values, filled)?;
            if has_dots && leaves_its_path(filled) {
                return Err(LiveValueError::Unsendable("the URL"));
            }
            Ok(())
        })?;
        PathAndQuery::from_maybe_shared(target).map_err(|_| LiveValueError::Unsendable("the URL"))
    }
}

/// Whether a segment is `.` or `..`, which would leave the path that the scenario writes.
fn leaves_its_path(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default().to_ascii_lowercase();
    path.replace("%2e", ".").split('/').any(|segment| [".", ".."].contains(&segment))
}

/// A piece as text; a value as a mark that a URL contains unchanged.
fn marked((at, piece): (usize, &LiveTextPiece)) -> String {
    match piece {
        LiveTextPiece::Fixed(text) => text.clone(),
        _ => marked_value(at),
    }
}

fn marked_value(at: usize) -> String {
    format!("tollgate-{at}-7Qk3VtZp0Xw")
}
