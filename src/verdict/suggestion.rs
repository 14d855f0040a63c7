//! Suggests budgets that earlier runs would have held.

use std::fmt;
use std::time::Duration;

use super::binomial::{ErrorRate, ExceedanceCount, upper_rank};
use crate::record::{
    BaselineWindow, Budget, CountLimit, Dimension, Histogram, RequestSuggestion, RequestSummary,
    SuggestedBudget, run_name,
};
use crate::units::{Quantile, Ratio, duration_literal};
use time::OffsetDateTime;
use uuid::Uuid;

/// The quantiles that are suggested.
const QUANTILES: [Quantile; 3] = [Quantile::P50, Quantile::P95, Quantile::P99];

/// The share of runs that must have held a suggested budget.
const HELD: (usize, usize) = (95, 100);

/// One request of one earlier run.
#[derive(Debug, Clone, Copy)]
pub struct EarlierRequest<'a> {
    /// The run's id.
    pub id: Uuid,
    /// When it started (UTC).
    pub started: OffsetDateTime,
    /// Whether the run was imported.
    pub is_imported: bool,
    /// What it measured.
    pub summary: &'a RequestSummary,
}

/// The smallest limit that a run would have passed, in the unit of its measure; infinite if none.
#[derive(Debug, Clone, Copy)]
struct NeededLimit<'a> {
    run: EarlierRequest<'a>,
    needed: f64,
}

/// Suggests budgets for one request from its runs: for each measure the smallest round limit that
/// at least 95 % of the runs would have passed.
///
/// A run would have passed a limit by the exact binomial test of its counts, at the stated error
/// rate: summaries do not say when a request was slow, so blocks of time cannot be tested. A run
/// with too few requests to pass a measure at all does not count for it, whatever it measured.
pub fn suggest_budgets(runs: &[EarlierRequest<'_>]) -> Option<RequestSuggestion> {
    let first = runs.first()?.summary;
    let is_single = |run: &&EarlierRequest<'_>| run.is_imported && run.summary.exchanges <= 1;
    let mut suggestion = RequestSuggestion {
        scenario: first.scenario.clone(),
        request: first.request.clone(),
        runs: runs.len(),
        imported_singles: runs.iter().filter(is_single).count(),
        budgets: Vec::new(),
        left_out: Vec::new(),
    };
    let decoded: Vec<_> =
        runs.iter().filter_map(|run| Some((*run, run.summary.latency.decode().ok()?))).collect();
    for quantile in QUANTILES {
        let needed = decoded.iter().filter_map(|(run, latency)| {
            Some(NeededLimit { run: *run, needed: needed_micros(run.summary, latency, quantile)? })
        });
        suggestion.add(SuggestedMeasure::Latency(quantile), needed.collect());
    }
    suggestion.leave_out_looser();
    let needed = runs.iter().filter(|run| run.summary.exchanges >= FEWEST_FOR_ERRORS).map(|run| {
        let (over, of) = (run.summary.failed(), run.summary.exchanges);
        let (_, share) = ExceedanceCount { over, of }.interval(ErrorRate::STATED);
        let needed = if share < Ratio::ONE { share.as_f64() } else { f64::INFINITY };
        NeededLimit { run: *run, needed }
    });
    suggestion.add(SuggestedMeasure::Errors, needed.collect());
    Some(suggestion)
}

/// What a suggested budget limits.
#[derive(Debug, Clone, Copy)]
enum SuggestedMeasure {
    /// A quantile of latency, in microseconds.
    Latency(Quantile),
    /// The share of failed requests.
    Errors,
}

impl SuggestedMeasure {
    /// The budget with a limit; `None` if no limit is left to write: an infinite one, or a share of
    /// all requests.
    fn budget(self, limit: f64) -> Option<Budget> {
        if !limit.is_finite() {
            return None;
        }
        match self {
            Self::Latency(quantile) => {
                let ceiling = Duration::from_secs_f64(limit / 1e6);
                Some(Budget::Quantile { quantile, dimension: Dimension::Latency, ceiling })
            }
            Self::Errors => {
                let share = Ratio::new(limit).ok().filter(|share| *share < Ratio::ONE)?;
                Some(Budget::Errors(CountLimit::Below(share)))
            }
        }
    }

    /// The fewest requests that can hold a budget on it.
    fn fewest_exchanges(self) -> u64 {
        match self {
            Self::Latency(quantile) => fewest_exchanges(quantile.allowed_exceedance()),
            Self::Errors => FEWEST_FOR_ERRORS,
        }
    }
}

impl fmt::Display for SuggestedMeasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(quantile) => quantile.fmt(f),
            Self::Errors => f.write_str("errors"),
        }
    }
}

