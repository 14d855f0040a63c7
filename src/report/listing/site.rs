//! The rows of a site of latency history, as JSON and CSV.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::csv::field;
use crate::history::{
    DEPLOY_TAG, PeriodChange, PeriodFigures, QuantileFigures, RequestHistory, SeriesRun,
};
use crate::record::{Decision, in_utc, micros};
use crate::report::site::{HistorySite, RequestPanel, SeriesPage, SiteLabels};

/// Version of the format, raised when a field changes its meaning.
const FORMAT: u32 = 1;

const HEAD: &str = "started,run,scenario,request,verdict,deploy,commit,exchanges,failed,ok_p50_us,ok_p95_us,\
                    ok_p99_us,ok_max_us";

/// Renders a header line, then one line per run and request of the period, newest last. Durations
/// are microseconds of the ok exchanges, empty where there are fewer exchanges than a quantile
/// needs. The deploy and the commit are empty in a partner's file unless their tags are public.
pub fn site_csv(site: &HistorySite) -> String {
    let mut text = format!("{HEAD}\r\n");
    let labels = SiteLabels::new(&site.options);
    for page in &site.pages {
        for panel in &page.panels {
            panel.history.runs.iter().for_each(|run| text += &line(page, panel, run, labels));
        }
    }
    text
}

fn line(
    page: &SeriesPage,
    panel: &RequestPanel,
    run: &SeriesRun,
    labels: SiteLabels<'_>,
) -> String {
    let row = SiteRun::of(run, labels);
    let micros = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    let latency = &row.ok_latency;
    [
        in_utc(run.started()).format(&Rfc3339).unwrap_or_default(),
        row.run.to_owned(),
        field(&page.title),
        field(&panel.name),
        row.verdict.to_string(),
        field(row.deploy.unwrap_or_default()),
        field(row.commit.unwrap_or_default()),
        row.exchanges.to_string(),
        row.failed.to_string(),
        micros(latency.p50_us),
        micros(latency.p95_us),
        micros(latency.p99_us),
        micros(latency.max_us),
    ]
    .join(",")
        + "\r\n"
}

/// Renders the figures of a site as pretty-printed JSON: each scenario and request with the period,
/// the period before, budgets, changes, weeks and runs. `docs/history.md` describes each field.
///
/// Fails only if serialization fails, which would be a bug.
pub fn site_json(site: &HistorySite) -> Result<String, serde_json::Error> {
    let scope = &site.options.scope;
    let labels = SiteLabels::new(&site.options);
    serde_json::to_string_pretty(&SiteDocument {
        format: FORMAT,
        since: scope.since,
        until: scope.until,
        zone: scope.zone.name(),
        scenarios: site.pages.iter().map(|page| SiteScenario::of(page, labels)).collect(),
    })
}

#[derive(Serialize)]
struct SiteDocument<'a> {
    format: u32,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    zone: &'a str,
    scenarios: Vec<SiteScenario<'a>>,
}

#[derive(Serialize)]
struct SiteScenario<'a> {
    scenario: &'a str,
    passed: u64,
    failed: u64,
    inconclusive: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    caveats: Vec<&'a str>,
    requests: Vec<SiteRequest<'a>>,
}

#[derive(Serialize)]
struct SiteRequest<'a> {
    request: &'a str,
    period: SitePeriod,
    before: SitePeriod,
    budgets: Vec<SiteBudget>,
    changes: Vec<SiteChange>,
    change_points: Vec<SiteChangePoint>,
    weeks: Vec<SiteWeek>,
    runs: Vec<SiteRun<'a>>,
}

/// Figures of the ok exchanges in microseconds; `null` with fewer exchanges than they need.
#[derive(Serialize)]
struct SiteFigures {
    count: u64,
    p50_us: Option<u64>,
    p95_us: Option<u64>,
    p99_us: Option<u64>,
    max_us: Option<u64>,
}

#[derive(Serialize)]
struct SitePeriod {
    runs: u64,
    exchanges: u64,
    failed: u64,
    ok_latency: SiteFigures,
}

#[derive(Serialize)]
struct SiteBudget {
    budget: String,
    ceiling_us: Option<u64>,
    is_current: bool,
    passed: u64,
    failed: u64,
    inconclusive: u64,
    judged: u64,
    exceeded: u64,
    error_budget_left: Option<f64>,
}

#[derive(Serialize)]
struct SiteChange {
    quantile: String,
    before_us: u64,
    after_us: u64,
    ratio: f64,
    interval: Option<(f64, f64)>,
}

#[derive(Serialize)]
struct SiteChangePoint {
    #[serde(with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
    dimension: &'static str,
    ratio: f64,
    interval: (f64, f64),
    is_confirmed: bool,
    explained_by: Option<&'static str>,
    cause: Option<String>,
}

