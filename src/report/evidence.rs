//! What a log entry says of a run, in markdown: what was done, what is there to look at, and what came of it.
//!
//! The shape is that of the log that people keep by hand: time and title, command, artifacts, commit, outcome, notes.

use time::OffsetDateTime;

use crate::record::{Decision, Interval, RunRecord};

use super::markdown::escape;
use super::model::{Model, ScenarioView};
use super::words;

/// How many notes of a run's own an entry has; its report has them all.
const NOTES: usize = 20;
/// How long a command may be shown.
const COMMAND: usize = 2_000;

/// What a log entry is made of; all of it without secrets.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// When it began.
    pub at: OffsetDateTime,
    /// The command, fit for a shell.
    pub command: String,
    /// The files that it made.
    pub artifacts: Vec<Artifact>,
    /// The commit of what was probed.
    pub commit: Option<String>,
    /// The exit code that the run ended with.
    pub exit: u8,
    /// How it ended.
    pub ended: Ended<'a>,
    /// What its user has to say.
    pub notes: Vec<String>,
    /// What became of it afterwards: where it is stored, or why not.
    pub afterwards: Vec<String>,
}

/// A file that a run made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Where it is.
    pub path: String,
    /// The SHA-256 of its bytes, hexadecimal; `None` where it cannot be read.
    pub sha256: Option<String>,
}

/// How what was asked for ended.
#[derive(Debug, Clone)]
pub enum Ended<'a> {
    /// By a run that was judged.
    Judged {
        /// Its record.
        record: &'a RunRecord,
        /// What was measured of each scenario, in words.
        figures: Vec<(String, String)>,
    },
    /// By a problem that let no run come about.
    Prevented {
        /// The files and URLs that were named.
        named: Vec<String>,
        /// The problem; its first line is shown.
        problem: String,
    },
}

/// A log entry in markdown, ended by a line break. No text in it breaks a line, begins a heading or means anything but itself.
pub fn evidence(entry: &Entry<'_>) -> String {
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

/// The parts of an entry that depend on how it ended; the outcome and the scenarios' lines are escaped, the others are not.
struct EntryText {
    title: String,
    word: String,
    outcome: String,
    /// A line for each of several scenarios.
    scenarios: Vec<String>,
    notes: Vec<String>,
}

impl EntryText {
    fn of(entry: &Entry<'_>) -> Self {
        match &entry.ended {
            Ended::Judged { record, figures } => Self::of_run(record, figures, entry.exit),
            Ended::Prevented { named, problem } => Self::of_problem(named, problem, entry.exit),
        }
    }

    fn of_run(record: &RunRecord, figures: &[(String, String)], exit: u8) -> Self {
        let model = Model::new(record, std::iter::empty::<Interval>());
        let word = upper(model.decision);
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
            outcome: format!("{word} (exit {exit}): {all}{rest}"),
            scenarios: lines
                .map(|(_, scenario)| line(scenario, figures_of(at(&scenario.name))))
                .collect(),
            notes: reasons(&model),
            title: model.title,
            word,
        }
    }

    fn of_problem(named: &[String], problem: &str, exit: u8) -> Self {
        // What stands further in shows the place of the problem above it.
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
            word: "NOT CARRIED OUT".to_owned(),
            outcome: format!("could not be carried out (exit {exit}): {line}"),
            scenarios: Vec::new(),
            notes: cap_notes(heads.collect(), "were text on stderr"),
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
        upper(scenario.decision),
        budgets_held(rows),
        semicolon_suffix(figures)
    )
}

fn budgets_held(budgets: impl Iterator<Item = Decision>) -> String {
    let budgets: Vec<_> = budgets.collect();
    let held = budgets.iter().filter(|decision| **decision == Decision::Pass).count();
    match budgets.len() {
        0 => "no budget was given".to_owned(),
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

/// Why it was decided so, the gravest first, and what a reader must know before any figure.
fn reasons(model: &Model) -> Vec<String> {
    let mut reasons: Vec<String> = model.in_the_way().collect();
    if reasons.is_empty() {
        reasons.push(model.headline.clone());
    }
    let mut reasons = cap_notes(reasons, "are in report.md");
    reasons
        .extend(model.caveats.iter().map(|caveat| format!("{}: {}", caveat.scenario, caveat.what)));
    reasons.extend(model.sharing.clone());
    reasons
}

/// The first of what there is to note, and how many more are to be found elsewhere.
fn cap_notes(mut notes: Vec<String>, elsewhere: &str) -> Vec<String> {
    let more = notes.len().saturating_sub(NOTES);
    notes.truncate(NOTES);
    notes.extend((more > 0).then(|| format!("{more} more {elsewhere}")));
    notes
}

fn notes(entry: &Entry<'_>, own: Vec<String>) -> impl Iterator<Item = String> {
    let all = entry.notes.iter().cloned().chain(own).chain(entry.afterwards.iter().cloned());
    all.map(|note| plain(&words::display(&note, 2 * words::LINE)))
}

fn artifact(artifact: &Artifact) -> String {
    let digest = artifact
        .sha256
        .as_ref()
        .map_or_else(|| "cannot be read".to_owned(), |sha256| format!("sha256 `{sha256}`"));
    format!("{} {digest}", code(&artifact.path, COMMAND))
}

/// Lines below a point; `none` where there are none.
fn bullet_list(lines: impl Iterator<Item = String>) -> String {
    let lines: String = lines.map(|line| format!("\n  - {line}")).collect();
    if lines.is_empty() { " none".to_owned() } else { lines }
}

/// In UTC, to the second.
fn moment(at: OffsetDateTime) -> String {
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    at.to_offset(time::UtcOffset::UTC).format(format).unwrap_or_default()
}

fn upper(decision: Decision) -> String {
    decision.name().to_uppercase()
}

/// Text without meaning, in which `smoke_check` and `p95 < 1s` are still found: within a word `_` means nothing, and before a
/// blank `<` does not.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        match c {
            '_' if before.is_alphanumeric() && next.is_some_and(char::is_alphanumeric) => {
                plain.push(c)
            }
            '<' if next == Some(' ') => plain.push(c),
            // Names stand in grave accents, and an entry is read as it is written.
            '`' => plain.push('\''),
            _ => plain.push_str(&escape(c.encode_utf8(&mut [0; 4]))),
        }
        before = c;
    }
    plain
}

