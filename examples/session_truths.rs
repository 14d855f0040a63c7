//! Concludes from simulated sessions whose truth is known, and prints how often the stated
//! intervals cover it; exits with 1 if that is less often than they say.
//!
//! `session_truths [sessions]`

#![allow(missing_docs, reason = "a program has no users of its items")]
#![allow(clippy::print_stdout, reason = "the table is what the program is for")]

use std::process::ExitCode;

use tollgate::{record, tune};

#[path = "../src/tune/simulation.rs"]
mod simulation;

use simulation::{KNOWN, TruthTally, planted_figures};
use tune::steady::curve::curve_figures;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let sessions: u64 = argument.unwrap_or(200);
    // Two standard deviations of the share that so many sessions find.
    let allowed = 2.0 * (0.9 * 0.1 / sessions as f64).sqrt();
    let known = TruthTally::of(sessions, planted_figures);
    let found = TruthTally::of(sessions, curve_figures);
    println!("{sessions} sessions, 4 configurations, 6 rounds; stated: 0.900 and at most 0.100");
    let holds = [("steady point known", &known), ("steady point found", &found)]
        .map(|(title, tally)| print(title, tally, allowed));
    if holds == [true; 2] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints a table, and says whether every share is as stated.
fn print(title: &str, tally: &TruthTally, allowed: f64) -> bool {
    println!("\n{title}\n{:24} {:>8} {:>12} {:>10}", "figure", "means", "differences", "invented");
    let mut holds = true;
    for kind in KNOWN {
        let mean = tally.means[&kind].as_f64();
        let joint = tally.differences[&kind].as_f64();
        let invented = tally.invented[&kind].as_f64();
        println!("{:24} {mean:8.3} {joint:12.3} {invented:10.3}", kind.name());
        holds &= mean.min(joint) >= 0.9 - allowed && invented <= 0.1 + allowed;
    }
    let named = [
        ("60 ms found", tally.found, 0.95..=1.0),
        ("no difference stated", tally.no_difference, 0.9 - allowed..=1.0),
        ("throttling named", tally.throttling_named, 0.95..=1.0),
        ("throttling invented", tally.throttling_invented, 0.0..=0.05),
    ];
    for (what, share, range) in named {
        println!("{what:24} {:8.3}", share.as_f64());
        holds &= range.contains(&share.as_f64());
    }
    holds
}
