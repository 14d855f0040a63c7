//! Where text goes: results to stdout, all else to stderr.

use std::io::{ErrorKind, IsTerminal, Write};

use clap::ValueEnum;

use super::exit::Problem;

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
    pub(super) quiet: bool,
}

impl Console {
    /// Prints results meant for people: to stdout, or to stderr where stdout is for JSON.
    pub(super) fn result(self, text: &str) -> Result<(), Problem> {
        match self.output {
            Output::Text => write(std::io::stdout(), text),
            Output::Json => write(std::io::stderr(), text),
        }
    }

    /// Prints the one thing that a program reads.
    pub(super) fn json(text: &str) -> Result<(), Problem> {
        write(std::io::stdout(), text)
    }

    /// Tells what is going on, unless asked to be quiet.
    pub(super) fn say(self, text: &str) {
        if !self.quiet {
            Self::warn(text);
        }
    }

    /// Tells what must not go unnoticed.
    pub(super) fn warn(text: &str) {
        // Where stderr cannot be written there is nobody to tell; results and the exit code do not depend on it.
        let _unheard = write(std::io::stderr(), text);
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
    std::io::stderr().is_terminal() && colour_allowed()
}

fn colour_allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A closed pipe means that nobody reads any more, and is no error; a full disk is one.
fn write(mut to: impl Write, text: &str) -> Result<(), Problem> {
    match writeln!(to, "{}", text.trim_end()).and_then(|()| to.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Problem::internal(format!("cannot print the results: {error}")))
        }
        _ => Ok(()),
    }
}
