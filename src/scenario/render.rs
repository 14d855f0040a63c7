//! A diagnostic as a person reads it.
//!
//! It is drawn here because the first line must be `file:line:column: message`, which editors and
//! CI can jump to. No handler of miette starts with that.

use super::diagnostic::{Diagnostic, Span};
use super::redact::redact_secrets;
use super::source::ScenarioSource;

/// The maximum length of a line that is shown, in characters.
const WIDTH: usize = 120;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    Error,
    Warning,
}

impl Severity {
    fn prefix(self) -> &'static str {
        match self {
            Self::Error => "",
            Self::Warning => "warning: ",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Error => "31",
            Self::Warning => "33",
        }
    }
}

/// Whether terminal colours are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct ColourChoice(pub(super) bool);

impl ColourChoice {
    fn paint(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// The diagnostic with its location underlined. It ends with a line end.
pub(super) fn render(
    source: &ScenarioSource,
    diagnostic: &Diagnostic,
    severity: Severity,
    colour: ColourChoice,
) -> String {
    let Diagnostic { span, problem, remedy } = diagnostic;
    let plain = |text: &str| text.chars().map(visible).collect::<String>();
    let message = colour.paint("1", &format!("{}{}", severity.prefix(), plain(problem)));
    let remedy = plain(remedy);
    let Some(span) = span else {
        return format!("{}: {message}\n  {remedy}\n", source.name());
    };
    let span = source.narrow(span, problem);
    let (line, column) = source.position(span.start);
    let gutter = " ".repeat(line.to_string().len());
    let window = LineWindow::around(source, &span);
    let underline = format!("{} {remedy}", "^".repeat(window.length));
    format!(
        "{}:{line}:{column}: {message}\n  {line} │ {}\n  {gutter} │ {}{}\n",
        source.name(),
        window.text,
        " ".repeat(window.before),
        colour.paint(severity.code(), &underline),
    )
}

/// The location of a diagnostic: `file:line:column`, or only the file if it has no span.
pub(super) fn location_of(source: &ScenarioSource, span: Option<&Span>, problem: &str) -> String {
    let Some(span) = span else { return source.name().to_owned() };
    let (line, column) = source.position(source.narrow(span, problem).start);
    format!("{}:{line}:{column}", source.name())
}

/// The part of a line that is shown, and the position of the span in it, in characters.
struct LineWindow {
    text: String,
    before: usize,
    length: usize,
}

impl LineWindow {
    fn around(source: &ScenarioSource, span: &Span) -> Self {
        let (start, line) = source.line(span.start);
        let at = (source.boundary(span.start) - start).min(line.len());
        let end = (source.boundary(span.end).max(start) - start).clamp(at, line.len());
        let column = line[..at].chars().count();
        let skipped =
            if line.chars().count() > WIDTH { column.saturating_sub(WIDTH / 3) } else { 0 };
        let text: String =
            redact_secrets(line).chars().skip(skipped).take(WIDTH).map(visible).collect();
        let before = column - skipped;
        let room = text.chars().count().saturating_sub(before).max(1);
        Self { before, length: line[at..end].chars().count().clamp(1, room), text }
    }
}

/// Replaces control characters: they would misalign the underline or act on the terminal.
fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '·',
        c => c,
    }
}
