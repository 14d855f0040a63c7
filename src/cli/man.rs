//! `tollgate man`

use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;

use super::console::Console;
use super::exit::{Exit, Problem};
use crate::store;

const EXAMPLES: &str = "\
Examples:
  tollgate man | man -l -
  tollgate man --dir ~/.local/share/man/man1";

/// Print the manual, or write a page for each command
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The folder to write a page for each command to; without it the first page is printed
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn man(args: &Args) -> Result<Exit, Problem> {
    let mut command = super::command().disable_help_subcommand(true);
    command.build();
    if let Some(dir) = &args.dir {
        std::fs::create_dir_all(dir).map_err(|error| {
            Problem::internal(format!("cannot make {}: {error}", dir.display()))
        })?;
        write(&command, dir)?;
    } else {
        let (_, page) = page(&command)?;
        Console::plain(&String::from_utf8_lossy(&page))?;
    }
    Ok(Exit::Pass)
}

/// Writes the page of a command and of those below it.
fn write(command: &Command, dir: &Path) -> Result<(), Problem> {
    let (name, page) = page(command)?;
    store::write_atomically(dir, &name, &page)?;
    command.get_subcommands().try_for_each(|command| write(command, dir))
}

/// The name of a command's page, and the page.
pub(super) fn page(command: &Command) -> Result<(String, Vec<u8>), Problem> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page).map_err(Problem::internal)?;
    Ok((man.get_filename(), page))
}
