//! The lines of a log with their numbers.

use crate::hlog::HdrLogLine;

/// One line of a log.
pub(super) struct NumberedLine<'a> {
    /// Counted from 1.
    pub(super) number: usize,
    /// Whether it is the last line and has no end of line.
    pub(super) is_torn: bool,
    /// The parsed line; `None` if it is not a line of a log.
    pub(super) line: Option<HdrLogLine<'a>>,
}

/// Every line of a log, valid or not.
pub(super) fn of(bytes: &[u8]) -> impl Iterator<Item = NumberedLine<'_>> {
    let mut rest = bytes;
    (1..).map_while(move |number| {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest);
        let (line, after) = end.map_or((rest, &[][..]), |end| (&rest[..end], &rest[end + 1..]));
        rest = after;
        let line = std::str::from_utf8(line).ok().and_then(HdrLogLine::parse);
        Some(NumberedLine { number, is_torn: end.is_none(), line })
    })
}
