//! Judges a budget on a duration: `p95 < 300ms`, `max(first_byte) < 1s`.

use std::time::Duration;

use super::binomial::{ErrorRate, ExceedanceCount};
use super::block_test::BlockTest;
use super::bursts::ExceedancePattern;
use super::exceedance_timeline::ExceedanceTimeline;
use super::explanation::{BudgetExplanation, ExplainedVerdict, PatternWords};
use super::failure_budget;
use super::failures::LeadingFailure;
use super::finding::BudgetFinding;
use super::judging_context::JudgingContext;
use super::peer_blame::{self, PeerBlame};
use super::phrases::{self, overrun_phrase, part, undecided_phrase};
use super::ranked_durations::RankedDurations;
use super::rule::DecisionRule;
use super::slot_series::SlotSeries;
use super::time_blame;
use super::wait_blame::WaitBlame;
use crate::record::{
    ActualQuantile, Budget, BudgetVerdict, Ceiling, CeilingCount, Dimension, Histogram, PeerCounts,
    ProberMeasurement, RequestMeasurement, StageMeasurement, VerdictReason,
};
use crate::units::{Quantile, format_duration};

/// One budget on a duration, and what was measured for it.
pub(super) struct DurationBudget<'a> {
    budget: Budget,
    /// `None` for a budget on the maximum.
    quantile: Option<Quantile>,
    dimension: Dimension,
    ceiling: Duration,
    request: &'a RequestMeasurement,
    circumstances: JudgingContext<'a>,
    ranked_durations: RankedDurations<'a>,
    /// The blocks of the run; `None` if it allows no exceedance or only counts are known.
    blocks: Option<BlockTest>,
    /// Set if waiting for a connection explains at least half of the exceedances.
    wait_blame: Option<WaitBlame<'a>>,
}

impl<'a> DurationBudget<'a> {
    /// A budget on a quantile of a request's measured stage; on the maximum if `quantile` is
    /// `None`.
    pub(super) fn new(
        budget: Budget,
        quantile: Option<Quantile>,
        (dimension, ceiling): (Dimension, Duration),
        request: &'a RequestMeasurement,
        circumstances: JudgingContext<'a>,
    ) -> Self {
        let ranked_durations = RankedDurations::of(request, dimension, ceiling);
        let wait_blame = WaitBlame::of(ranked_durations.count(), circumstances.capacity);
        let blocks = SlotSeries::of(budget, &request.ceilings).and_then(|series| {
            let place = (request.name.as_str(), budget);
            BlockTest::of(circumstances, place, series, ranked_durations.exceeded())
        });
        Self {
            budget,
            quantile,
            dimension,
            ceiling,
            request,
            circumstances,
            ranked_durations,
            blocks,
            wait_blame,
        }
    }

    /// Judges it and explains the decision.
    pub(super) fn judge(&self) -> ExplainedVerdict {
        let allowed = self.budget.allowed();
        let count = self.ranked_durations.exceeded();
        let finding = self.find();
        let verdict = BudgetVerdict {
            request: self.request.name.clone(),
            budget: self.budget,
            decision: finding.decision(),
            judged: count.of,
            exceeded: count.over,
            allowed,
            exceedance: allowed.map(|_| match &self.blocks {
                Some(blocks) => blocks.interval().into(),
                None => count.interval(ErrorRate::STATED),
            }),
            actual: Some(self.actual()),
            interval: self.interval(),
            of_successes: match self.quantile {
                Some(quantile) => {
                    self.ranked_durations.of_successes(|histogram| histogram.quantile(quantile))
                }
                None => self.ranked_durations.of_successes(Histogram::max),
            },
            evidence: self.blocks.as_ref().map(BlockTest::evidence),
            fail_evidence: None,
            reason: self.reason(finding),
        };
        ExplainedVerdict { verdict, explanation: self.explain(finding) }
    }

    fn find(&self) -> BudgetFinding {
        if let Some(blocks) = &self.blocks {
            return blocks.finding();
        }
        let test = |count| match self.budget.allowed() {
            Some(allowed) => self.circumstances.rule.test(count, allowed),
            None => DecisionRule::describe(count),
        };
        let ranked = &self.ranked_durations;
        BudgetFinding::allowing_for_lag(test(ranked.exceeded()), || test(ranked.without_lag()))
    }

    fn actual(&self) -> ActualQuantile {
        match self.quantile {
            Some(quantile) => self.ranked_durations.quantile(quantile),
            None => self.ranked_durations.max(),
        }
    }

