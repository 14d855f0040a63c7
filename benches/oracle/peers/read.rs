//! Reads p50, p95 and p99 from a peer's output. At least one of them must be there.

use std::path::Path;

use serde_json::Value;

use crate::truth::Millis;

type Quantiles = Option<[Option<Millis>; 3]>;

/// Reads JSON by pointers. An empty pointer is a quantile that the peer does not report. `to_ms`
/// converts the peer's unit to milliseconds.
pub(super) fn json(printed: &str, pointers: [&str; 3], to_ms: f64) -> Quantiles {
    let text = printed.get(printed.find('{')?..=printed.rfind('}')?)?;
    let value: Value = serde_json::from_str(text).ok()?;
    let number =
        |pointer: &str| value.pointer(pointer).and_then(Value::as_f64).map(|found| found * to_ms);
    some(pointers.map(number))
}

/// Reads the line that the script for wrk prints, in milliseconds.
pub(super) fn lua(printed: &str) -> Quantiles {
    let line = printed.lines().find_map(|line| line.strip_prefix("quantiles "))?;
    let mut numbers = line.split_whitespace().map(|word| word.parse().ok());
    some([numbers.next()?, numbers.next()?, numbers.next()?])
}

/// Reads lines such as `  95%      8` and `  95% in 0.0083 secs`.
pub(super) fn after_percents(printed: &str, to_ms: f64) -> Quantiles {
    let number = |percent: &str| {
        let line = printed.lines().find_map(|line| line.trim_start().strip_prefix(percent))?;
        line.split_whitespace().find_map(|word| word.parse::<f64>().ok()).map(|found| found * to_ms)
    };
    some(["50%", "95%", "99%"].map(number))
}

/// Reads a file with a line for each request; the third field is its time in microseconds.
pub(super) fn request_log(path: &Path) -> Quantiles {
    let text = std::fs::read_to_string(path).ok()?;
    let times = text.lines().filter_map(|line| line.split('\t').nth(2)?.parse::<f64>().ok());
    let mut times: Vec<Millis> = times.map(|micros| micros / 1e3).collect();
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times.get((percent * times.len()).div_ceil(100).max(1) - 1).copied();
    some([50, 95, 99].map(at))
}

fn some(quantiles: [Option<Millis>; 3]) -> Quantiles {
    quantiles.iter().any(Option::is_some).then_some(quantiles)
}
