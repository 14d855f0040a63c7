//! The command line: parse, run, exit code. The only place where the process ends and an error is printed.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic has printed where it happened by the time it is caught here.
    let ended = std::panic::catch_unwind(|| tollgate::cli::main(std::env::args_os(), end));
    match ended {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(problem)) => {
            problem.tell();
            problem.exit().into()
        }
        Err(_) => tollgate::cli::Exit::Internal.into(),
    }
}

/// Ends the program where it cannot come back to `main`: asked twice to end, and held up by a pipe that nobody reads.
#[expect(clippy::exit, reason = "what is stuck cannot return")]
fn end(exit: tollgate::cli::Exit) {
    std::process::exit(exit as i32);
}
