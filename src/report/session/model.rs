//! The model of a session.

use std::collections::BTreeSet;

use crate::record::session::{
    ColdState, FigureKind, SessionConclusion, SessionEnding, SessionRecord,
};
use crate::report::model::facts::{MINUTE, ReportFact, fact, moment, tags};
use crate::report::words;
use crate::units::{Ratio, format_duration};

use super::attempt::AttemptView;
use super::configuration::{ConfigurationView, DifferenceView, ReasonedText};
use super::inventory::InventoryRow;

/// The figures in the order of tables: what a user waits for comes first, so that a phone shows it
/// without scrolling.
const ORDER: [FigureKind; 7] = [
    FigureKind::FirstAnswer,
    FigureKind::SteadyP50,
    FigureKind::SteadyP95,
    FigureKind::RequestsToSteady,
    FigureKind::TimeToSteady,
    FigureKind::ColdCost,
    FigureKind::ConnectionSetup,
];

/// Everything that the reports of a session show.
#[derive(Debug, Clone)]
pub struct SessionModel {
    /// Its name.
    pub(in crate::report) title: String,
    /// When it started, what it probed and how many attempts were made.
    pub(in crate::report) subtitle: String,
    /// Whether every planned attempt was made.
    pub(in crate::report) is_complete: bool,
    /// The answer, in one to four sentences.
    pub(in crate::report) headline: Vec<String>,
    /// The configurations, in the order of the plan.
    pub(in crate::report) configurations: Vec<ConfigurationView>,
    /// The attempts, in the order of time.
    pub(in crate::report) attempts: Vec<AttemptView>,
    /// What to do, most important first.
    pub(in crate::report) advice: Vec<ReasonedText>,
    /// What a reader must know about the figures.
    pub(in crate::report) caveats: Vec<String>,
    /// The machines of each attempt.
    pub(in crate::report) inventory: Vec<InventoryRow>,
    /// The plan.
    pub(in crate::report) plan: Vec<ReportFact>,
    /// When, where and by which version it was executed.
    pub(in crate::report) provenance: Vec<ReportFact>,
    /// What the figures mean.
    pub(in crate::report) method: String,
}

impl SessionModel {
    /// Builds the model of a record and its conclusion.
    pub fn new(record: &SessionRecord) -> Self {
        let nothing = SessionConclusion::default();
        let conclusion = record.conclusion.as_ref().unwrap_or(&nothing);
        let sentences = |texts: &[String]| -> Vec<String> {
            texts.iter().map(|text| words::display(text, words::REASON)).collect()
        };
        let mut headline = sentences(&conclusion.headline);
        if headline.is_empty() {
            headline.push(nothing_concluded(record));
        }
        let configurations = ConfigurationView::all(record);
        Self {
            title: words::name(&record.name),
            subtitle: subtitle(record),
            is_complete: record.ending == Some(SessionEnding::Complete),
            headline,
            method: method(&configurations),
            configurations,
            attempts: AttemptView::all(record),
            advice: conclusion
                .advice
                .iter()
                .map(|advice| ReasonedText::new(&advice.what, &advice.because))
                .collect(),
            caveats: sentences(&conclusion.caveats),
            inventory: InventoryRow::all(record),
            plan: plan(record),
            provenance: provenance(record),
        }
    }

