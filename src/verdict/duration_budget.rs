//! Judges a budget on a duration: `p95 < 300ms`, `max(first_byte) < 1s`.

use std::time::Duration;

use super::binomial::Alpha;
use super::counted::no_data;
use super::crowding::Crowding;
use super::failures::Leading;
use super::finding::Finding;
use super::ranked::Ranked;
use super::rule::Rule;
use super::scenario::Circumstances;
use super::words::{self, overrun, part, undecided};
use crate::record::{
    Actual, Budget, BudgetVerdict, Dimension, Histogram, Prober, Reason, RequestMeasurement,
    StageMeasurement,
};
use crate::units::{Quantile, show};

/// One budget on a duration, and what was measured for it.
pub(super) struct Timed<'a> {
    budget: Budget,
    /// `None` for a budget on the maximum.
    quantile: Option<Quantile>,
    dimension: Dimension,
    ceiling: Duration,
    request: &'a RequestMeasurement,
    prober: &'a Prober,
    ranked: Ranked<'a>,
    /// Where waiting for a connection is most of what exceeds.
    crowding: Option<Crowding<'a>>,
}

impl<'a> Timed<'a> {
    /// A budget on a quantile, or on the maximum where there is none, of a request's measured phase, and
    /// how the prober fared meanwhile.
    pub(super) fn new(
        budget: Budget,
        quantile: Option<Quantile>,
        (dimension, ceiling): (Dimension, Duration),
        request: &'a RequestMeasurement,
        Circumstances { prober, capacity }: Circumstances<'a>,
    ) -> Self {
        let ranked = Ranked::of(request, dimension, ceiling);
        let crowding = Crowding::of(ranked.count(), capacity);
        Self { budget, quantile, dimension, ceiling, request, prober, ranked, crowding }
    }

    /// Judges it.
    pub(super) fn judge(&self, rule: Rule) -> BudgetVerdict {
        let allowed = self.budget.allowed();
        let seen = self.ranked.exceeded();
        let finding = self.find(rule);
        BudgetVerdict {
            request: self.request.name.clone(),
            budget: self.budget,
            decision: finding.decision(),
            judged: seen.of,
            exceeded: seen.over,
            allowed,
            exceedance: allowed.map(|_| seen.interval(Alpha::STATED)),
            actual: Some(self.actual()),
            interval: self.interval(),
            of_successes: match self.quantile {
                Some(quantile) => {
                    self.ranked.of_successes(|histogram| histogram.quantile(quantile))
                }
                None => self.ranked.of_successes(Histogram::max),
            },
            reason: self.reason(finding, rule),
        }
    }

    fn find(&self, rule: Rule) -> Finding {
        Finding::allowing_for_lag(self.ranked.exceeded(), self.ranked.without_lag(), |seen| {
            match self.budget.allowed() {
                Some(allowed) => rule.test(seen, allowed),
                None => Rule::describe(seen),
            }
        })
    }

    fn actual(&self) -> Actual {
        match self.quantile {
            Some(quantile) => self.ranked.quantile(quantile),
            None => self.ranked.max(),
        }
    }

    fn interval(&self) -> Option<(Actual, Actual)> {
        self.quantile.map(|quantile| self.ranked.interval(quantile))
    }

    fn reason(&self, finding: Finding, rule: Rule) -> Reason {
        let what = self.sentence();
        match finding {
            Finding::NoData => no_data(),
            Finding::Holds => self.crowded(Reason { what, next: String::new() }),
            Finding::Breached => self.crowded(self.blame(what)),
            Finding::Undecided => self.crowded(Reason {
                what: format!("{what}: {}", undecided(self.ranked.exceeded())),
                next: self.settled_by(rule),
            }),
            Finding::Late { would_hold } => {
                late(&what, would_hold, &self.request.measured, self.prober)
            }
        }
    }