/// With fewer requests, not even a run without a failure proves a share below 5 %.
const FEWEST_FOR_ERRORS: u64 = 59;

/// The fewest requests that can pass a budget if none of them exceeds it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
fn fewest_exchanges(allowed: Ratio) -> u64 {
    let none_over = ErrorRate::STATED.as_f64().ln() / (1.0 - allowed.as_f64()).ln();
    none_over.ceil() as u64
}

/// The smallest ceiling in microseconds that a run would have passed; `None` if it has too few
/// requests, infinite if its failures are too many.
fn needed_micros(summary: &RequestSummary, ok: &Histogram, quantile: Quantile) -> Option<f64> {
    let rank = upper_rank(summary.exchanges, quantile.allowed_exceedance(), ErrorRate::STATED)?;
    // Failures rank above every success.
    let read = ok.at_rank(rank);
    Some(read.map_or(f64::INFINITY, |read| read.as_secs_f64() * 1e6 + 1.0))
}

impl RequestSuggestion {
    /// Adds the budget on one measure, or why there is none.
    fn add(&mut self, measure: SuggestedMeasure, mut needed: Vec<NeededLimit<'_>>) {
        let (of, least) = (needed.len(), BaselineWindow::FEWEST as usize);
        if of < least {
            self.left_out.push(format!(
                "{measure}: {of} of {} runs have the {} requests that it needs; a suggestion needs \
                 {least} such runs",
                self.runs,
                measure.fewest_exchanges()
            ));
            return;
        }
        needed.sort_by(|one, other| one.needed.total_cmp(&other.needed));
        let enough = (of * HELD.0).div_ceil(HELD.1);
        let limit = rounded_up(needed[enough - 1].needed);
        let Some(budget) = measure.budget(limit) else {
            self.left_out.push(format!(
                "{measure}: more than 5 % of the runs failed too often to hold any limit"
            ));
            return;
        };
        let worst = needed[of - 1];
        self.budgets.push(SuggestedBudget {
            budget,
            held: needed.iter().filter(|run| run.needed <= limit).count(),
            of,
            worst_run: worst.run.id,
            worst: run_name(worst.run.started, worst.run.id),
            worst_needs: measure.budget(rounded_up(worst.needed)),
        });
    }

    /// Leaves out each quantile whose limit is above that of a higher one: the runs that need it
    /// are too short for the higher one.
    fn leave_out_looser(&mut self) {
        let mut tightest: Option<(Quantile, Duration)> = None;
        for at in (0..self.budgets.len()).rev() {
            let Budget::Quantile { quantile, ceiling, .. } = self.budgets[at].budget else {
                continue;
            };
            match tightest.filter(|(_, limit)| ceiling > *limit) {
                Some((higher, limit)) => {
                    self.budgets.remove(at);
                    self.left_out.push(format!(
                        "{quantile}: runs too short for {higher} need {}, which is above the limit \
                         of {higher}, {}",
                        duration_literal(ceiling),
                        duration_literal(limit)
                    ));
                }
                None => tightest = Some((quantile, ceiling)),
            }
        }
    }
}