    /// The figures that at least one configuration has, in the order of tables.
    pub(in crate::report) fn kinds(&self) -> impl Iterator<Item = FigureKind> + '_ {
        ORDER.into_iter().filter(|kind| {
            self.configurations.iter().any(|configuration| configuration.figure(*kind).is_some())
        })
    }

    /// The configurations after the first with their difference in a figure, where there is one. No
    /// configuration changes the connection: only a clear difference there says something, namely
    /// that the network changed.
    pub(in crate::report) fn differences(
        &self,
        kind: FigureKind,
    ) -> impl Iterator<Item = (&ConfigurationView, &DifferenceView)> {
        let needs_clear = kind == FigureKind::ConnectionSetup;
        self.configurations
            .iter()
            .filter_map(move |it| Some((it, it.figure(kind)?.difference.as_ref()?)))
            .filter(move |(_, by)| by.difference.is_clear || !needs_clear)
    }

    /// All differences, in the order of tables: figure by figure.
    pub(in crate::report) fn all_differences(
        &self,
    ) -> impl Iterator<Item = (FigureKind, &ConfigurationView, &DifferenceView)> {
        let of =
            |kind| self.differences(kind).map(move |(configuration, by)| (kind, configuration, by));
        ORDER.into_iter().flat_map(of)
    }

    /// The heading of the differences: `Differences from A as it is (90 % intervals)`.
    pub(in crate::report) fn differences_heading(&self) -> String {
        let first = self.configurations.first().map(ConfigurationView::place).unwrap_or_default();
        let stated = self
            .all_differences()
            .next()
            .map(|(.., by)| by.difference.estimate.confidence)
            .map(|of| format!(" ({} intervals)", words::share(of)))
            .unwrap_or_default();
        format!("Differences from {first}{stated}")
    }

    /// The attempts of a configuration.
    pub(in crate::report) fn attempts_of(
        &self,
        configuration: usize,
    ) -> impl Iterator<Item = &AttemptView> {
        self.attempts.iter().filter(move |attempt| attempt.configuration == configuration)
    }

    /// The column headings of [`Self::attempt_rows`].
    pub(in crate::report) fn attempt_heads(&self) -> Vec<String> {
        const HEADS: [&str; 10] = [
            "attempt",
            "round",
            "began",
            "took",
            "machine",
            "start",
            "requests",
            "curve",
            "verdict",
            "throttled",
        ];
        HEADS.into_iter().chain(self.kinds().map(FigureKind::name)).map(str::to_owned).collect()
    }

    /// The attempts as rows of a table, in the order of time.
    pub(in crate::report) fn attempt_rows(&self) -> impl Iterator<Item = Vec<String>> + '_ {
        self.attempts.iter().map(|it| {
            let lead = [
                format!("{} {}", it.number, it.key),
                it.round.to_string(),
                it.began_words(),
                words::time(Some(it.took)),
                it.machine.clone().unwrap_or_else(|| "unknown".to_owned()),
                it.start_words(),
                it.heat_words(),
                it.curve_words().to_owned(),
                it.verdict(),
                it.throttled_words(),
            ];
            lead.into_iter().chain(self.kinds().map(|kind| it.value_words(kind))).collect()
        })
    }

    /// The attempts that did not complete, each in one line.
    pub(in crate::report) fn problems(&self) -> impl Iterator<Item = String> + '_ {
        self.attempts.iter().filter_map(|attempt| {
            let problem = attempt.problem.as_ref()?;
            Some(format!(
                "attempt {} ({}, round {}): {problem}",
                attempt.number, attempt.key, attempt.round
            ))
        })
    }

    /// The confidence of the intervals of figures, in words; `None` without one.
    pub(in crate::report) fn confidence(&self) -> Option<String> {
        confidence(&self.configurations).map(words::share)
    }
}

fn confidence(configurations: &[ConfigurationView]) -> Option<Ratio> {
    let mut figures = configurations.iter().flat_map(|configuration| &configuration.figures);
    figures.find(|figure| figure.estimate.interval.is_some()).map(|it| it.estimate.confidence)
}

fn nothing_concluded(record: &SessionRecord) -> String {
    if record.attempts.iter().all(|attempt| attempt.problem.is_some()) {
        "Nothing can be concluded yet: no attempt has completed.".to_owned()
    } else {
        "The attempts are recorded, and nothing has been concluded from them yet.".to_owned()
    }
}

/// How many attempts have a result, of how many: `15 of 18`. Nobody planned those of an imported
/// session: `6`.
pub(in crate::report) fn attempts_made(record: &SessionRecord) -> String {
    if record.provenance.imported_from.is_some() {
        return record.attempts.len().to_string();
    }
    let completed = record.attempts.iter().filter(|attempt| attempt.problem.is_none());
    // One that was made again counts once.
    let places: BTreeSet<_> = completed.map(|one| (one.round, one.configuration)).collect();
    format!("{} of {}", places.len(), record.planned_attempts())
}

