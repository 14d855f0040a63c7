//! The model of a session.

use time::OffsetDateTime;
use time::macros::format_description;

use crate::record::in_utc;
use crate::record::session::{ColdState, FigureKind, SessionEnding, SessionRecord};
use crate::report::model::ReportFact;
use crate::report::words;
use crate::units::{Ratio, format_duration};

use super::attempt::AttemptView;
use super::configuration::{ConfigurationView, DifferenceView, FigureView, ReasonedText};
use super::figure;
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
        let conclusion = record.conclusion.clone().unwrap_or_default();
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
    ) -> impl Iterator<Item = (&ConfigurationView, &FigureView)> {
        let of = move |configuration: &ConfigurationView| {
            configuration
                .figure(kind)
                .and_then(|figure| figure.difference.as_ref())
                .is_some_and(|by| kind != FigureKind::ConnectionSetup || by.difference.is_clear)
        };
        self.configurations
            .iter()
            .filter(move |configuration| of(configuration))
            .filter_map(move |configuration| Some((configuration, configuration.figure(kind)?)))
    }

    /// All differences, in the order of tables: figure by figure.
    pub(in crate::report) fn all_differences(
        &self,
    ) -> impl Iterator<Item = (FigureKind, &ConfigurationView, &DifferenceView)> {
        let of = |kind| {
            self.differences(kind).filter_map(move |(configuration, figure)| {
                Some((kind, configuration, figure.difference.as_ref()?))
            })
        };
        ORDER.into_iter().flat_map(of)
    }

    /// The heading of the differences: `Differences from A as it is (90 % intervals)`.
    pub(in crate::report) fn differences_heading(&self) -> String {
        let first = self.configurations.first().map(ConfigurationView::place).unwrap_or_default();
        let stated = self
            .all_differences()
            .next()
            .map(|(.., by)| by.difference.estimate.confidence)
            .map(|of| format!(" ({} intervals)", figure::confidence(of)))
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
        confidence(&self.configurations).map(figure::confidence)
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

/// How far a session is: `15 of 15 attempts, complete`.
pub(in crate::report) fn progress(record: &SessionRecord) -> String {
    let planned = record.plan.configurations.len() as u64 * u64::from(record.plan.rounds);
    let made = record.attempts.len();
    let made = if record.provenance.imported_from.is_some() {
        words::plural(made as u64, "attempt")
    } else {
        format!("{made} of {}", words::plural(planned, "attempt"))
    };
    format!("{made}, {}", ending(record))
}

/// How a session ended, in words.
pub(in crate::report) fn ending(record: &SessionRecord) -> String {
    match &record.ending {
        Some(SessionEnding::Complete) => "complete".to_owned(),
        Some(SessionEnding::Interrupted) => "interrupted: it can be resumed".to_owned(),
        Some(SessionEnding::Failed(why)) => {
            format!("stopped: {}", words::display(why, words::REASON))
        }
        None => "not ended: in progress, or killed; it can be resumed".to_owned(),
    }
}

fn moment(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    let at = in_utc(at);
    at.format(format).unwrap_or_else(|_| at.to_string())
}

fn subtitle(record: &SessionRecord) -> String {
    let app = record.plan.app.as_deref().unwrap_or(&record.plan.base_url);
    format!("{} · {} · {}", moment(record.provenance.started), words::name(app), progress(record))
}

fn fact(name: &'static str, value: &str) -> ReportFact {
    ReportFact { name, value: words::display(value, words::LINE) }
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
        fact("started", &moment(from.started)),
        fact("state", &progress(record)),
        fact("command", &from.command.join(" ")),
        fact("commit", from.git_commit.as_deref().unwrap_or("unknown")),
        fact("host", &format!("{} ({} {})", host.name, host.os, host.arch)),
        fact("tollgate", &from.tollgate),
    ];
    facts.extend(from.imported_from.as_ref().map(|file| fact("imported from", file)));
    let tags: Vec<_> = from.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    facts.extend((!tags.is_empty()).then(|| fact("tags", &tags.join(", "))));
    facts
}

fn method(configurations: &[ConfigurationView]) -> String {
    let stated = confidence(configurations).map_or_else(
        || "With fewer than two restarts a figure has no interval.".to_owned(),
        |of| {
            format!(
                "Intervals are over restarts: in {} of sessions they contain the true mean.",
                figure::confidence(of)
            )
        },
    );
    format!(
        "Each figure is a mean over restarts, one for each completed attempt. {stated} “Not clear” \
         does not mean that there is no difference: a small one may have been missed. A curve is \
         steady from the first change point after which no later segment differs (Barrett et al., \
         OOPSLA 2017)."
    )
}
