//! Filters secrets out of the target's `Server-Timing` reports.

use std::cell::{LazyCell, RefCell};
use std::collections::HashSet;
use std::time::Duration;

use http::HeaderMap;

use crate::expect::{SERVER_TIMING, ServerTimingMetric, server_timings};
use crate::plan::SecretSet;

/// Maximum length of a recorded metric name, in characters.
const NAME: usize = 40;

/// Maximum number of remembered names; any other name is checked in every answer.
const REMEMBERED: usize = 64;

/// Reads the metrics of `Server-Timing` headers and drops those that echo a secret.
///
/// Metric names reach files before the run ends, so the filter has to act here. It drops the whole
/// header line, since a comma within a secret would split the secret in two. A name that once
/// occurred in a harmless line is not checked again: it is in the files already.
#[derive(Debug)]
pub(super) struct ServerTimingFilter {
    secrets: SecretSet,
    harmless: RefCell<HashSet<String>>,
}

impl ServerTimingFilter {
    pub(super) fn new(secrets: SecretSet) -> Self {
        Self { secrets, harmless: RefCell::default() }
    }

    /// The metrics of an answer and their durations; `secrets` makes those of its arrival.
    ///
    /// That takes longer than the rest, and is done only for a line with a new name.
    pub(super) fn metrics<'s>(
        &self,
        headers: &HeaderMap,
        secrets: impl FnOnce() -> Option<&'s SecretSet>,
    ) -> Vec<(String, Duration)> {
        if !headers.contains_key(SERVER_TIMING) {
            return Vec::new();
        }
        let captured = LazyCell::new(secrets);
        let harmless = server_timings(headers).filter(|metric| {
            self.harmless.borrow().contains(metric.name)
                || self.is_new_and_harmless(metric, *captured)
        });
        harmless.map(|metric| (metric.name.chars().take(NAME).collect(), metric.duration)).collect()
    }

    fn is_new_and_harmless(
        &self,
        metric: &ServerTimingMetric<'_>,
        captured: Option<&SecretSet>,
    ) -> bool {
        let mut all = captured.into_iter().chain([&self.secrets]);
        let is_harmless = !all.any(|secrets| secrets.is_echoed_in(metric.line));
        let mut harmless = self.harmless.borrow_mut();
        if is_harmless && harmless.len() < REMEMBERED {
            harmless.insert(metric.name.to_owned());
        }
        is_harmless
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric_names(account: &ServerTimingFilter, line: &str) -> Vec<String> {
        let headers = HeaderMap::from_iter([(SERVER_TIMING, line.parse().unwrap())]);
        account.metrics(&headers, || None).into_iter().map(|(name, _)| name).collect()
    }

    fn hiding(secret: &str) -> ServerTimingFilter {
        ServerTimingFilter::new(SecretSet::new([secret.to_owned()]))
    }

    #[test]
    fn a_line_that_echoes_a_secret_is_dropped_completely() {
        for secret in ["zebra-7f3a", "zebra,7f3a", "zebra;7f3a", "zebra, 7f3a"] {
            let account = hiding(secret);
            for line in
                [format!("{secret};dur=1"), format!("x{}{secret}y;dur=1, b;dur=2", "x".repeat(36))]
            {
                assert!(metric_names(&account, &line).is_empty(), "{line}");
            }
            assert_eq!(metric_names(&account, "db;dur=1, app;dur=2"), ["db", "app"]);
            assert_eq!(metric_names(&account, &format!("db;dur=1, {secret};dur=2")), ["db"]);
        }
    }

    #[test]
    fn a_line_that_echoes_a_captured_value_of_any_length_is_dropped_completely() {
        let (account, long) = (hiding("zebra"), "x".repeat(58));
        let captured = SecretSet::new([long.clone()]);
        let line = format!("{long};dur=1, app;dur=2");
        let headers = HeaderMap::from_iter([(SERVER_TIMING, line.parse().unwrap())]);
        assert!(account.metrics(&headers, || Some(&captured)).is_empty());
        assert_eq!(account.metrics(&headers, || None).len(), 2);
    }

    #[test]
    fn a_duration_that_equals_a_secret_hides_no_known_metric() {
        let account = hiding("12");
        assert_eq!(metric_names(&account, "app;dur=11"), ["app"]);
        assert_eq!(metric_names(&account, "app;dur=12"), ["app"]);
    }

    #[test]
    fn new_metric_names_do_not_fill_the_memory() {
        let account = hiding("zebra-7f3a");
        for at in 0..1_000 {
            assert_eq!(
                metric_names(&account, &format!("{at}{};dur=1", "x".repeat(100)))[0].len(),
                NAME
            );
        }
        assert_eq!(account.harmless.borrow().len(), REMEMBERED);
        assert!(metric_names(&account, "zebra-7f3a;dur=1").is_empty());
    }
}
