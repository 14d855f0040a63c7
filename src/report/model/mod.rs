//! The model: everything a report shows.

mod budget;
mod comparison;
pub(super) mod facts;
mod finding;
mod gate;
mod latency_curve;
mod once_step;
mod peer;
mod prober;
mod request;
mod server_timing;
mod sharing;
mod sparse_histogram;
mod table_shape;
mod timeline;
mod timing;

use std::borrow::{Borrow, Cow};
use std::collections::HashMap;
use std::time::Duration;

use crate::record::{
    Decision, Interval, Measurement, PlannedScenario, RunEnding, RunRecord, Verdict, VerdictReason,
};
use crate::units::Ratio;

use super::words;
pub(super) use budget::{BudgetMark, BudgetRow};
pub use comparison::comparison_line;
pub(super) use comparison::{
    COLUMNS as COMPARED_COLUMNS, ComparedRequestView, ComparedRow, ComparisonView, difference_words,
};
pub(super) use facts::ReportFact;
pub use finding::FindingSubject;
pub(super) use finding::RunFinding;
pub(super) use gate::GateView;
pub(super) use latency_curve::{LatencyCurve, tail};
pub(super) use once_step::{OnceStepState, OnceStepView};
pub(super) use prober::ProberView;
pub(super) use request::{FailureRole, FailureRow, RequestView};
pub(super) use server_timing::{NOTE as SERVER_TIMING_NOTE, ServerTimingRow};
use sparse_histogram::SparseHistogram;
pub(super) use table_shape::{TableShape, part_heads};
use timeline::TimelineBuilder;
pub(super) use timeline::{Timeline, TimelinePoint};
pub(super) use timing::{DurationQuantiles, RequestTiming, TimingRow, label, meaning};

/// Everything that a report shows about one run.
#[derive(Debug, Clone)]
pub struct ReportModel {
    /// The names of the scenarios.
    pub(super) title: String,
    /// When the run started and how long it took.
    pub(super) subtitle: String,
    /// How several probers split the run, in a sentence.
    pub(super) sharing: Option<String>,
    /// The decision on the run.
    pub(super) decision: Decision,
    /// The reason for the decision, in one line.
    pub(super) headline: String,
    /// What the gate made of the decision; `None` if it follows the decision.
    pub(super) gate: Option<GateView>,
    /// Each scenario, in the order of the command.
    pub(super) scenarios: Vec<ScenarioView>,
    /// What a reader must know before the figures, with each scenario's name.
    pub(super) caveats: Vec<ScenarioCaveat>,
    /// What keeps the run from passing and what to do about it, most serious first.
    pub(super) findings: Vec<RunFinding>,
    /// What went wrong without changing the decision.
    pub(super) warnings: Vec<RunFinding>,
    /// How well the prober kept its schedule.
    pub(super) prober: Option<ProberView>,
    /// Where the record comes from.
    pub(super) provenance: Vec<ReportFact>,
    /// How the figures were made.
    pub(super) method: String,
    /// What changed since the baseline, or between the sides of a duet.
    pub(super) comparison: Option<ComparisonView>,
}

/// Something that a reader must know before a scenario's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScenarioCaveat {
    /// The scenario's name, safe to display.
    pub(super) scenario: String,
    /// The caveat, in a sentence.
    pub(super) what: String,
}

/// What a report shows about one scenario.
#[derive(Debug, Clone)]
pub(super) struct ScenarioView {
    /// Name, safe to display.
    pub(super) name: String,
    /// The name without abbreviation, but not without limit.
    pub(super) whole_name: String,
    /// Purpose; may be empty.
    pub(super) description: String,
    /// The decision on it.
    pub(super) decision: Decision,
    /// What a reader must know before its figures; every plot shows it too.
    pub(super) caveats: Vec<String>,
    /// Target, load, warm-up, connections.
    pub(super) facts: Vec<ReportFact>,
    /// Reasons to doubt the data, and failures other than breached budgets.
    pub(super) reasons: Vec<VerdictReason>,
    /// What went wrong without changing the decision.
    pub(super) warnings: Vec<VerdictReason>,
    /// Addresses used and failed DNS lookups, in one line; `None` if one address was used and no
    /// lookup failed.
    pub(super) addresses: Option<String>,
    /// The steps of its setup and teardown, which enter no figure.
    pub(super) once: Vec<OnceStepView>,
    /// Requests in the order of the scenario file, each followed by its redirect hops.
    pub(super) requests: Vec<RequestView>,
    /// All its requests over time, without hops.
    pub(super) timeline: Timeline,
    /// Whether it had one planned arrival and no warm-up, so that no figure has a distribution.
    pub(super) is_single: bool,
}

