//! The program: parse, run, exit code. Errors are printed and the process ends only here.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The panic hook has printed the panic by now.
    let ended = std::panic::catch_unwind(|| tollgate::cli::main(std::env::args_os(), end));
    match ended {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(problem)) => {
            tollgate::cli::print_problem(&problem);
            problem.exit().into()
        }
        Err(_) => tollgate::cli::ExitStatus::Internal.into(),
    }
}

/// Ends the program after a second signal, if a full pipe keeps it from returning to `main`.
#[expect(clippy::exit, reason = "a blocked program cannot return")]
fn end(exit: tollgate::cli::ExitStatus) {
    std::process::exit(exit as i32);
}
