//! A run's entry in a markdown log: command, artifacts, commit, outcome and notes.
//!
//! The format matches the log that operators keep manually.

use time::OffsetDateTime;

use crate::record::{Decision, Interval, RunRecord, in_utc};

use super::markdown::escape;
use super::model::{GateView, ReportModel, ScenarioView};
use super::words;

/// Maximum number of the run's own notes in an entry; the report lists all of them.
const NOTES: usize = 20;
/// Maximum number of characters of a command in an entry.
const COMMAND: usize = 2_000;

/// The contents of a log entry, with secrets already removed.
#[derive(Debug, Clone)]
pub struct EvidenceEntry<'a> {
    /// When the command started.
    pub at: OffsetDateTime,
    /// The command, quoted for a shell.
    pub command: String,
    /// The files that the run wrote.
    pub artifacts: Vec<RunArtifact>,
    /// The commit that was probed.
    pub commit: Option<String>,
    /// The exit code that the run ended with.
    pub exit: u8,
    /// How the command ended.
    pub outcome: EntryOutcome<'a>,
    /// Notes from the user.
    pub notes: Vec<String>,
    /// What happened after the run: where it is stored, or why it is not.
    pub follow_up: Vec<String>,
}

/// A file that a run wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunArtifact {
    /// Path of the file.
    pub path: String,
    /// Hexadecimal SHA-256 of its bytes; `None` if the file cannot be read.
    pub sha256: Option<String>,
}

/// How a command ended.
#[derive(Debug, Clone)]
pub enum EntryOutcome<'a> {
    /// A run finished and was judged.
    Run {
        /// Its record.
        record: &'a RunRecord,
        /// Each scenario's name with its figures in words.
        figures: Vec<(String, String)>,
    },
    /// A problem prevented the run.
    Problem {
        /// The files and URLs named on the command line.
        named: Vec<String>,
        /// The error text; indented lines are not shown.
        problem: String,
    },
}

/// Renders a log entry in markdown, ending with a line break. Every text in it is escaped: none
/// breaks a line, starts a heading or becomes markup.
pub fn evidence_entry(entry: &EvidenceEntry<'_>) -> String {
    let text = EntryText::of(entry);
    let commit = entry
        .commit
        .as_deref()
        .map_or_else(|| "unknown".to_owned(), |commit| code(commit, words::LINE));
    format!(
        "## [{}] — {}: {}\n\n- Command: {}\n- Artifacts:{}\n- Commit: {commit}\n- Outcome: {}\n{}- Notes:{}\n",
        moment(entry.at),
        plain(&text.title),
        text.word,
        code(&entry.command, COMMAND),
        bullet_list(entry.artifacts.iter().map(artifact)),
        text.outcome,
        text.scenarios.iter().map(|line| format!("  - {line}\n")).collect::<String>(),
        bullet_list(notes(entry, text.notes)),
    )
}

/// The parts of an entry that depend on how the command ended. Only the outcome and the scenarios'
/// lines are escaped already.
struct EntryText {
    title: String,
    word: &'static str,
    outcome: String,
    /// One line per scenario; empty for a single scenario.
    scenarios: Vec<String>,
    notes: Vec<String>,
}

impl EntryText {
    fn of(entry: &EvidenceEntry<'_>) -> Self {
        match &entry.outcome {
            EntryOutcome::Run { record, figures } => Self::of_run(record, figures, entry),
            EntryOutcome::Problem { named, problem } => {
                Self::of_problem(named, problem, entry.exit)
            }
        }
    }

    fn of_run(record: &RunRecord, figures: &[(String, String)], entry: &EvidenceEntry<'_>) -> Self {
        let model = ReportModel::new(record, std::iter::empty::<Interval>());
        let word = model.decision.word();
        let figures_of =
            |at: usize| figures.get(at).map(|(_, figures)| figures.as_str()).unwrap_or_default();
        let all = budgets_held(
            model.requests().flat_map(|(_, request)| &request.budgets).map(|row| row.decision),
        );
        let several = model.scenarios.len() > 1;
        let rest = if several { String::new() } else { semicolon_suffix(figures_of(0)) };
        let lines = model.scenarios.iter().enumerate().filter(|_| several);
        let at = |name: &str| {
            figures.iter().position(|(of, _)| words::name(of) == name).unwrap_or(usize::MAX)
        };
        Self {
            outcome: format!("{word} (exit {}): {all}{rest}", entry.exit),
            scenarios: lines
                .map(|(_, scenario)| line(scenario, figures_of(at(&scenario.name))))
                .collect(),
            notes: reasons(&model, fullest_report(&entry.artifacts)),
            title: model.title,
            word,
        }
    }