impl ReportModel {
    /// Builds the model of a record and its intervals.
    ///
    /// Only plots over time need `intervals`; without them the rest of the report is the same.
    pub fn new(
        record: &RunRecord,
        intervals: impl IntoIterator<Item = impl Borrow<Interval>>,
    ) -> Self {
        let seconds = by_request(&record.measurement, intervals);
        let scenarios: Vec<ScenarioView> = names(record)
            .into_iter()
            .map(|name| ScenarioView::new(record, name, &seconds))
            .collect();
        let findings = finding::all(&scenarios);
        let rows = scenarios
            .iter()
            .flat_map(|scenario| &scenario.requests)
            .flat_map(|request| &request.budgets);
        let budgets: Vec<Decision> = rows.map(|row| row.decision).collect();
        let verdict = &record.verdict;
        let shared = record.measurement.sharing.as_ref();
        Self {
            title: title(&scenarios),
            subtitle: facts::subtitle(record),
            decision: verdict.decision,
            headline: headline(record, &findings, &budgets, &left_out(&scenarios)),
            gate: GateView::of(record),
            sharing: sharing::words(record),
            prober: ProberView::of(record),
            findings,
            warnings: finding::warnings(&scenarios),
            caveats: scenarios.iter().flat_map(ScenarioView::caveats).collect(),
            comparison: record.comparison.as_deref().map(ComparisonView::new),
            method: facts::method(verdict, TableShape::of(&scenarios), confidence(verdict)),
            scenarios,
            provenance: [facts::provenance(record), sharing::facts(shared)].concat(),
        }
    }

    /// Every request with failures of this role, with its scenario and those failures.
    pub(super) fn failing(
        &self,
        role: FailureRole,
    ) -> impl Iterator<Item = (&ScenarioView, &RequestView, Vec<&FailureRow>)> {
        self.requests()
            .map(move |(scenario, request)| {
                (scenario, request, request.failures_as(role).collect())
            })
            .filter(|(.., rows): &(_, _, Vec<_>)| !rows.is_empty())
    }

    /// Every request with its scenario.
    pub(super) fn requests(&self) -> impl Iterator<Item = (&ScenarioView, &RequestView)> {
        self.scenarios
            .iter()
            .flat_map(|scenario| scenario.requests.iter().map(move |request| (scenario, request)))
    }
}

impl ScenarioView {
    /// Whether it is several steps that ran once. Their outcomes matter more than where their time
    /// went.
    pub(in crate::report) fn is_list_of_checks(&self) -> bool {
        self.requests.len() > 1 && self.is_single
    }

    fn new(record: &RunRecord, name: &str, seconds: &RequestTimelines) -> Self {
        let planned = record.planned(name);
        let measured = record.measurement.scenarios.iter().find(|scenario| scenario.name == name);
        let verdict = record.verdict.scenarios.iter().find(|scenario| scenario.scenario == name);
        let of = |request: &str| seconds.get(&(name.to_owned(), request.to_owned()));
        let requests = request::all(planned, measured, verdict, |request| {
            of(request).map(TimelineBuilder::timeline).unwrap_or_default()
        });
        let hops = request::hops(planned);
        Self {
            name: words::name(name),
            whole_name: words::abbreviated(name, words::LINE),
            description: planned
                .map(|plan| words::display(&plan.description, words::LINE))
                .unwrap_or_default(),
            decision: verdict.map_or(Decision::Inconclusive, |verdict| verdict.decision),
            facts: facts::of_scenario(planned, measured),
            addresses: measured.and_then(facts::address_summary),
            reasons: verdict
                .map(|verdict| finding::display_reasons(&verdict.reasons))
                .unwrap_or_default(),
            warnings: verdict
                .map(|verdict| finding::display_reasons(&verdict.warnings))
                .unwrap_or_default(),
            caveats: planned.map(caveats).unwrap_or_default(),
            timeline: together(record, seconds, |scenario, request| {
                scenario == name && !hops.contains(&request)
            }),
            is_single: measured.is_some_and(table_shape::is_single),
            once: once_step::all(planned, measured),
            requests,
        }
    }

