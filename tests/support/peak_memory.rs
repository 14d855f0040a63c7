//! The peak memory of another program, for benchmarks.

use std::process::Child;
use std::time::Duration;

/// The peak resident size of a process in kB, read until it ends.
pub(crate) fn watch(child: &mut Child) -> std::io::Result<u64> {
    let (mut peak, path) = (0, format!("/proc/{}/status", child.id()));
    while child.try_wait()?.is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let size = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(size.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(peak)
}
