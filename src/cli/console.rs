//! Where results go: to stdout. All else is told on stderr, see [`log`](super::log).

use std::io::{ErrorKind, IsTerminal, Write};

use clap::ValueEnum;

use super::exit::Problem;
use super::log;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// A verdict table for people
    Text,
    /// The RunRecord as JSON, alone on stdout
    Json,
}

/// Where text goes and how it may look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Console {
    pub(super) output: Output,
}

impl Console {
    /// Prints results meant for people: to stdout, or to stderr where stdout is for JSON; nowhere where both are for
    /// programs.
    pub(super) fn result(self, text: &str) -> Result<(), Problem> {
        match self.output {
            Output::Text => write(std::io::stdout(), text),
            Output::Json if log::for_programs() => Ok(()),
            Output::Json => write(std::io::stderr(), text),
        }
    }

    /// Prints what was made to be read by a program, or kept in a file.
    pub(super) fn plain(text: &str) -> Result<(), Problem> {
        write(std::io::stdout(), text)
    }

    /// Prints a file's content as it is, to its last line break.
    pub(super) fn exactly(text: &str) -> Result<(), Problem> {
        let mut to = std::io::stdout();
        printed(to.write_all(text.as_bytes()).and_then(|()| to.flush()))
    }

    /// Whether results may be coloured: they go to a terminal, and `NO_COLOR` (<https://no-color.org>) is not set.
    pub(super) fn colours_results(self) -> bool {
        let terminal = match self.output {
            Output::Text => std::io::stdout().is_terminal(),
            Output::Json => std::io::stderr().is_terminal(),
        };
        terminal && colour_allowed()
    }

    /// Columns that results may take.
    pub(super) fn width(self) -> u16 {
        // Wide enough for a row a budget; logs do not wrap.
        const WITHOUT_TERMINAL: u16 = 140;
        let (_, columns) = match self.output {
            Output::Text => console::Term::stdout().size_checked(),
            Output::Json => console::Term::stderr().size_checked(),
        }
        .unwrap_or((0, WITHOUT_TERMINAL));
        columns
    }
}

/// Whether text on stderr may be coloured.
pub(super) fn colours_errors() -> bool {
    log::may_draw() && colour_allowed()
}

fn colour_allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn write(mut to: impl Write, text: &str) -> Result<(), Problem> {
    printed(writeln!(to, "{}", text.trim_end()).and_then(|()| to.flush()))
}

/// A closed pipe means that nobody reads any more, and is no error; a full disk is one.
fn printed(written: std::io::Result<()>) -> Result<(), Problem> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Problem::internal(format!("cannot print the results: {error}")))
        }
        _ => Ok(()),
    }
}
