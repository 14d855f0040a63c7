//! Formats figures and untrusted text for all renderers.

use std::time::Duration;

use crate::record::ActualQuantile;
use crate::units::{self, Ratio};

/// Maximum number of characters of a name.
pub(super) const NAME: usize = 80;
/// Maximum number of characters of a line of a plan or of evidence.
pub(super) const LINE: usize = 240;
/// Maximum number of characters of a reason or a next step, which explain a decision in several
/// clauses. Parts of it that come from a target are shortened before.
pub(super) const REASON: usize = 900;

/// Makes untrusted text safe to display: one line, no control or direction characters, at most
/// `most` characters.
pub(super) fn display(text: &str, most: usize) -> String {
    let mut shown: String =
        text.chars().take(most + 1).map(|c| if is_harmful(c) { '\u{FFFD}' } else { c }).collect();
    if shown.chars().count() > most {
        let end =
            shown.char_indices().nth(most.saturating_sub(1)).map_or(shown.len(), |(at, _)| at);
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

/// A name that is safe to display; `(no name)` if it is empty. A long one is abbreviated in the
/// middle.
pub(super) fn name(name: &str) -> String {
    if name.is_empty() { "(no name)".to_owned() } else { abbreviated(name, NAME) }
}

/// A name that is safe to display, with at most `most` characters. The middle of a longer one is
/// left out: names that begin alike usually differ at their ends.
pub(super) fn abbreviated(name: &str, most: usize) -> String {
    let all = name.chars().count();
    if all <= most {
        return display(name, most);
    }
    let end = most.saturating_sub(1) / 2;
    let start = most.saturating_sub(1) - end;
    let tail: String = name.chars().skip(all - end).collect();
    let head: String = name.chars().take(start).collect();
    display(&format!("{head}…{tail}"), most)
}

/// Whether a character could control a terminal, break a line or change the reading direction.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}')
}

/// A piece of a text that marks names with backticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextPiece<'a> {
    /// Text as it is.
    Plain(&'a str),
    /// Text between two backticks; it contains none and is not empty.
    Code(&'a str),
}

/// Splits a text into pieces; a non-empty plain piece separates two code pieces.
///
/// A text that cannot be split this way is one plain piece. A last, unpaired backtick stays in its
/// plain piece.
pub(super) fn pieces(text: &str) -> Vec<TextPiece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, code, after)) = first_code(rest) {
        let touches_the_last = before.is_empty() && !pieces.is_empty();
        if touches_the_last || code.is_empty() {
            return vec![TextPiece::Plain(text)];
        }
        pieces.extend([TextPiece::Plain(before), TextPiece::Code(code)]);
        rest = after;
    }
    if rest.starts_with('`') {
        return vec![TextPiece::Plain(text)];
    }
    pieces.push(TextPiece::Plain(rest));
    pieces
}

/// The text before, inside and after the first pair of backticks.
fn first_code(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('`')?;
    let (code, after) = rest.split_once('`')?;
    Some((before, code, after))
}

/// A count with thousands separators: `12,400`.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A word at the start of a title or a column heading: `First answer`.
pub(super) fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What to do next, after a sign such as ` → `; empty if nothing is to be done.
pub(super) fn advice(sign: &str, next: &str) -> String {
    if next.is_empty() { String::new() } else { format!("{sign}{next}") }
}

/// A count with a regular noun, given in the singular: `1 budget`, `3 budgets`.
pub(super) fn plural(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(value), if value == 1 { "" } else { "s" })
}

/// A share in percent with three significant digits: `0.37 %`.
pub(super) fn share(ratio: Ratio) -> String {
    format!("{} %", percent(ratio))
}

/// A range of shares: `0.12 – 0.37 %`, `at most 0.37 %`, `at least 0.12 %`.
pub(super) fn shares(low: Ratio, high: Ratio) -> String {
    match (low.as_f64() <= 0.0, high.as_f64() >= 1.0) {
        (true, true) => NO_BOUND.to_owned(),
        (true, false) => format!("at most {}", share(high)),
        (false, true) => format!("at least {}", share(low)),
        (false, false) => format!("{} – {} %", percent(low), percent(high)),
    }
}

/// The text of an interval that excludes nothing.
const NO_BOUND: &str = "no bound";

fn percent(ratio: Ratio) -> String {
    let value = ratio.as_f64() * 100.0;
    let decimals = match value {
        v if v <= 0.0 || v >= 100.0 => 0,
        v if v < 0.095 => 3,
        v if v < 9.95 => 2,
        _ => 1,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A duration, or a dash for `None`.
pub(super) fn time(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "–".to_owned(), units::format_duration)
}

/// A quantile with failures ranked at +∞.
pub(super) fn actual(value: ActualQuantile) -> String {
    match value {
        ActualQuantile::NoData => "no data".to_owned(),
        ActualQuantile::At(duration) => units::format_duration(duration),
        ActualQuantile::Unbounded => "∞".to_owned(),
    }
}

/// A range of quantiles; a shared unit appears once: `238 – 251 ms`, `at most 251 ms`, `at least
/// 238 ms`.
pub(super) fn range(low: ActualQuantile, high: ActualQuantile) -> String {
    let (is_open_below, is_open_above) =
        (low == ActualQuantile::At(Duration::ZERO), high == ActualQuantile::Unbounded);
    let (low, high) = (actual(low), actual(high));
    match (is_open_below, is_open_above) {
        (true, true) => NO_BOUND.to_owned(),
        (true, false) => format!("at most {high}"),
        (false, true) => format!("at least {low}"),
        (false, false) => between(&low, &high),
    }
}

/// A range between two values with units; a shared unit appears once: `238 – 251 ms`.
pub(super) fn between(low: &str, high: &str) -> String {
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number} – {high}"),
        _ => format!("{low} – {high}"),
    }
}

