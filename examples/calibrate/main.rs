//! Measures how often each rule is wrong on simulated series whose true exceedance is known, and
//! writes `docs/calibration.md`.
//!
//! `calibrate [FILE] [series a cell]`

#![allow(missing_docs, reason = "a program has no users of its items")]

mod rules;
mod series;
mod tables;

use std::io;

const HEAD: &str = include_str!("head.md");

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let file = arguments.get(1).map_or("docs/calibration.md", String::as_str);
    let runs = arguments.get(2).and_then(|text| text.parse().ok()).unwrap_or(2_000);
    let mut page = HEAD.to_owned();
    page += "\n## p95, exactly at the allowed share\n";
    page += &tables::at_the_allowed_share(runs, 0.05);
    for (name, allowed) in [("p95", 0.05), ("p90", 0.1), ("p99", 0.01)] {
        page.extend(["\n## ", name, ", at multiples of the allowed share\n"]);
        page += &tables::around_the_allowed_share(runs, allowed);
    }
    std::fs::write(file, page)
}