    /// `p95 is 412 ms (398 ms to 430 ms): 61 of 190 requests took 300 ms or longer, 5% may`.
    fn sentence(&self) -> String {
        let seen = self.ranked.exceeded();
        let interval = self.interval().and_then(words::interval);
        let interval = interval.map(|text| format!(" ({text})")).unwrap_or_default();
        let allowed =
            self.budget.allowed().map(|share| format!(", {share} may")).unwrap_or_default();
        format!(
            "{} {}{interval}: {}{allowed}",
            self.subject(),
            words::actual(self.actual()),
            self.counts(seen.over, seen.of)
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

    /// `61 of 190 requests took 300 ms or longer`, or `… failed (20) or took 300 ms or longer (41)`.
    fn counts(&self, over: u64, of: u64) -> String {
        let overrun = overrun(self.dimension, self.ceiling);
        match self.ranked.failures().min(over) {
            0 => format!("{} {overrun}", part(over, of)),
            failed if failed == over => format!("{} failed", part(over, of)),
            failed => {
                format!("{} failed ({failed}) or {overrun} ({})", part(over, of), over - failed)
            }
        }
    }

    /// Adds what failed most where failures are among the exceedances, and where to look.
    fn blame(&self, what: String) -> Reason {
        let slow =
            "compare with a run before the change; the phases table says where the time went";
        let failed = self.ranked.failures();
        match Leading::of(&self.request.measured).filter(|_| failed > 0) {
            None => Reason { what, next: slow.to_owned() },
            Some(leading) => {
                let mostly_failed = failed * 2 >= self.ranked.exceeded().over;
                let next = if mostly_failed { leading.remedy() } else { slow.to_owned() };
                Reason { what: format!("{what}; {}", leading.words()), next }
            }
        }
    }

    /// Adds how much of it is waiting for a connection, and first of all what to do where the limit is too low.
    fn crowded(&self, reason: Reason) -> Reason {
        let Some(crowding) = &self.crowding else { return reason };
        let what = format!("{}; {}", reason.what, crowding.words());
        let next = match crowding.remedy() {
            None => reason.next,
            Some(remedy) if reason.next.is_empty() => remedy,
            Some(remedy) => format!("{remedy}; {}", reason.next),
        };
        Reason { what, next }
    }

    fn settled_by(&self, rule: Rule) -> String {
        let (seen, without_lag) = (self.ranked.exceeded(), self.ranked.without_lag());
        let settled = |allowed| rule.settled_by(seen, without_lag, allowed);
        self.budget.allowed().map(settled).unwrap_or_default()
    }
}

/// From here on the prober stood still, and was not only as late as timers are.
const STANDSTILL: Duration = Duration::from_millis(10);

/// That the prober was too late for its figures to be held against the target, as a reason.
///
/// It is late where it sends late, which its lag shows, and where it stands still while answers come in.
fn late(what: &str, would_hold: bool, measured: &StageMeasurement, prober: &Prober) -> Reason {
    let lag = measured.series.quantile(Dimension::Lag, Quantile::P99);
    let explains =
        |longest: &Duration| *longest >= STANDSTILL || lag.is_none_or(|lag| lag < *longest);
    let standstill = prober.hiccups.max().filter(explains);
    let lag = lag.map(|lag| format!("lag p99 {}", show(lag)));
    let standstill =
        standstill.map(|longest| format!("it stood still for up to {}", show(longest)));
    let ours = if standstill.is_some() { "that" } else { "its lag" };
    let seen: Vec<_> = lag.into_iter().chain(standstill).collect();
    let seen = if seen.is_empty() { String::new() } else { format!(": {}", seen.join(", ")) };
    let without =
        if would_hold { "the budget would hold" } else { "the breach would not be proven" };
    Reason {
        what: format!("{what}; but the prober was late{seen}, and without {ours} {without}"),
        next: "run it again from a machine with idle cores, or at a lower rate".to_owned(),
    }
}

#[cfg(test)]
mod tests;