    fn interval(&self) -> Option<(ActualQuantile, ActualQuantile)> {
        let quantile = self.quantile?;
        Some(match &self.blocks {
            Some(blocks) => self.ranked_durations.interval_of(
                blocks.interval(),
                quantile.allowed_exceedance(),
                blocks.proven(),
            ),
            None => self.ranked_durations.interval(quantile),
        })
    }

    fn reason(&self, finding: BudgetFinding) -> VerdictReason {
        let what = self.sentence();
        if let BudgetFinding::Late { would_hold } = finding {
            return late(&what, would_hold, &self.request.measured, self.circumstances.prober);
        }
        let subject = format!("a {}", self.subject());
        failure_budget::reason(what, finding, self.blocks.as_ref(), &subject, || {
            let why = undecided_phrase(self.ranked_durations.exceeded());
            (why.to_owned(), self.what_settles_it())
        })
    }

    /// `p95 is 412 ms (398 ms to 430 ms): 61 of 190 requests took 300 ms or longer, 5% may`.
    fn sentence(&self) -> String {
        let count = self.ranked_durations.exceeded();
        let interval = self.interval().and_then(phrases::interval);
        let interval = interval.map(|text| format!(" ({text})")).unwrap_or_default();
        let allowed =
            self.budget.allowed().map(|share| format!(", {share} may")).unwrap_or_default();
        format!(
            "{} {}{interval}: {}{allowed}",
            self.subject(),
            phrases::actual(self.actual()),
            self.counts(count.over, count.of)
        )
    }

    /// `p95`, `p99(first_byte)`, `max`.
    fn subject(&self) -> String {
        let measure =
            self.quantile.map_or_else(|| "max".to_owned(), |quantile| quantile.to_string());
        match self.dimension {
            Dimension::Latency => measure,
            other => format!("{measure}({other})"),
        }
    }

    /// `61 of 190 requests took 300 ms or longer`, or `… failed (20) or took 300 ms or longer
    /// (41)`.
    fn counts(&self, over: u64, of: u64) -> String {
        let overrun_phrase = overrun_phrase(self.dimension, self.ceiling);
        match self.ranked_durations.failures().min(over) {
            0 => format!("{} {overrun_phrase}", part(over, of)),
            failed if failed == over => format!("{} failed", part(over, of)),
            failed => {
                format!(
                    "{} failed ({failed}) or {overrun_phrase} ({})",
                    part(over, of),
                    over - failed
                )
            }
        }
    }

    /// What explains the exceedances: failures, waiting, the parts of the time, and when they
    /// occurred. A budget that holds only reports waiting, which a low limit may cause.
    fn explain(&self, finding: BudgetFinding) -> BudgetExplanation {
        let mut explanation = BudgetExplanation::default();
        if matches!(finding, BudgetFinding::NoData | BudgetFinding::Late { .. }) {
            return explanation;
        }
        if let Some(wait) = &self.wait_blame {
            explanation.add(wait.words(), wait.remedy().unwrap_or_default());
        }
        if finding == BudgetFinding::Holds || self.ranked_durations.exceeded().over == 0 {
            return explanation;
        }
        let is_slow = self.add_failures(&mut explanation);
        explanation.add_peers(self.peer_blame());
        if is_slow && self.wait_blame.is_none() {
            explanation.add_time(self.time_blames());
        }
        if let Some(pattern) = self.pattern() {
            explanation.add_pattern(pattern);
        }
        if finding == BudgetFinding::Breached && is_slow {
            self.advise(&mut explanation);
        }
        explanation
    }

    /// Adds the most frequent failure if failures are among the exceedances. Returns whether most
    /// exceedances are slow and not failed.
    fn add_failures(&self, explanation: &mut BudgetExplanation) -> bool {
        let failed = self.ranked_durations.failures();
        let is_slow = failed * 2 < self.ranked_durations.exceeded().over;
        if let Some(leading) = LeadingFailure::of(&self.request.measured).filter(|_| failed > 0) {
            let remedy = if is_slow { String::new() } else { leading.remedy() };
            explanation.add(leading.words(), remedy);
        }
        is_slow
    }

    fn time_blames(&self) -> Vec<time_blame::TimeBlame> {
        let count = self.ranked_durations.exceeded();
        let slow = count.over.saturating_sub(self.ranked_durations.failures());
        let measured = &self.request.measured;
        time_blame::explain(measured, self.dimension, self.ceiling, self.quantile, slow)
    }