    fn of_problem(named: &[String], problem: &str, exit: u8) -> Self {
        // Indented lines only quote the source of the problem above them.
        let heads = problem
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with(char::is_whitespace));
        let mut heads = heads
            .map(|line| plain(&words::display(line.trim_start_matches("error: "), words::LINE)));
        let line = heads.next().unwrap_or_default();
        let first =
            named.iter().take(4).map(|name| words::display(name, words::NAME)).collect::<Vec<_>>();
        let more = named.len() - first.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Self {
            title: format!("{}{more}", first.join(", ")),
            word: "NOT RUN",
            outcome: format!("could not run (exit {exit}): {line}"),
            scenarios: Vec::new(),
            notes: cap_notes(heads.collect(), "are on stderr"),
        }
    }
}

/// A scenario's line: `tile-loader: PASS: 2 of 2 budgets hold; 600 requests, none failed`.
fn line(scenario: &ScenarioView, figures: &str) -> String {
    let rows =
        scenario.requests.iter().flat_map(|request| &request.budgets).map(|row| row.decision);
    format!(
        "{}: {}: {}{}",
        plain(&scenario.name),
        scenario.decision.word(),
        budgets_held(rows),
        semicolon_suffix(figures)
    )
}

fn budgets_held(budgets: impl Iterator<Item = Decision>) -> String {
    let budgets: Vec<_> = budgets.collect();
    let held = budgets.iter().filter(|decision| **decision == Decision::Pass).count();
    match budgets.len() {
        0 => "no budgets were set".to_owned(),
        1 => format!("{held} of 1 budget holds"),
        all => format!("{held} of {all} budgets hold"),
    }
}

fn semicolon_suffix(figures: &str) -> String {
    if figures.is_empty() {
        String::new()
    } else {
        format!("; {}", plain(&words::display(figures, words::LINE)))
    }
}

/// The file that has what an entry leaves out: the report as text, else the page, else the record.
fn fullest_report(artifacts: &[RunArtifact]) -> &'static str {
    let has = |name: &&str| artifacts.iter().any(|artifact| artifact.path.ends_with(*name));
    ["report.md", "report.html"].into_iter().find(has).unwrap_or("run.json")
}

/// Reasons for the decision, most serious first, then the caveats. The file `elsewhere` has all.
fn reasons(model: &ReportModel, elsewhere: &str) -> Vec<String> {
    let mut reasons: Vec<String> = model.finding_lines().collect();
    if reasons.is_empty() {
        reasons.push(model.headline.clone());
    }
    reasons.extend(model.gate.as_ref().map(GateView::line));
    reasons.extend(model.warning_lines());
    let mut reasons = cap_notes(reasons, &format!("are in {elsewhere}"));
    reasons
        .extend(model.caveats.iter().map(|caveat| format!("{}: {}", caveat.scenario, caveat.what)));
    reasons.extend(model.sharing.clone());
    reasons
}

/// Keeps the first notes and adds how many more there are `elsewhere`.
fn cap_notes(mut notes: Vec<String>, elsewhere: &str) -> Vec<String> {
    let more = notes.len().saturating_sub(NOTES);
    notes.truncate(NOTES);
    notes.extend((more > 0).then(|| format!("{more} more {elsewhere}")));
    notes
}

fn notes(entry: &EvidenceEntry<'_>, own: Vec<String>) -> impl Iterator<Item = String> {
    let all = entry.notes.iter().cloned().chain(own).chain(entry.follow_up.iter().cloned());
    all.map(|note| plain(&words::display(&note, 2 * words::LINE)))
}

pub(super) fn artifact(artifact: &RunArtifact) -> String {
    let digest = artifact
        .sha256
        .as_ref()
        .map_or_else(|| "cannot be read".to_owned(), |sha256| format!("sha256 `{sha256}`"));
    format!("{} {digest}", code(&artifact.path, COMMAND))
}

/// A nested list, or `none`.
pub(super) fn bullet_list(lines: impl Iterator<Item = String>) -> String {
    let lines: String = lines.map(|line| format!("\n  - {line}")).collect();
    if lines.is_empty() { " none".to_owned() } else { lines }
}

/// A time in UTC, to the second.
pub(super) fn moment(at: OffsetDateTime) -> String {
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    in_utc(at).format(format).unwrap_or_default()
}

/// Escapes text but keeps `smoke_check` and `p95 < 1s` searchable: `_` inside a word and `<` before
/// a space have no meaning in markdown.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        match c {
            '_' if before.is_alphanumeric() && next.is_some_and(char::is_alphanumeric) => {
                plain.push(c);
            }
            '<' if next == Some(' ') => plain.push(c),
            // Entries are read as plain text, where backticks around names only distract.
            '`' => plain.push('\''),
            _ => plain.push_str(&escape(c.encode_utf8(&mut [0; 4]))),
        }
        before = c;
    }
    plain
}

