//! Compares steady states with published answers, and measures how often those of simulated curves
//! are wrong.
//!
//! `steady_states FILE` reads one series of iterations a line as JSON: `seconds` (the values),
//! `steady_from` (the published iteration, −1 for never), and `series` and `fork` (its name). It
//! prints a table and ends with 1 if fewer than 90 % of the series agree on whether there is a
//! steady state, or if fewer than 80 % of the steady ones begin within 300 iterations of the
//! published one.
//!
//! `steady_states --simulate [CURVES]` prints how often whole curves are classified wrongly, and
//! how often a growing curve is ended too early.

#![allow(missing_docs, reason = "a program has no users of its items")]
#![allow(clippy::print_stderr, reason = "printing is what it is for")]

mod published;
#[path = "../../src/tune/steady/simulated_curve.rs"]
mod simulated_curve;
mod simulation;

use std::io::Write;
use std::process::ExitCode;

const USAGE: &str = "usage: steady_states FILE | steady_states --simulate [CURVES]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let answer = match arguments[..] {
        ["--simulate"] => simulate("200"),
        ["--simulate", curves] => simulate(curves),
        [file] => compare(file),
        _ => Err(USAGE.to_owned()),
    };
    answer.unwrap_or_else(|problem| {
        eprintln!("{problem}");
        ExitCode::from(2)
    })
}

fn simulate(curves: &str) -> Result<ExitCode, String> {
    let curves = curves.parse().map_err(|_| format!("`{curves}` is not a number\n{USAGE}"))?;
    write_out(&simulation::tables(curves))?;
    Ok(ExitCode::SUCCESS)
}

fn compare(file: &str) -> Result<ExitCode, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let comparison = published::Comparison::of(&text).map_err(|error| format!("{file}:{error}"))?;
    write_out(&comparison.to_string())?;
    Ok(ExitCode::from(u8::from(!comparison.is_good())))
}

fn write_out(text: &str) -> Result<(), String> {
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| format!("stdout: {error}"))
}