/// A limit with two significant digits that is at least this.
fn rounded_up(limit: f64) -> f64 {
    if !limit.is_finite() || limit <= 0.0 {
        return limit;
    }
    let unit = 10_f64.powf(limit.log10().floor() - 1.0);
    // A division by the inverse keeps shares such as 0.015 exact.
    let steps = (limit / unit - 1e-9).ceil();
    if unit < 1.0 { steps / (1.0 / unit).round() } else { steps * unit }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::record::{Decision, EncodedHistogram};

    fn summary(micros: &[u64], failed: u64) -> RequestSummary {
        let mut latency = Histogram::default();
        for micros in micros {
            latency.record(Duration::from_micros(*micros));
        }
        RequestSummary {
            scenario: "shop".to_owned(),
            request: "home".to_owned(),
            decision: Decision::Pass,
            exchanges: micros.len() as u64 + failed,
            ok: micros.len() as u64,
            latency: EncodedHistogram::of(&latency),
            figures: None,
            imported: None,
        }
    }

    fn suggest(summaries: &[RequestSummary], is_imported: bool) -> RequestSuggestion {
        let run = |(at, summary)| EarlierRequest {
            id: Uuid::from_u128(at),
            started: datetime!(2026-11-23 18:00 UTC),
            is_imported,
            summary,
        };
        let runs: Vec<_> = (1..).zip(summaries).map(run).collect();
        suggest_budgets(&runs).unwrap()
    }

    fn lines(suggestion: &RequestSuggestion) -> Vec<String> {
        suggestion.budgets.iter().map(|one| one.budget.to_string()).collect()
    }

    #[test]
    fn the_smallest_round_limits_that_nineteen_of_twenty_runs_would_have_passed_are_suggested() {
        let mut runs = vec![summary(&[201_300; 400], 0); 19];
        runs.push(summary(&[412_000; 400], 40));
        let found = suggest(&runs, false);
        let expected = ["p50 < 210ms", "p95 < 210ms", "p99 < 210ms", "errors < 0.75%"];
        assert_eq!(lines(&found), expected);
        for one in &found.budgets {
            assert_eq!((one.held, one.of, one.worst_run), (19, 20, Uuid::from_u128(20)));
        }
        let worst: Vec<_> = found
            .budgets
            .iter()
            .map(|one| one.worst_needs.map(|budget| budget.to_string()))
            .collect();
        assert_eq!(worst[0].as_deref(), Some("p50 < 420ms"));
        // A tenth of its requests failed, so no p95 would have held.
        assert_eq!(worst[1], None);
        assert_eq!(worst[3].as_deref(), Some("errors < 12%"));
    }

    #[test]
    fn a_run_with_too_few_requests_for_a_quantile_counts_for_none_of_it() {
        let mut runs = vec![summary(&[100_000; 100], 0); 6];
        runs.extend(vec![summary(&[900_000; 6], 0); 30]);
        let found = suggest(&runs, false);
        assert_eq!(lines(&found)[0], "p95 < 110ms");
        assert_eq!((found.budgets[0].held, found.budgets[0].of), (6, 6));
        assert_eq!(
            found.left_out,
            [
                "p99: 0 of 36 runs have the 299 requests that it needs; a suggestion needs 5 such runs",
                "p50: runs too short for p95 need 910ms, which is above the limit of p95, 110ms"
            ]
        );
    }

    #[test]
    fn imported_runs_of_a_single_request_carry_nothing() {
        let found = suggest(&vec![summary(&[250_000], 0); 24], true);
        assert_eq!((found.budgets.len(), found.imported_singles, found.left_out.len()), (0, 24, 4));
    }

    #[test]
    fn a_request_that_mostly_fails_gets_no_limit() {
        let found = suggest(&vec![summary(&[], 100); 6], false);
        assert!(found.budgets.is_empty() && found.left_out.len() == 4, "{found:?}");
    }

    #[test]
    fn limits_have_two_digits_and_are_never_below_what_was_needed() {
        for (needed, limit) in
            [(201_300.0, 210_000.0), (200_000.0, 200_000.0), (0.0149, 0.015), (99.5, 100.0)]
        {
            assert!((rounded_up(needed) - limit).abs() < 1e-9, "{needed}: {}", rounded_up(needed));
        }
    }
}
