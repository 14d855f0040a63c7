//! One request of a scenario.

use crate::record::{
    Evidence, EvidenceLog, PlannedRequest, PlannedScenario, RequestMeasurement, ScenarioMeasurement,
    ScenarioVerdict, Stage,
};

use super::account::Account;
use super::{BudgetRow, Curve, Quantiles, Timeline, Timing, budget, words};

/// One hop of a request whose redirects are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct Hop {
    /// What it is called below its request: `hop 1`.
    pub(in crate::report) label: String,
}

/// What is shown of one request.
#[derive(Debug, Clone)]
pub(in crate::report) struct RequestView {
    /// Its name, fit to be shown.
    pub(in crate::report) name: String,
    /// What it is called below its request, where it is a hop of one; a hop is never judged.
    pub(in crate::report) hop: Option<Hop>,
    /// Method and path.
    pub(in crate::report) line: String,
    /// Headers sent, secrets as variables.
    pub(in crate::report) headers: Vec<String>,
    /// What the answer must be.
    pub(in crate::report) expectations: Vec<String>,
    /// Whether it was carried out at all, in the warm-up or later.
    pub(in crate::report) happened: bool,
    /// Whether there was never anything to judge: absent, not configured, not captured.
    pub(in crate::report) is_left_out: bool,
    /// Exchanges of the measured phase.
    pub(in crate::report) n: u64,
    /// Of these, the ones that failed or were dropped.
    pub(in crate::report) failed: u64,
    /// Latency of the ok exchanges of the measured phase.
    pub(in crate::report) latency: Quantiles,
    /// Latencies above what a histogram tells apart.
    pub(in crate::report) clipped: u64,
    /// Its budgets.
    pub(in crate::report) budgets: Vec<BudgetRow>,
    /// How it failed, most frequent first, the measured phase before the warm-up.
    pub(in crate::report) failures: Vec<FailureRow>,
    /// Where the time went.
    pub(in crate::report) timing: Timing,
    /// What the target told of its own time.
    pub(in crate::report) account: Account,
    /// Latency by percentile.
    pub(in crate::report) curve: Curve,
    /// Latency over time.
    pub(in crate::report) timeline: Timeline,
}

/// One way in which a request failed.
#[derive(Debug, Clone)]
pub(in crate::report) struct FailureRow {
    /// How many exchanges failed so.
    pub(in crate::report) count: u64,
    /// Whether they belong to the warm-up, which is not judged.
    pub(in crate::report) in_warmup: bool,
    /// Whether there was nothing to judge: absent, not configured, not captured.
    pub(in crate::report) is_left_out: bool,
    /// What happened: `redirected: 302 redirect to /auth/login, wanted status = 200`.
    pub(in crate::report) what: String,
}

/// The requests of a scenario in the order of its plan, with those that only the measurement knows.
pub(super) fn all(
    planned: Option<&PlannedScenario>,
    measured: Option<&ScenarioMeasurement>,
    verdict: Option<&ScenarioVerdict>,
    timeline: impl Fn(&str) -> Timeline,
) -> Vec<RequestView> {
    let plans = planned.map(|plan| plan.requests.as_slice()).unwrap_or_default();
    let measurements = measured.map(|scenario| scenario.requests.as_slice()).unwrap_or_default();
    let mut names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
    let unplanned = measurements.iter().map(|request| request.name.as_str());
    names.extend(unplanned.filter(|name| !plans.iter().any(|plan| plan.name == *name)));
    let view = |name: &str| {
        let plan = plans.iter().find(|plan| plan.name == name);
        let nothing = RequestMeasurement::new(name.to_owned(), Vec::new());
        let measured = measurements.iter().find(|request| request.name == name).unwrap_or(&nothing);
        RequestView::new(plan, measured, budget::rows(measured, plan, verdict), timeline(name))
    };
    names.into_iter().map(view).filter(|request| request.hop.is_none() || request.happened).collect()
}

/// The names of the hops of a scenario.
pub(super) fn hops(planned: Option<&PlannedScenario>) -> Vec<&str> {
    let requests = planned.map(|plan| plan.requests.as_slice()).unwrap_or_default();
    requests.iter().filter(|request| request.hop_of.is_some()).map(|request| request.name.as_str()).collect()
}

impl Hop {
    fn new(plan: &PlannedRequest) -> Option<Self> {
        let of = plan.hop_of.as_deref()?;
        let label =
            plan.name.strip_prefix(of).map_or(plan.name.as_str(), |rest| rest.trim_start_matches([',', ' ']));
        Some(Self { label: words::name(label) })
    }
}

impl RequestView {
    fn new(
        plan: Option<&PlannedRequest>,
        request: &RequestMeasurement,
        budgets: Vec<BudgetRow>,
        timeline: Timeline,
    ) -> Self {
        let lines = |lines: &[String]| lines.iter().map(|line| words::display(line, words::LINE)).collect();
        let curve = Curve::new(&request.measured);
        Self {
            name: words::name(&request.name),
            hop: plan.and_then(Hop::new),
            happened: Stage::ALL.into_iter().any(|stage| request.stage(stage).tally.exchanges > 0),
            line: plan.map(|plan| words::display(&plan.line, words::LINE)).unwrap_or_default(),
            headers: plan.map(|plan| lines(&plan.headers)).unwrap_or_default(),
            expectations: plan.map(|plan| lines(&plan.expectations)).unwrap_or_default(),
            is_left_out: budget::left_out(request).is_some(),
            n: request.measured.tally.exchanges,
            failed: request.measured.tally.failed(),
            latency: curve.quantiles,
            clipped: curve.clipped,
            budgets,
            failures: failures(request),
            timing: Timing::new(request),
            account: Account::new(request),
            curve,
            timeline,
        }
    }

    /// What stands in a table's first column: a hop is named below its request.
    pub(in crate::report) fn row_name(&self, place: String) -> String {
        self.hop.as_ref().map_or(place, |hop| format!("↳ {}", hop.label))
    }

    /// How many exchanges failed, and what share that is: `3 (0.38 %)`.
    pub(in crate::report) fn errors(&self) -> String {
        let share = words::share(crate::units::Ratio::of(self.failed, self.n));
        if self.failed == 0 { "0".to_owned() } else { format!("{} ({share})", words::count(self.failed)) }
    }
}

fn failures(request: &RequestMeasurement) -> Vec<FailureRow> {
    let mut warmup = EvidenceLog::default();
    warmup.merge(&request.cold.evidence);
    warmup.merge(&request.warmup.evidence);
    let rows = |log: &EvidenceLog, in_warmup| -> Vec<FailureRow> {
        log.by_count().into_iter().map(|evidence| FailureRow::new(evidence, in_warmup)).collect()
    };
    [rows(&request.measured.evidence, false), rows(&warmup, true)].concat()
}

impl FailureRow {
    fn new(evidence: &Evidence, in_warmup: bool) -> Self {
        let mut what = evidence.failure.words().to_owned();
        if let Some(phase) = evidence.phase {
            what += &format!(" in {}", super::timing::label(phase));
        }
        let seen = evidence.in_words();
        if !seen.is_empty() {
            what += &format!(": {}", words::display(&seen, words::LINE));
        }
        let is_left_out = evidence.failure.is_lapse();
        Self { count: evidence.count, in_warmup, is_left_out, what }
    }
}
