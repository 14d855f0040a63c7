//! Writes the run folders of a generated year, for a sample of `tollgate report`.
//!
//! `history_year DIR [DAYS] [HOURS]` writes a run every `HOURS` hours (default 4) for `DAYS` days
//! (default 366) into `DIR`.

#![allow(missing_docs, reason = "a program has no users of its items")]
#![allow(clippy::print_stdout, reason = "it says what it wrote")]

use std::path::PathBuf;
use std::process::ExitCode;

#[path = "../tests/support/history_year.rs"]
mod history_year;

use history_year::{YEAR, YearShape};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(folder) = arguments.next().map(PathBuf::from) else {
        println!("usage: history_year DIR [DAYS] [HOURS]");
        return ExitCode::from(2);
    };
    let mut number = |name, default| match arguments.next().map(|text| (text.parse(), text)) {
        None => Ok(default),
        Some((Ok(number @ 1..), _)) => Ok(number),
        Some((_, text)) => Err(format!("{name} is a whole number above 0, and not `{text}`")),
    };
    let (days, hours) = match (number("DAYS", YEAR.days), number("HOURS", YEAR.hours)) {
        (Ok(days), Ok(hours)) => (days, hours),
        (Err(problem), _) | (_, Err(problem)) => {
            println!("{problem}");
            return ExitCode::from(2);
        }
    };
    let shape = YearShape { days, hours, ..YEAR };
    let runs = history_year::write(&folder, shape);
    println!("{runs} runs in {}", folder.display());
    ExitCode::SUCCESS
}
