//! `tollgate man`

use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;

use super::console::Console;
use super::exit::{CommandError, ExitStatus};
use crate::library_text::describe_io;
use crate::store;

const EXAMPLES: &str = "\
Examples:
  tollgate man | man -l -
  tollgate man --dir ~/.local/share/man/man1";

/// Print the manual page, or write one page per command
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The folder to write one page per command to [default: print only the page of `tollgate`]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn man(args: &Args) -> Result<ExitStatus, CommandError> {
    let mut command = super::command().disable_help_subcommand(true);
    command.build();
    if let Some(dir) = &args.dir {
        std::fs::create_dir_all(dir).map_err(|error| {
            CommandError::internal(format!(
                "cannot create {}: {}",
                dir.display(),
                describe_io(&error)
            ))
        })?;
        write(&command, dir)?;
    } else {
        let (_, page) = page(&command)?;
        Console::print_plain(&String::from_utf8_lossy(&page))?;
    }
    Ok(ExitStatus::Pass)
}

/// Writes the pages of a command and its subcommands.
fn write(command: &Command, dir: &Path) -> Result<(), CommandError> {
    let (name, page) = page(command)?;
    store::write_atomically(dir, &name, &page)?;
    command.get_subcommands().try_for_each(|command| write(command, dir))
}

/// The file name and the content of a command's page.
pub(super) fn page(command: &Command) -> Result<(String, Vec<u8>), CommandError> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page).map_err(CommandError::internal)?;
    Ok((man.get_filename(), page))
}