/// Text as an unchanged code span: the fence is one backtick longer than any run of backticks
/// inside (<https://spec.commonmark.org/0.31.2/#code-spans>).
pub(super) fn code(text: &str, most: usize) -> String {
    let text = words::display(text, most);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let room = if text.is_empty() || text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) {
        " "
    } else {
        ""
    };
    format!("{fence}{room}{text}{room}{fence}")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::super::fixture::{self, FixtureScript, HOSTILE, live};
    use super::*;

    fn entry(ended: EntryOutcome<'_>) -> EvidenceEntry<'_> {
        EvidenceEntry {
            at: datetime!(2026-11-25 22:40:03.7 +1),
            command: "tollgate run scenarios/chatwoot-smoke.toml --evidence feedback.md".to_owned(),
            artifacts: vec![
                RunArtifact {
                    path: "reports/runs/x/run.json".to_owned(),
                    sha256: Some("ab12".to_owned()),
                },
                RunArtifact { path: "reports/runs/x/report.html".to_owned(), sha256: None },
            ],
            commit: Some("abc123".to_owned()),
            exit: 1,
            outcome: ended,
            notes: vec!["after the *rollback*".to_owned()],
            follow_up: vec!["stored in postgres@127.0.0.1:54322/postgres".to_owned()],
        }
    }

    #[test]
    fn an_entry_has_the_command_the_artifacts_and_the_outcome() {
        let (record, _) = fixture::run(&[FixtureScript::default(), live(0.2)]);
        let figures =
            record.plan.iter().map(|plan| (plan.name.clone(), format!("figures of {}", plan.name)));
        let ended = EntryOutcome::Run { record: &record, figures: figures.collect() };
        insta::assert_snapshot!(evidence_entry(&entry(ended)));
    }

    #[test]
    fn a_single_scenario_has_a_one_line_outcome_and_a_pass_has_its_reason() {
        let (record, _) = fixture::run(&[FixtureScript::default()]);
        let figures = vec![(record.plan[0].name.clone(), "600 requests, none failed".to_owned())];
        let text = evidence_entry(&EvidenceEntry {
            exit: 0,
            ..entry(EntryOutcome::Run { record: &record, figures })
        });
        assert!(
            text.contains(
                "- Outcome: PASS (exit 0): 2 of 2 budgets hold; 600 requests, none failed\n- Notes:"
            ),
            "{text}"
        );
        assert!(text.contains("\n  - both budgets hold, at 95 % confidence\n"), "{text}");
    }

    #[test]
    fn a_command_that_could_not_run_has_an_entry_with_every_problem() {
        let problem = "error: smoke_check.toml:3:1: unknown key\n  3 | x\n\nsmoke_check.toml:5:1: no URL\n  5 | y\n";
        let problem = problem.to_owned();
        let ended = EntryOutcome::Problem { named: vec!["smoke_check.toml".to_owned()], problem };
        let text = evidence_entry(&EvidenceEntry {
            exit: 2,
            artifacts: Vec::new(),
            commit: None,
            ..entry(ended)
        });
        assert!(
            text.starts_with("## [2026-11-25T21:40:03Z] — smoke_check.toml: NOT RUN\n\n"),
            "{text}"
        );
        assert!(text.contains("- Artifacts: none\n- Commit: unknown\n"), "{text}");
        let outcome = "- Outcome: could not run (exit 2): smoke_check.toml:3:1: unknown key\n";
        assert!(text.contains(outcome) && !text.contains("3 |"), "{text}");
        assert!(
            text.contains("\n  - smoke_check.toml:5:1: no URL\n") && !text.contains("5 |"),
            "{text}"
        );
    }

    /// Every line has a prefix of the entry format, and no markup appears outside code.
    #[test]
    fn no_text_breaks_a_line_or_becomes_markup() {
        for text in HOSTILE {
            let (record, _) = fixture::saying(text);
            let judged = EntryOutcome::Run {
                record: &record,
                figures: vec![(text.to_owned(), text.to_owned())],
            };
            let prevented =
                EntryOutcome::Problem { named: vec![text.to_owned()], problem: text.to_owned() };
            for ended in [judged, prevented] {
                let texts = || vec![text.to_owned()];
                let artifacts = vec![RunArtifact { path: text.to_owned(), sha256: None }];
                let (command, commit) = (text.to_owned(), Some(text.to_owned()));
                let entry = EvidenceEntry {
                    command,
                    commit,
                    artifacts,
                    notes: texts(),
                    follow_up: texts(),
                    ..entry(ended)
                };
                let written = evidence_entry(&entry);
                for (at, line) in written.lines().enumerate() {
                    let own = line.starts_with("- ") || line.starts_with("  - ") || at < 2;
                    assert!(own && !line.contains(char::is_control), "{line:?}");
                    let is_code = line.starts_with("- Command")
                        || line.starts_with("- Commit")
                        || line.ends_with("cannot be read");
                    assert!(
                        is_code || !line.replace("< ", "").contains(['<', '>', '`']),
                        "{line:?}"
                    );
                }
                assert_eq!(written.matches("## [").count(), 1, "{written}");
            }
        }
    }

    #[test]
    fn a_command_with_backticks_stays_an_unchanged_code_span() {
        assert_eq!(code("a b", 9), "`a b`");
        assert_eq!(code("a ``b` c", 9), "```a ``b` c```");
        assert_eq!(code("`", 9), "`` ` ``");
    }
}