/// The ratio of two durations: `1.9×`; `None` if it is not finite.
pub(super) fn times(longer: Duration, shorter: Duration) -> Option<String> {
    finite_ratio(longer, shorter).map(times_of)
}

fn finite_ratio(longer: Duration, shorter: Duration) -> Option<f64> {
    Some(longer.as_secs_f64() / shorter.as_secs_f64()).filter(|ratio| ratio.is_finite())
}

fn times_of(ratio: f64) -> String {
    if ratio < 9.95 { format!("{ratio:.1}×") } else { format!("{ratio:.0}×") }
}

/// The ratio of two durations as part of a sentence: `1.9× as long`, `about as long`; `None` if it
/// is not finite.
pub(super) fn times_as_long(longer: Duration, shorter: Duration) -> Option<String> {
    finite_ratio(longer, shorter).map(|ratio| match ratio {
        0.95..1.05 => "about as long".to_owned(),
        ratio => format!("{} as long", times_of(ratio)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_that_rounds_to_one_is_about_as_long() {
        let words = |longer, shorter| {
            times_as_long(Duration::from_millis(longer), Duration::from_millis(shorter))
        };
        assert_eq!(words(104, 100).as_deref(), Some("about as long"));
        assert_eq!(words(190, 100).as_deref(), Some("1.9× as long"));
        assert_eq!(words(190, 0), None);
    }

    #[test]
    fn foreign_text_cannot_steer_a_terminal_or_fill_a_page() {
        assert_eq!(display("a\u{1b}[31mb\nc\u{202e}d", 40), "a\u{FFFD}[31mb\u{FFFD}c\u{FFFD}d");
        assert_eq!(display("tile-loader", 11), "tile-loader");
        assert_eq!(display("tile-loader", 5), "tile…");
        assert_eq!(display(&"x".repeat(10_000), NAME).chars().count(), NAME);
    }

    #[test]
    fn a_long_name_keeps_its_beginning_and_its_end() {
        assert_eq!(abbreviated("tile-loader-live", 16), "tile-loader-live");
        assert_eq!(abbreviated("tile-loader-live", 9), "tile…live");
        assert_eq!(abbreviated("tile-loader-live", 10), "tile-…live");
        assert_eq!(name(&"ü".repeat(10_000)).chars().count(), NAME);
    }

    #[test]
    fn names_in_backticks_are_separated_from_the_text_around_them() {
        use TextPiece::{Code, Plain};
        let whole = |text| vec![Plain(text)];
        assert_eq!(pieces("no name"), whole("no name"));
        assert_eq!(
            pieces("`a`: `b` is not set"),
            [Plain(""), Code("a"), Plain(": "), Code("b"), Plain(" is not set")]
        );
        assert_eq!(pieces("`a` and `b"), [Plain(""), Code("a"), Plain(" and `b")]);
        for text in ["``", "a ``` b", "`a``b`", "`a``<img>``b`", "`a`` b", "`"] {
            assert_eq!(pieces(text), whole(text), "{text}");
        }
    }

    #[test]
    fn counts_and_shares_are_short_and_exact() {
        assert_eq!(
            [count(0), count(999), count(1_000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        let of = |part, whole| share(Ratio::of(part, whole));
        assert_eq!(
            [of(0, 9), of(3, 800), of(1, 3), of(9, 9)],
            ["0 %", "0.38 %", "33.3 %", "100 %"]
        );
        assert_eq!(share(Ratio::of(1, 20_000)), "0.005 %");
        assert_eq!(plural(1, "budget"), "1 budget");
    }

    #[test]
    fn a_range_names_a_shared_unit_once() {
        let at = |millis| ActualQuantile::At(Duration::from_millis(millis));
        assert_eq!(range(at(238), at(251)), "238 – 251 ms");
        assert_eq!(range(at(900), at(1_200)), "900 ms – 1.2 s");
    }

    #[test]
    fn a_range_with_one_end_names_only_that_end() {
        let at = |millis| ActualQuantile::At(Duration::from_millis(millis));
        assert_eq!(range(at(238), ActualQuantile::Unbounded), "at least 238 ms");
        assert_eq!(range(at(0), at(77)), "at most 77 ms");
        assert_eq!(range(at(0), ActualQuantile::Unbounded), "no bound");
        let of = |low, high| shares(Ratio::of(low, 100), Ratio::of(high, 100));
        assert_eq!(
            [of(0, 3), of(1, 3), of(1, 100), of(0, 100)],
            ["at most 3 %", "1 – 3 %", "at least 1 %", "no bound"]
        );
    }
}
