//! The command line: parse, run, exit code. The only place where the process ends and an error is printed.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic has printed where it happened by the time it is caught here.
    let ended = std::panic::catch_unwind(|| tollgate::cli::main(std::env::args_os()));
    match ended {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(problem)) => {
            problem.tell();
            problem.exit().into()
        }
        Err(_) => tollgate::cli::Exit::Internal.into(),
    }
}
