//! One request of a scenario.

use crate::record::{
    EvidenceLog, FailureEvidence, PlannedRequest, PlannedScenario, RequestMeasurement,
    ScenarioMeasurement, ScenarioVerdict, Stage,
};

use super::peer::PeerTable;
use super::server_timing::ServerTimingTable;
use super::{BudgetRow, DurationQuantiles, LatencyCurve, RequestTiming, Timeline, budget, words};

/// Maximum length of a kept row in a report, in characters.
const MAX_ROW: usize = 2_000;

/// One redirect hop of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct RequestHop {
    /// Its label below the request: `hop 1`.
    pub(in crate::report) label: String,
}

/// What a report shows about one request.
#[derive(Debug, Clone)]
pub(in crate::report) struct RequestView {
    /// Name, safe to display.
    pub(in crate::report) name: String,
    /// The name without abbreviation, but not without limit.
    pub(in crate::report) whole_name: String,
    /// Set if this is a hop of another request; hops are never judged.
    pub(in crate::report) hop: Option<RequestHop>,
    /// Method and path.
    pub(in crate::report) line: String,
    /// Headers sent, with variables in place of secrets.
    pub(in crate::report) headers: Vec<String>,
    /// What the response must satisfy.
    pub(in crate::report) expectations: Vec<String>,
    /// Other rules: retries, what may be missing, and captures.
    pub(in crate::report) terms: Vec<String>,
    /// Whether it ran at all, in the warm-up or later.
    pub(in crate::report) was_run: bool,
    /// Why there was nothing to judge: `absent`, `not configured`, `not captured`.
    pub(in crate::report) left_out: Option<&'static str>,
    /// Exchanges of the measured stage.
    pub(in crate::report) n: u64,
    /// How many of them failed or were dropped.
    pub(in crate::report) failed: u64,
    /// Latency of the ok exchanges of the measured stage.
    pub(in crate::report) latency: DurationQuantiles,
    /// Number of latencies above the histogram's range.
    pub(in crate::report) clipped: u64,
    /// Its budgets.
    pub(in crate::report) budgets: Vec<BudgetRow>,
    /// Failures and reasons not to judge, most frequent first, the measured stage before the
    /// warm-up.
    pub(in crate::report) failures: Vec<FailureRow>,
    /// Where the time went.
    pub(in crate::report) timing: RequestTiming,
    /// The target's `Server-Timing` report.
    pub(in crate::report) server_timing: ServerTimingTable,
    /// Its exchanges by remote address.
    pub(in crate::report) peers: PeerTable,
    /// Latency by percentile.
    pub(in crate::report) curve: LatencyCurve,
    /// Latency over time.
    pub(in crate::report) timeline: Timeline,
}

/// What a failure means for its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum FailureRole {
    /// The step failed.
    Failure,
    /// There was nothing to judge: absent, not configured, not captured.
    LeftOut,
    /// One try or hop failed, but the step as a whole did not.
    Try,
}

/// One way in which a request failed or was not judged.
#[derive(Debug, Clone)]
pub(in crate::report) struct FailureRow {
    /// Number of exchanges.
    pub(in crate::report) count: u64,
    /// Whether they belong to the warm-up, which is not judged.
    pub(in crate::report) in_warmup: bool,
    /// What this means for the step.
    pub(in crate::report) role: FailureRole,
    /// What happened: `redirected: 302 redirect to /auth/login, wanted status = 200`.
    pub(in crate::report) what: String,
    /// The rows of a query whose number was not the expected one.
    pub(in crate::report) rows: Vec<String>,
    /// How many rows the record does not keep: `and 234 more rows, which the record does not keep`.
    pub(in crate::report) unkept_rows: Option<String>,
}

/// The requests of a scenario in the order of its plan, then any that only the measurement has.
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
        let of = |name: &str| measurements.iter().find(|request| request.name == name);
        let measured = of(name).unwrap_or(&nothing);
        let whole = plan.and_then(|plan| of(plan.hop_of.as_deref()?));
        let failures = failures(measured, whole);
        let budgets = budget::rows(measured, plan, verdict);
        RequestView { budgets, failures, ..RequestView::new(plan, measured, timeline(name)) }
    };
    names.into_iter().map(view).filter(|request| request.hop.is_none() || request.was_run).collect()
}

/// The names of the hops of a scenario.
pub(super) fn hops(planned: Option<&PlannedScenario>) -> Vec<&str> {
    let requests = planned.map(|plan| plan.requests.as_slice()).unwrap_or_default();
    requests
        .iter()
        .filter(|request| request.hop_of.is_some())
        .map(|request| request.name.as_str())
        .collect()
}

impl RequestHop {
    fn new(plan: &PlannedRequest) -> Option<Self> {
        let of = plan.hop_of.as_deref()?;
        let label = plan
            .name
            .strip_prefix(of)
            .map_or(plan.name.as_str(), |rest| rest.trim_start_matches([',', ' ']));
        Some(Self { label: words::name(label) })
    }
}

