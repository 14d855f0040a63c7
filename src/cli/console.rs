//! Prints results on stdout. Everything else goes to stderr, see [`log`](super::log).

use std::io::{ErrorKind, IsTerminal, Write};

use clap::ValueEnum;

use super::exit::CommandError;
use super::log;
use crate::library_text::describe_io;
use crate::scenario::ScenarioErrors;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    /// A verdict table for people
    Text,
    /// The RunRecord as JSON, with nothing else on stdout
    Json,
}

impl From<ScenarioErrors> for CommandError {
    fn from(errors: ScenarioErrors) -> Self {
        Self::usage(errors.render(stderr_has_colour()))
    }
}

/// Where results are printed, and how they may look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Console {
    pub(super) output: OutputFormat,
}

impl Console {
    /// Prints results for people: on stdout, or on stderr if stdout is for JSON. If programs read
    /// both, prints nothing.
    pub(super) fn print_result(self, text: &str) -> Result<(), CommandError> {
        let text = log::without_commands(text);
        match self.output {
            OutputFormat::Text => write(std::io::stdout(), &text),
            OutputFormat::Json if log::for_programs() => Ok(()),
            OutputFormat::Json => write(std::io::stderr(), &text),
        }
    }

    /// Prints text for a program or a file.
    pub(super) fn print_plain(text: &str) -> Result<(), CommandError> {
        write(std::io::stdout(), text)
    }

    /// Prints JSON for a program or a file.
    pub(super) fn print_json(json: &str) -> Result<(), CommandError> {
        write(std::io::stdout(), &log::json_without_commands(json))
    }

    /// Prints text byte for byte, without adding or removing a line break.
    pub(super) fn exactly(text: &str) -> Result<(), CommandError> {
        let mut to = std::io::stdout();
        ignore_closed_pipe(to.write_all(text.as_bytes()).and_then(|()| to.flush()))
    }

    /// Whether results may be coloured: they go to a terminal and `NO_COLOR`
    /// (<https://no-color.org>) is not set.
    pub(super) fn has_colour(self) -> bool {
        let terminal = match self.output {
            OutputFormat::Text => std::io::stdout().is_terminal(),
            OutputFormat::Json => std::io::stderr().is_terminal(),
        };
        terminal && colour_allowed()
    }

    /// Whether results appear where messages do, so that nothing need be said in both.
    pub(super) fn is_among_messages(self) -> bool {
        match self.output {
            OutputFormat::Text => {
                std::io::stdout().is_terminal() && std::io::stderr().is_terminal()
            }
            OutputFormat::Json => true,
        }
    }

    /// The number of columns for results.
    pub(super) fn width(self) -> u16 {
        // Wide enough for one row per budget. Nothing wraps a file or a pipe.
        const WITHOUT_TERMINAL: u16 = 140;
        let (_, columns) = match self.output {
            OutputFormat::Text => console::Term::stdout().size_checked(),
            OutputFormat::Json => console::Term::stderr().size_checked(),
        }
        .unwrap_or((0, WITHOUT_TERMINAL));
        columns
    }
}

/// Whether text on stderr may be coloured.
pub(super) fn stderr_has_colour() -> bool {
    log::may_draw() && colour_allowed()
}

fn colour_allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn write(mut to: impl Write, text: &str) -> Result<(), CommandError> {
    ignore_closed_pipe(writeln!(to, "{}", text.trim_end()).and_then(|()| to.flush()))
}

/// Ignores a closed pipe: its reader has seen enough. Any other failure, such as a full disk, is an
/// error.
fn ignore_closed_pipe(written: std::io::Result<()>) -> Result<(), CommandError> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CommandError::internal(
            format!("cannot print the results: {}", describe_io(&error)),
        )),
        _ => Ok(()),
    }
}
