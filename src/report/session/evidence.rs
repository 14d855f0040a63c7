//! An attempt's entry in a markdown log.

use crate::record::session::{Attempt, FigureKind, SessionRecord};
use crate::report::evidence::{RunArtifact, artifact, bullet_list, code, moment, plain};
use crate::report::words;

use super::attempt::AttemptView;
use super::figure;
use super::model::SessionModel;

/// What an attempt's entry needs in addition to the session's record, with secrets removed.
#[derive(Debug, Clone, Default)]
pub struct AttemptEntry {
    /// The command, quoted for a shell.
    pub command: String,
    /// The files that hold the attempt.
    pub artifacts: Vec<RunArtifact>,
    /// Notes of the user.
    pub notes: Vec<String>,
}

/// Renders an attempt's entry in markdown, ending with a line break; `None` if the session has no
/// attempt of that number. Every text in it is escaped: none breaks a line, starts a heading or
/// becomes markup.
pub fn attempt_entry(record: &SessionRecord, number: u32, entry: &AttemptEntry) -> Option<String> {
    let attempt = record.attempts.iter().find(|attempt| attempt.number == number)?;
    let model = SessionModel::new(record);
    let view = model.attempts.iter().find(|view| view.number == number)?;
    let place = model.configurations.get(attempt.configuration);
    let name = place.map_or("unknown configuration", |place| place.name.as_str());
    let commit = record
        .provenance
        .git_commit
        .as_deref()
        .map_or_else(|| "unknown".to_owned(), |commit| code(commit, words::LINE));
    Some(format!(
        "## [{}] — {}, attempt {number}: {}\n\n- Command: {}\n- Artifacts:{}\n- Commit: {commit}\n\
         - Outcome: {}\n- Notes:{}\n",
        moment(attempt.started),
        plain(&model.title),
        plain(name),
        code(&entry.command, 2_000),
        bullet_list(entry.artifacts.iter().map(artifact)),
        plain(&outcome(attempt, view)),
        bullet_list(
            entry
                .notes
                .iter()
                .cloned()
                .chain(notes(record, attempt, view))
                .map(|note| { plain(&words::display(&note, words::REASON)) })
        ),
    ))
}

/// The outcome in one line: `completed: first answer 2.31 s, requests to steady 41`.
fn outcome(attempt: &Attempt, view: &AttemptView) -> String {
    let figures: Vec<String> = FigureKind::ALL
        .into_iter()
        .filter_map(|kind| {
            let value = view.values.get(&kind)?;
            Some(format!("{kind} {}", figure::value(kind, *value)))
        })
        .collect();
    let figures = figures.join(", ");
    match (&view.problem, figures.is_empty()) {
        (Some(problem), _) => format!("not completed: {problem}"),
        (None, true) => format!("completed; the curve: {}", view.curve_end),
        (None, false) => {
            let stage =
                attempt.steady.as_ref().map(|stage| format!("; steady stage {}", stage.decision));
            format!(
                "completed: {figures}; the curve: {}{}",
                view.curve_end,
                stage.unwrap_or_default()
            )
        }
    }
}

fn notes(record: &SessionRecord, attempt: &Attempt, view: &AttemptView) -> Vec<String> {
    let planned = record.plan.configurations.get(attempt.configuration);
    let stated = |name: &str, text: &str| (!text.is_empty()).then(|| format!("{name}: {text}"));
    let machine = view.machine.as_deref().unwrap_or("not known");
    let mut notes = vec![
        format!("round {}, cold state {}", attempt.round, record.plan.cold),
        format!("machine {machine}, start {}; requests: {}", view.start_words(), view.heat_words()),
    ];
    notes.extend(planned.and_then(|it| stated("hypothesis", &it.hypothesis)));
    notes.extend(planned.and_then(|it| stated("change", &it.change)));
    notes.push(match view.throttled {
        None => "CPU quota: not known".to_owned(),
        Some(_) if !view.is_throttled => "CPU quota: not throttled".to_owned(),
        Some(time) => format!("CPU quota: throttled for {}", words::time(Some(time))),
    });
    notes.extend(
        attempt.steady.as_ref().map(|stage| format!("steady stage: run {}", stage.run_name)),
    );
    notes
}
