//! Writes the folder of a simulated long run, for `benches/growth.sh`.
//!
//! `long_run DIR SECONDS RATE` simulates a run of `SECONDS` seconds at about `RATE` requests a
//! second, and writes its folder below `DIR`.

#![allow(missing_docs, reason = "a program has no users of its items")]
#![allow(clippy::print_stdout, reason = "it says what it wrote")]

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

#[path = "../tests/support/long_run.rs"]
mod long_run;
#[path = "../tests/support/peak_memory.rs"]
mod peak_memory;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, seconds, rate] = arguments.as_slice() else {
        println!("usage: long_run DIR SECONDS RATE");
        return Ok(ExitCode::from(2));
    };
    let record = long_run::write_run(Path::new(folder), seconds.parse()?, rate.parse()?)?;
    println!("{}", Path::new(folder).join(record.name()).display());
    Ok(ExitCode::SUCCESS)
}
