//! Measures how often the change points of latency histories are wrong, missed and late.
//!
//! `change_points [SERIES]` simulates so many histories per cell (1,000 if not given) and prints
//! tables. It ends with 1 if more than 5 % of the flat series of a cell have a change point.
//!
//! `change_points --published FILE` compares change points with those that people marked. The file
//! has one series a line as JSON: `name`, `values` (null is a gap) and `annotations` (a list of
//! places for each person).

#![allow(missing_docs, reason = "a program has no users of its items")]
#![allow(clippy::print_stderr, reason = "printing is what it is for")]

mod costs;
mod cycles;
mod published;
#[path = "../../src/history/change_points/simulated_series.rs"]
mod simulated_series;
mod tables;
mod trade_off;

use std::io::Write;
use std::process::ExitCode;

const USAGE: &str = "usage: change_points [SERIES] | change_points --published FILE";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let answer = match arguments[..] {
        [] => simulate("1000"),
        ["--published", file] => compare(file),
        [series] => simulate(series),
        _ => Err(USAGE.to_owned()),
    };
    answer.unwrap_or_else(|problem| {
        eprintln!("{problem}");
        ExitCode::from(2)
    })
}

fn simulate(series: &str) -> Result<ExitCode, String> {
    let is_enough = |series: &u64| *series > 0;
    let series = series.parse().ok().filter(is_enough);
    let series = series.ok_or_else(|| format!("not a number of series\n{USAGE}"))?;
    let flat = tables::FlatTable::measure(series);
    write_out(&format!("{flat}\n"))?;
    write_out(&tables::lengths(series))?;
    write_out(&tables::steps(series))?;
    write_out(&trade_off::table(series.div_ceil(2)))?;
    write_out(&cycles::table(series.div_ceil(5)))?;
    write_out(&costs::table())?;
    Ok(ExitCode::from(u8::from(!flat.is_good())))
}

fn compare(file: &str) -> Result<ExitCode, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    write_out(&published::table(&text).map_err(|error| format!("{file}:{error}"))?)?;
    Ok(ExitCode::SUCCESS)
}

fn write_out(text: &str) -> Result<(), String> {
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| format!("stdout: {error}"))
}