    fn caveats(&self) -> impl Iterator<Item = ScenarioCaveat> {
        self.caveats
            .iter()
            .map(|what| ScenarioCaveat { scenario: self.name.clone(), what: what.clone() })
    }

    /// The steps that run once, each once even if several probers ran it.
    pub(super) fn planned_once(&self) -> impl Iterator<Item = &OnceStepView> {
        let is_first = |at: usize| at == 0 || self.once[at - 1].name != self.once[at].name;
        self.once.iter().enumerate().filter(move |(at, _)| is_first(*at)).map(|(_, step)| step)
    }

    /// Its requests, without hops.
    pub(super) fn own_requests(&self) -> impl Iterator<Item = &RequestView> {
        self.requests.iter().filter(|request| request.hop.is_none())
    }

    /// A request's name qualified by its scenario: `tile-loader · mock`.
    pub(super) fn place(&self, request: &RequestView) -> String {
        format!("{} · {}", self.name, request.name)
    }

    /// The whole names if [`Self::place`] abbreviates one of them.
    pub(super) fn whole_place(&self, request: &RequestView) -> Option<String> {
        let whole = format!("{} · {}", self.whole_name, request.whole_name);
        (whole != self.place(request)).then_some(whole)
    }
}

/// A timeline builder for each scenario and request.
type RequestTimelines = HashMap<(String, String), TimelineBuilder>;

fn by_request(
    run: &Measurement,
    intervals: impl IntoIterator<Item = impl Borrow<Interval>>,
) -> RequestTimelines {
    let mut seconds = RequestTimelines::new();
    for interval in intervals {
        let interval = interval.borrow();
        let request = (interval.scenario.clone(), interval.request.clone());
        seconds.entry(request).or_insert_with(|| TimelineBuilder::new(run)).add(interval);
    }
    seconds
}

/// The `wanted` requests as one timeline.
fn together(
    record: &RunRecord,
    seconds: &RequestTimelines,
    wanted: impl Fn(&str, &str) -> bool,
) -> Timeline {
    let run = &record.measurement;
    let mut all = TimelineBuilder::new(run);
    let parts = seconds.iter().filter(|((scenario, request), _)| wanted(scenario, request));
    parts.for_each(|(_, part)| all.merge(part));
    all.timeline()
}

fn caveats(plan: &PlannedScenario) -> Vec<String> {
    plan.caveats.iter().map(|caveat| words::display(caveat, words::LINE)).collect()
}

/// What a report says first.
pub(super) struct ReportLead<'a> {
    /// Its colour and its sign.
    pub(super) decision: Decision,
    /// The word of the verdict, or `SLOWER` or `UNDECIDED` if only the comparison keeps the exit
    /// code from 0.
    pub(super) word: &'static str,
    /// Why, in one line.
    pub(super) reason: Cow<'a, str>,
}

impl ReportModel {
    /// What a report says first: the verdict, unless it is a pass and a comparison that decides the
    /// exit code does not agree.
    pub(super) fn lead(&self) -> ReportLead<'_> {
        let stopped_by = self.comparison.as_ref().filter(|compared| {
            compared.is_binding
                && self.decision == Decision::Pass
                && compared.decision != Decision::Pass
        });
        match stopped_by {
            Some(compared) => ReportLead {
                decision: compared.decision,
                word: compared.word(),
                reason: format!("{}; {}", compared.headline, self.headline).into(),
            },
            None => ReportLead {
                decision: self.decision,
                word: self.decision.word(),
                reason: (&self.headline).into(),
            },
        }
    }

    /// What keeps the run from passing, most serious first: one line each, with the decision and
    /// the next step.
    pub fn finding_lines(&self) -> impl Iterator<Item = String> {
        self.findings.iter().map(RunFinding::line_with_word)
    }

    /// What went wrong without changing the decision: one line each, with the next step.
    pub(super) fn warning_lines(&self) -> impl Iterator<Item = String> {
        self.warnings.iter().map(RunFinding::line_with_advice)
    }
}

