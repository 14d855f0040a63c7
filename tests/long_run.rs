//! Whether what a prober keeps of a run is small however long the run lasts.
#![cfg(target_os = "linux")] // It reads `/proc`.

#[path = "support/long_run.rs"]
mod day;
#[path = "support/peak_memory.rs"]
mod peak_memory;

/// How much the resident size may grow after the first ten minutes, in KiB.
const GROWTH_KIB: u64 = 2 * 1024;
/// How much memory the verdict may take, in KiB.
const PEAK_KIB: u64 = 50 * 1024;

/// `cargo bench --bench soak -- day` does the same with 200 requests a second.
#[test]
fn a_run_of_a_day_takes_little_more_memory_than_one_of_ten_minutes() {
    let day = day::run_day(1);
    assert!(day.growth <= GROWTH_KIB, "{} KiB, then {} KiB more", day.first, day.growth);
    assert!(day.peak <= PEAK_KIB, "{} KiB at most", day.peak);
}
