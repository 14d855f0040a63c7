//! `tollgate completions`

use super::console::Console;
use super::exit::{CommandError, ExitStatus};

const EXAMPLES: &str = "\
Examples:
  source <(tollgate completions bash)                                       for this shell
  tollgate completions bash > ~/.local/share/bash-completion/completions/tollgate
  tollgate completions zsh > ~/.zfunc/_tollgate                             with ~/.zfunc in $fpath
  tollgate completions fish > ~/.config/fish/completions/tollgate.fish";

/// Print a shell completion script
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: clap_complete::Shell,
}

pub(super) fn completions(args: &Args) -> Result<ExitStatus, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "tollgate", &mut script);
    Console::print_plain(&String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Pass)
}
