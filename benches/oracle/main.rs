//! Does tollgate report what happened? Compares its figures with an oracle's, for a target that
//! freezes.
//!
//! Every cell of the matrix (schedule × connections × HTTP version × TLS) runs the real programs:
//! `tollgate target`, frozen for 1 s in every 10 s, and `tollgate run` with about 200 arrivals per
//! second for 40 s. The oracle ([`truth`]) then simulates the run from the schedule, the connection
//! limit, the planned delays, the freezes, and the target's own arrival log. Other load generators,
//! where installed, send to the same target for comparison.
//!
//! `cargo bench --bench oracle` takes 8 to 10 minutes. `cargo bench --bench oracle -- poisson-50
//! peers` runs only the cells whose names contain one of the words, and the peers if one of the
//! words is `peers`. A cell whose p95 or p99 is off by more than 2 % and 10 ms runs once more on
//! its own. The exit code is 1 if it is still off.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it found")]

mod cell;
mod matrix;
mod peers;
mod processes;
mod truth;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use cell::Cell;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// Path of the requested page: one draw from the target's latency distribution.
const PATH: &str = "/app?mock=1";

/// Header sent with every request: the target answers other programs with 410.
const HEADER: (&str, &str) = ("User-Agent", "Shopify POS/Oracle");

/// Pairs of prober and target that run at the same time. Each needs a few per cent of a core.
const AT_ONCE: usize = 4;

/// Delay between the starts of two pairs, so that their freezes do not end at the same time.
const START_SPACING: Duration = Duration::from_millis(2_300);

fn main() -> ExitCode {
    // `cargo test --benches` and the like ask for a list or a quick pass; minutes are neither.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted =
        |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str()));

    let cells: Vec<Cell> = cell::all().into_iter().filter(|cell| is_wanted(&cell.name())).collect();
    if cells.is_empty() && !is_wanted("peers") {
        println!("no cell has one of these words in its name: {}", wanted.join(" "));
        return ExitCode::FAILURE;
    }
    let rows = side_by_side(AT_ONCE, &cells, matrix::run);
    let again = |(cell, row)| matrix::run_again_if_off(cell, row);
    let rows: Vec<_> = cells.iter().zip(rows).map(again).collect();
    let is_right = matrix::print(&cells, &rows);
    if is_wanted("peers") {
        peers::run_and_print();
    }
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs all jobs, at most `at_once` at a time. The results are in the order of the jobs.
fn side_by_side<J: Sync, R: Send>(
    at_once: usize,
    jobs: &[J],
    run: impl Fn(&J) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for worker in 0..at_once.min(jobs.len()) {
            let (next, results, run) = (&next, &results, &run);
            scope.spawn(move || {
                thread::sleep(START_SPACING * u32::try_from(worker).unwrap_or_default());
                while let Some((index, job)) = take(jobs, next) {
                    let result = run(job);
                    lock(results).push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn take<'a, J>(jobs: &'a [J], next: &AtomicUsize) -> Option<(usize, &'a J)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    jobs.get(index).map(|job| (index, job))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