fn headline(
    record: &RunRecord,
    findings: &[RunFinding],
    budgets: &[Decision],
    left_out: &[String],
) -> String {
    let verdict = &record.verdict;
    if let RunEnding::SetupFailed(scenario) = &record.measurement.ending {
        let of_setup = findings.iter().find(|finding| finding.place == words::name(scenario));
        let is_partial = record.measurement.has_measured();
        let what =
            if is_partial { "part of the run was not measured" } else { "nothing was measured" };
        return of_setup.map_or_else(|| what.to_owned(), RunFinding::one_line);
    }
    if verdict.decision == Decision::Inconclusive && record.measurement.ended_in_warmup() {
        return "the run ended in its warm-up, before anything to judge was measured".to_owned();
    }
    if verdict.decision == Decision::Pass && budgets.is_empty() && has_compared_failures(record) {
        return "no budgets were set; failures are compared, not judged".to_owned();
    }
    let stated = (confidence(verdict), reach(verdict));
    let headline = finding::headline(verdict.decision, findings, budgets, stated, left_out);
    let early = match &record.measurement.ending {
        // The findings of a fail say it.
        RunEnding::ProvenEarly(early) if verdict.decision == Decision::Pass => Some(early.when()),
        _ => None,
    };
    let earlier = (!verdict.continues.is_empty()).then(|| {
        let runs = words::plural(verdict.continues.len() as u64, "earlier run");
        format!("with the evidence of {runs}")
    });
    [Some(headline), earlier, early].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Whether exchanges of a duet failed.
fn has_compared_failures(record: &RunRecord) -> bool {
    let is_duet = record.plan.iter().any(|planned| planned.duet.is_some());
    let mut requests = record.measurement.scenarios.iter().flat_map(|scenario| &scenario.requests);
    is_duet && requests.any(|request| request.measured.tally.failed() > 0)
}

/// The steps that had nothing to judge, each with the reason: `old list (absent)`.
fn left_out(scenarios: &[ScenarioView]) -> Vec<String> {
    let several = scenarios.len() > 1;
    let words = |scenario: &ScenarioView, step: &RequestView| {
        let place = if several { scenario.place(step) } else { step.name.clone() };
        step.left_out.map(|word| format!("{place} ({word})"))
    };
    let of = |scenario| {
        ScenarioView::own_requests(scenario).filter_map(move |step| words(scenario, step))
    };
    scenarios.iter().flat_map(of).collect()
}

/// The confidence, if any budget was decided with one.
fn confidence(verdict: &Verdict) -> Option<Ratio> {
    let mut budgets = verdict.scenarios.iter().flat_map(|scenario| &scenario.budgets);
    budgets.any(|budget| budget.allowed.is_some()).then_some(verdict.confidence)
}

/// The longest stall up to which every budget holds that is decided by blocks of time.
fn reach(verdict: &Verdict) -> Option<Duration> {
    let budgets = verdict.scenarios.iter().flat_map(|scenario| &scenario.budgets);
    budgets.filter_map(|budget| budget.evidence.as_ref()?.reach).min()
}

/// The scenarios of a record in the order of the plan, then any that only the measurement or
/// verdict has.
fn names(record: &RunRecord) -> Vec<&str> {
    let planned = record.plan.iter().map(|scenario| scenario.name.as_str());
    let measured = record.measurement.scenarios.iter().map(|scenario| scenario.name.as_str());
    let judged = record.verdict.scenarios.iter().map(|scenario| scenario.scenario.as_str());
    let mut names = Vec::new();
    for name in planned.chain(measured).chain(judged) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn title(scenarios: &[ScenarioView]) -> String {
    let names: Vec<&str> =
        scenarios.iter().map(|scenario| scenario.name.as_str()).take(4).collect();
    match scenarios.len() - names.len() {
        0 if names.is_empty() => "no scenario".to_owned(),
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
