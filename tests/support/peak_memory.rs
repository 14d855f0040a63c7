//! The peak memory of another program, for benchmarks.
#![allow(dead_code, reason = "each crate needs another part of it")]

use std::process::Child;
use std::time::Duration;

/// The peak resident size of a process in kB, read until it ends.
pub(crate) fn watch(child: &mut Child) -> std::io::Result<u64> {
    let (mut peak, process) = (0, child.id().to_string());
    while child.try_wait()?.is_none() {
        peak = peak.max(status_kb(&process, "VmHWM").unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(peak)
}

/// A size in kB from the status of a process, which is an id or `self`; `None` where the system
/// does not say.
pub(crate) fn status_kb(process: &str, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}