/// Text as code, as it is: the fence has one grave accent more than any row of them in it
/// (<https://spec.commonmark.org/0.31.2/#code-spans>).
fn code(text: &str, most: usize) -> String {
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

    fn entry(ended: Ended<'_>) -> Entry<'_> {
        Entry {
            at: datetime!(2026-11-25 22:40:03.7 +1),
            command: "tollgate run scenarios/chatwoot-smoke.toml --evidence feedback.md".to_owned(),
            artifacts: vec![
                Artifact {
                    path: "reports/runs/x/run.json".to_owned(),
                    sha256: Some("ab12".to_owned()),
                },
                Artifact { path: "reports/runs/x/report.html".to_owned(), sha256: None },
            ],
            commit: Some("abc123".to_owned()),
            exit: 1,
            ended,
            notes: vec!["after the *rollback*".to_owned()],
            afterwards: vec!["stored in postgres@127.0.0.1:54322/postgres".to_owned()],
        }
    }

    #[test]
    fn an_entry_says_what_was_done_what_is_there_and_what_came_of_it() {
        let (record, _) = fixture::run(&[FixtureScript::default(), live(0.2)]);
        let figures =
            record.plan.iter().map(|plan| (plan.name.clone(), format!("figures of {}", plan.name)));
        let ended = Ended::Judged { record: &record, figures: figures.collect() };
        insta::assert_snapshot!(evidence(&entry(ended)));
    }

    #[test]
    fn of_one_scenario_the_outcome_is_one_line_and_a_pass_says_why() {
        let (record, _) = fixture::run(&[FixtureScript::default()]);
        let figures = vec![(record.plan[0].name.clone(), "600 requests, none failed".to_owned())];
        let text =
            evidence(&Entry { exit: 0, ..entry(Ended::Judged { record: &record, figures }) });
        assert!(
            text.contains(
                "- Outcome: PASS (exit 0): 2 of 2 budgets hold; 600 requests, none failed\n- Notes:"
            ),
            "{text}"
        );
        assert!(text.contains("\n  - both budgets hold, at 95 % confidence\n"), "{text}");
    }

    #[test]
    fn what_could_not_be_carried_out_has_an_entry_with_all_that_was_wrong() {
        let problem = "error: smoke_check.toml:3:1: unknown key\n  3 | x\n\nsmoke_check.toml:5:1: no URL\n  5 | y\n";
        let problem = problem.to_owned();
        let ended = Ended::Prevented { named: vec!["smoke_check.toml".to_owned()], problem };
        let text =
            evidence(&Entry { exit: 2, artifacts: Vec::new(), commit: None, ..entry(ended) });
        assert!(
            text.starts_with("## [2026-11-25T21:40:03Z] — smoke_check.toml: NOT CARRIED OUT\n\n"),
            "{text}"
        );
        assert!(text.contains("- Artifacts: none\n- Commit: unknown\n"), "{text}");
        let outcome =
            "- Outcome: could not be carried out (exit 2): smoke_check.toml:3:1: unknown key\n";
        assert!(text.contains(outcome) && !text.contains("3 |"), "{text}");
        assert!(
            text.contains("\n  - smoke_check.toml:5:1: no URL\n") && !text.contains("5 |"),
            "{text}"
        );
    }

    /// Every line begins as the entry's own do, and nothing outside of code is markdown's or HTML's.
    #[test]
    fn no_text_breaks_a_line_or_means_more_than_itself() {
        for text in HOSTILE {
            let (record, _) = fixture::saying(text);
            let judged = Ended::Judged {
                record: &record,
                figures: vec![(text.to_owned(), text.to_owned())],
            };
            let prevented =
                Ended::Prevented { named: vec![text.to_owned()], problem: text.to_owned() };
            for ended in [judged, prevented] {
                let texts = || vec![text.to_owned()];
                let artifacts = vec![Artifact { path: text.to_owned(), sha256: None }];
                let (command, commit) = (text.to_owned(), Some(text.to_owned()));
                let entry = Entry {
                    command,
                    commit,
                    artifacts,
                    notes: texts(),
                    afterwards: texts(),
                    ..entry(ended)
                };
                let written = evidence(&entry);
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
    fn a_command_with_grave_accents_stays_code_and_stays_as_it_is() {
        assert_eq!(code("a b", 9), "`a b`");
        assert_eq!(code("a ``b` c", 9), "```a ``b` c```");
        assert_eq!(code("`", 9), "`` ` ``");
    }
}