#[derive(Serialize)]
struct SiteWeek {
    monday: String,
    runs: u64,
    failed: u64,
    ok_latency: SiteFigures,
}

#[derive(Serialize)]
struct SiteRun<'a> {
    run: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    started: OffsetDateTime,
    verdict: Decision,
    deploy: Option<&'a str>,
    commit: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<&'a str, &'a str>,
    exchanges: u64,
    failed: u64,
    ok_latency: SiteFigures,
}

impl<'a> SiteScenario<'a> {
    fn of(page: &'a SeriesPage, labels: SiteLabels<'a>) -> Self {
        Self {
            scenario: &page.title,
            passed: page.verdicts.passed,
            failed: page.verdicts.failed,
            inconclusive: page.verdicts.inconclusive,
            caveats: page.caveats.texts(),
            requests: page.panels.iter().map(|panel| SiteRequest::of(panel, labels)).collect(),
        }
    }
}

impl<'a> SiteRequest<'a> {
    fn of(panel: &'a RequestPanel, labels: SiteLabels<'a>) -> Self {
        let history = &panel.history;
        Self {
            request: &panel.name,
            period: SitePeriod::of(&history.period),
            before: SitePeriod::of(&history.previous),
            budgets: history.period.budgets.iter().map(SiteBudget::of).collect(),
            changes: history.changes.iter().map(SiteChange::of).collect(),
            change_points: change_points(history, labels),
            weeks: history.weeks.iter().map(SiteWeek::of).collect(),
            runs: history.runs.iter().map(|run| SiteRun::of(run, labels)).collect(),
        }
    }
}

fn change_points(history: &RequestHistory, labels: SiteLabels<'_>) -> Vec<SiteChangePoint> {
    let point = |mark: &crate::history::ChangeMark| SiteChangePoint {
        at: history.runs.get(mark.run).map(SeriesRun::started),
        dimension: mark.dimension.name(),
        ratio: mark.ratio,
        interval: mark.interval,
        is_confirmed: mark.is_confirmed,
        explained_by: mark.explained_by.map(crate::record::Dimension::name),
        cause: labels.cause(&history.runs, mark.run).map(|cause| cause.words()),
    };
    history.change_points.iter().map(point).collect()
}

impl SiteFigures {
    fn of(figures: &QuantileFigures) -> Self {
        let QuantileFigures { count, p50, p95, p99, max, .. } = *figures;
        let [p50_us, p95_us, p99_us, max_us] = [p50, p95, p99, max].map(|it| it.map(micros::whole));
        Self { count, p50_us, p95_us, p99_us, max_us }
    }
}

impl SitePeriod {
    fn of(period: &PeriodFigures) -> Self {
        Self {
            runs: period.attainment.runs(),
            exchanges: period.exchanges,
            failed: period.failed(),
            ok_latency: SiteFigures::of(&period.figures()),
        }
    }
}

impl SiteBudget {
    fn of(of: &crate::history::BudgetPeriod) -> Self {
        Self {
            budget: of.budget.to_string(),
            ceiling_us: of.ceiling.map(micros::whole),
            is_current: of.is_current,
            passed: of.attainment.passed,
            failed: of.attainment.failed,
            inconclusive: of.attainment.inconclusive,
            judged: of.judged,
            exceeded: of.exceeded,
            error_budget_left: of.left(),
        }
    }
}

impl SiteChange {
    fn of(change: &PeriodChange) -> Self {
        Self {
            quantile: change.quantile.to_string(),
            before_us: micros::whole(change.before),
            after_us: micros::whole(change.after),
            ratio: change.ratio(),
            interval: change.interval,
        }
    }
}

impl SiteWeek {
    fn of(week: &crate::history::WeekSum) -> Self {
        Self {
            monday: week.monday.to_string(),
            runs: week.runs,
            failed: week.failed,
            ok_latency: SiteFigures::of(&week.latency),
        }
    }
}

impl<'a> SiteRun<'a> {
    fn of(run: &'a SeriesRun, labels: SiteLabels<'a>) -> Self {
        let tags = run.run.tags.iter().filter(|(key, _)| labels.options.shows_tag(key));
        Self {
            run: &run.run.name,
            started: run.started(),
            verdict: run.decision,
            deploy: labels.public_value(run, DEPLOY_TAG),
            commit: labels.public_value(run, "commit"),
            tags: tags.map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            exchanges: run.exchanges,
            failed: run.failed(),
            ok_latency: SiteFigures::of(&QuantileFigures::of_encoded(&run.latency)),
        }
    }
}