    /// The addresses or connections that carried the exceedances. If all of them waited for a slow
    /// one, only those that exceed without the wait show which one that is.
    fn peer_blame(&self) -> Option<PeerBlame> {
        let (at, peers) = (self.ceiling_place()?, &self.request.peers);
        let explain = |noun, over: fn(&CeilingCount) -> u64| {
            let of = |count: &CeilingCount| ExceedanceCount { over: over(count), of: count.judged };
            let total = of(self.request.measured.tally.ceilings.get(at)?);
            let count =
                |peer: &PeerCounts| of(peer.ceilings.get(at).unwrap_or(&CeilingCount::default()));
            peer_blame::explain(peers, total, count, noun)
        };
        explain("exceedances", |count| count.exceeded).or_else(|| {
            explain("exceedances that waiting does not explain", |count| {
                count.exceeded_without_wait
            })
        })
    }

    /// When the exceedances occurred.
    fn pattern(&self) -> Option<PatternWords> {
        let pattern = ExceedancePattern::of(self.timeline()?)?;
        Some(PatternWords::of(pattern, "exceedances", self.stall_beyond()))
    }

    fn timeline(&self) -> Option<&'a ExceedanceTimeline> {
        self.circumstances.timelines?.ceilings.get(self.ceiling_place()?)
    }

    /// The place of the ceiling among those of the request.
    fn ceiling_place(&self) -> Option<usize> {
        ceiling_place(self.request, self.dimension, self.ceiling)
    }

    /// How much longer a freeze of the target lasts than requests exceed in it: a request that is
    /// due less than the ceiling before its end, less what it takes anyway, does not exceed.
    fn stall_beyond(&self) -> Option<Duration> {
        let is_scheduled = self.circumstances.capacity.is_some();
        let usual = self.request.measured.series.quantile(Dimension::Latency, Quantile::P50)?;
        (is_scheduled && self.dimension == Dimension::Latency)
            .then(|| self.ceiling.saturating_sub(usual))
    }

    /// Adds where to look: an earlier run if there is one, and the table of phases if nothing else
    /// explains the exceedances.
    fn advise(&self, explanation: &mut BudgetExplanation) {
        if explanation.has_no_remedy() {
            explanation.add_remedy("the phases table shows where the time went");
        }
        if let Some(command) = self.circumstances.comparison {
            explanation.add_remedy(format!("compare with an earlier run: `{command}`"));
        }
    }

    fn what_settles_it(&self) -> String {
        let rule = self.circumstances.rule;
        let (count, without_lag) =
            (self.ranked_durations.exceeded(), self.ranked_durations.without_lag());
        let settled = |allowed| rule.what_settles_it(count, without_lag, allowed);
        self.budget.allowed().map(settled).unwrap_or_default()
    }
}

fn ceiling_place(
    request: &RequestMeasurement,
    dimension: Dimension,
    ceiling: Duration,
) -> Option<usize> {
    let is_mine = |known: &Ceiling| (known.dimension, known.limit) == (dimension, ceiling);
    request.ceilings.iter().position(is_mine)
}

/// A gap of this length is a stall of the prober, not timer jitter.
const STANDSTILL: Duration = Duration::from_millis(10);

/// The reason for a budget that the prober's own lateness decides.
///
/// The prober is late if it sends late, which its lag shows, or if it stalls while answers arrive.
fn late(
    what: &str,
    would_hold: bool,
    measured: &StageMeasurement,
    prober: &ProberMeasurement,
) -> VerdictReason {
    let lag = measured.series.quantile(Dimension::Lag, Quantile::P99);
    let explains =
        |longest: &Duration| *longest >= STANDSTILL || lag.is_none_or(|lag| lag < *longest);
    let standstill = prober.hiccups.max().filter(explains);
    let lag = lag.map(|lag| format!("lag p99 {}", format_duration(lag)));
    let standstill =
        standstill.map(|longest| format!("it stalled for up to {}", format_duration(longest)));
    let ours = if standstill.is_some() { "these delays" } else { "its lag" };
    let details: Vec<_> = lag.into_iter().chain(standstill).collect();
    let details =
        if details.is_empty() { String::new() } else { format!(": {}", details.join(", ")) };
    let without =
        if would_hold { "the budget would hold" } else { "the data would not prove the breach" };
    VerdictReason {
        what: format!("{what}; but the prober was late{details}; without {ours} {without}"),
        next: "run it again from a machine with idle cores, or at a lower rate".to_owned(),
    }
}

#[cfg(test)]
mod tests;