/// How far a session is: `15 of 15 attempts, complete`.
fn progress(record: &SessionRecord) -> String {
    let planned = match record.provenance.imported_from {
        Some(_) => record.attempts.len() as u64,
        None => record.planned_attempts(),
    };
    let attempts = if planned == 1 { "attempt" } else { "attempts" };
    format!("{} {attempts}, {}", attempts_made(record), ending(record))
}

/// How a session ended, in words.
fn ending(record: &SessionRecord) -> String {
    match &record.ending {
        Some(SessionEnding::Complete)
            if record.attempts.iter().all(|attempt| attempt.problem.is_some()) =>
        {
            "none with a result".to_owned()
        }
        Some(SessionEnding::Complete) => "complete".to_owned(),
        Some(SessionEnding::Interrupted) => "interrupted".to_owned(),
        Some(SessionEnding::Failed(why)) => {
            format!("stopped: {}", words::display(why, words::REASON))
        }
        None => "not ended: in progress, or killed".to_owned(),
    }
}

fn subtitle(record: &SessionRecord) -> String {
    let app = record.plan.app.as_deref().unwrap_or(&record.plan.base_url);
    let started = moment(record.provenance.started, MINUTE);
    format!("{started} · {} · {}", words::name(app), progress(record))
}

fn plan(record: &SessionRecord) -> Vec<ReportFact> {
    let plan = &record.plan;
    let per_second = crate::units::Rate::per_second(plan.curve_rate)
        .map_or_else(|_| "unknown rate".to_owned(), |rate| rate.to_string());
    let cold = match plan.cold {
        ColdState::None => "none: the app is left as it is".to_owned(),
        state => state.to_string(),
    };
    let mut facts = vec![
        fact("scenario", &plan.scenario),
        fact("target", &plan.base_url),
        fact("cold state", &cold),
        fact(
            "warm-up curve",
            &format!("{per_second}, at most {}", format_duration(plan.curve_limit)),
        ),
        fact("steady stage", &plan.steady_load),
        fact("rounds", &format!("{} (order by seed {})", plan.rounds, plan.seed)),
    ];
    let budgets: Vec<_> = plan.budgets.iter().map(ToString::to_string).collect();
    facts.extend((!budgets.is_empty()).then(|| fact("budgets", &budgets.join(", "))));
    facts.splice(0..0, plan.app.as_ref().map(|app| fact("app", app)));
    facts
}

fn provenance(record: &SessionRecord) -> Vec<ReportFact> {
    let from = &record.provenance;
    let host = &from.host;
    let mut facts = vec![
        fact("session", &record.id.to_string()),
        fact("started", &moment(from.started, MINUTE)),
        fact("state", &progress(record)),
        fact("command", &from.command.join(" ")),
        fact("commit", from.git_commit.as_deref().unwrap_or("unknown")),
        fact("host", &format!("{} ({} {})", host.name, host.os, host.arch)),
        fact("tollgate", &from.tollgate),
    ];
    facts.extend(from.imported_from.as_ref().map(|file| fact("imported from", file)));
    facts.extend((!from.tags.is_empty()).then(|| fact("tags", &tags(&from.tags))));
    facts
}

fn method(configurations: &[ConfigurationView]) -> String {
    let stated = confidence(configurations).map_or_else(
        || "With fewer than two restarts a figure has no interval.".to_owned(),
        |of| {
            format!(
                "Intervals are over restarts: in {} of sessions they contain the true mean.",
                words::share(of)
            )
        },
    );
    format!(
        "Each figure is a mean over restarts, one for each completed attempt. {stated} “Not clear” \
         does not mean that there is no difference: a small one may have been missed. A curve is \
         steady from the first change point after which no later segment differs (Barrett et al., \
         OOPSLA 2017), or from the end of a gradual slope if one describes it better."
    )
}