impl RequestView {
    /// The view of a request, without budgets and failures.
    fn new(
        plan: Option<&PlannedRequest>,
        request: &RequestMeasurement,
        timeline: Timeline,
    ) -> Self {
        let lines =
            |lines: &[String]| lines.iter().map(|line| words::display(line, words::LINE)).collect();
        let curve = LatencyCurve::new(&request.measured);
        Self {
            name: words::name(&request.name),
            whole_name: words::abbreviated(&request.name, words::LINE),
            hop: plan.and_then(RequestHop::new),
            was_run: Stage::ALL.into_iter().any(|stage| request.stage(stage).tally.exchanges > 0),
            line: plan.map(|plan| words::display(&plan.line, words::LINE)).unwrap_or_default(),
            headers: plan.map(|plan| lines(&plan.headers)).unwrap_or_default(),
            expectations: plan.map(|plan| lines(&plan.expectations)).unwrap_or_default(),
            terms: plan.map(|plan| lines(&plan.terms)).unwrap_or_default(),
            left_out: budget::left_out(request),
            n: request.measured.tally.exchanges,
            failed: request.measured.tally.failed(),
            latency: curve.quantiles,
            clipped: curve.clipped,
            budgets: Vec::new(),
            failures: Vec::new(),
            timing: RequestTiming::new(request),
            server_timing: ServerTimingTable::new(request),
            peers: PeerTable::new(request),
            curve,
            timeline,
        }
    }

    /// The first column of a table row; a hop is named relative to its request.
    pub(in crate::report) fn row_name(&self, place: String) -> String {
        self.hop.as_ref().map_or(place, |hop| format!("↳ {}", hop.label))
    }

    /// Whether all its failures are failed tries or hops of a step that did not fail.
    pub(super) fn has_only_tries(&self) -> bool {
        !self.failures.is_empty() && self.failures.iter().all(|row| row.role == FailureRole::Try)
    }

    /// Its failures with this role.
    pub(in crate::report) fn failures_as(
        &self,
        role: FailureRole,
    ) -> impl Iterator<Item = &FailureRow> {
        self.failures.iter().filter(move |row| row.role == role)
    }

    /// Number and share of failed exchanges: `3 (0.38 %)`.
    pub(in crate::report) fn errors(&self) -> String {
        let share = words::share(crate::units::Ratio::of(self.failed, self.n));
        if self.failed == 0 {
            "0".to_owned()
        } else {
            format!("{} ({share})", words::count(self.failed))
        }
    }
}

/// The failures of a request; `whole` is the step that it is a hop or a try of.
fn failures(request: &RequestMeasurement, whole: Option<&RequestMeasurement>) -> Vec<FailureRow> {
    let rows = |in_warmup| {
        let log = evidence(request, in_warmup);
        let is_try = whole.is_some_and(|whole| !has_failed(&evidence(whole, in_warmup)));
        let row = |seen: &&FailureEvidence| FailureRow::new(seen, in_warmup, is_try);
        log.by_count().iter().map(row).collect::<Vec<_>>()
    };
    [rows(false), rows(true)].concat()
}

/// Evidence from the warm-up or from the measured stage.
fn evidence(request: &RequestMeasurement, in_warmup: bool) -> EvidenceLog {
    if !in_warmup {
        return request.measured.evidence.clone();
    }
    let mut log = request.cold.evidence.clone();
    log.merge(&request.warmup.evidence);
    log
}

fn has_failed(log: &EvidenceLog) -> bool {
    log.by_count().iter().any(|seen| !seen.failure.is_not_judged())
}

impl FailureRow {
    fn new(evidence: &FailureEvidence, in_warmup: bool, is_try: bool) -> Self {
        let mut what = evidence.failure.description().to_owned();
        if let Some(phase) = evidence.phase {
            what += &format!(" in {}", super::timing::label(phase));
        }
        let seen = evidence.description();
        if !seen.is_empty() {
            what += &format!(": {}", words::display(&seen, words::LINE));
        }
        let role = match evidence.failure.is_not_judged() {
            _ if is_try => FailureRole::Try,
            true => FailureRole::LeftOut,
            false => FailureRole::Failure,
        };
        let detail = evidence.detail.as_deref();
        let rows = detail.into_iter().flat_map(|detail| &detail.rows);
        let rows = rows.map(|row| words::display(row, MAX_ROW)).collect();
        let unkept = detail.map_or(0, |detail| detail.further_rows);
        let unkept_rows = (unkept > 0).then(|| {
            format!("and {}, which the record does not keep", words::plural(unkept, "more row"))
        });
        Self { count: evidence.count, in_warmup, role, what, rows, unkept_rows }
    }
}
