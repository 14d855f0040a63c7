//! Findings as GitHub's workflow commands, which annotate a job and the lines of a pull request.
//!
//! The format and its escapes are those of `@actions/core`
//! (<https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts>).

use std::fmt;

use crate::record::Decision;

use super::ci::CiContext;
use super::model::{FindingSubject, ReportModel, RunFinding};
use super::words;

/// Maximum number of errors, and of warnings, that GitHub shows for one step of a job
/// (<https://docs.github.com/en/actions/reference/limits>).
const MOST: usize = 10;

/// One annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunAnnotation {
    severity: AnnotationSeverity,
    title: String,
    message: String,
    /// What it is about; `None` for the run as a whole.
    pub subject: Option<FindingSubject>,
}

/// How GitHub shows an annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnnotationSeverity {
    Error,
    Warning,
}

/// Where an annotation belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLine {
    /// The file, relative to the root of the repository.
    pub file: String,
    /// The line, from 1; `None` for the whole file.
    pub line: Option<usize>,
}

/// The annotations of a run: an error for each finding that blocks the deploy, and a warning for
/// everything else. Those above GitHub's limit are counted in the last one.
pub fn annotations(model: &ReportModel, ci: &CiContext) -> Vec<RunAnnotation> {
    let of_findings =
        if ci.is_blocking() { AnnotationSeverity::Error } else { AnnotationSeverity::Warning };
    let findings = model.findings.iter().map(|finding| {
        let word = finding.decision.word();
        RunAnnotation::new(of_findings, word, finding)
    });
    let warnings = model
        .warnings
        .iter()
        .map(|warning| RunAnnotation::new(AnnotationSeverity::Warning, "WARNING", warning));
    // The gate may stop a run in which nothing failed.
    let gate = model.gate.iter().map(|gate| RunAnnotation {
        severity: of_findings,
        title: format!("GATE {}", gate.verb),
        message: gate.reason.clone(),
        subject: None,
    });
    let comparison = model.comparison.iter().filter_map(|compared| {
        let severity = match compared.decision {
            Decision::Pass => return None,
            _ if compared.is_binding => of_findings,
            _ => AnnotationSeverity::Warning,
        };
        let title = format!("{} {}", compared.word(), compared.title);
        Some(RunAnnotation { severity, title, message: compared.headline.clone(), subject: None })
    });
    let (errors, warnings): (Vec<_>, Vec<_>) = gate
        .chain(comparison)
        .chain(findings)
        .chain(warnings)
        .partition(|annotation| annotation.severity == AnnotationSeverity::Error);
    [limited(errors), limited(warnings)].concat()
}

/// The first annotations. If there are more than GitHub shows, the last one counts the others.
fn limited(mut annotations: Vec<RunAnnotation>) -> Vec<RunAnnotation> {
    let Some(others) = annotations.len().checked_sub(MOST).filter(|more| *more > 0) else {
        return annotations;
    };
    annotations.truncate(MOST);
    if let Some(last) = annotations.last_mut() {
        last.title = format!("tollgate: {} more", others + 1);
        last.message =
            format!("GitHub shows {MOST} annotations of a kind; the step summary has all of them");
        last.subject = None;
    }
    annotations
}

impl RunAnnotation {
    fn new(severity: AnnotationSeverity, word: &str, finding: &RunFinding) -> Self {
        Self {
            severity,
            title: format!("{word} {}", finding.place),
            message: finding.what.clone() + &words::advice("\n→ ", &finding.next),
            subject: Some(finding.subject.clone()),
        }
    }

    /// The workflow command, on one line without its end.
    pub fn command(&self, place: Option<&SourceLine>) -> String {
        let mut properties = Vec::new();
        if let Some(place) = place {
            properties.push(format!("file={}", Property(&place.file)));
            properties.extend(place.line.map(|line| format!("line={line}")));
        }
        properties.push(format!("title={}", Property(&self.title)));
        let name = match self.severity {
            AnnotationSeverity::Error => "error",
            AnnotationSeverity::Warning => "warning",
        };
        format!("::{name} {}::{}", properties.join(","), Message(&self.message))
    }
}

/// The text of a command, in which `%` and line ends are escaped.
struct Message<'a>(&'a str);

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A"))
    }
}

/// A property of a command, in which `:` and `,` are escaped too.
struct Property<'a>(&'a str);

impl fmt::Display for Property<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Message(self.0).to_string();
        f.write_str(&text.replace(':', "%3A").replace(',', "%2C"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::GateDecision;
    use crate::report::fixture::{self, FixtureScript, live};

    fn blocking() -> CiContext {
        CiContext { gate: Decision::Fail, folder: "runs/a".to_owned() }
    }

    fn failing(budgets: &[&'static str]) -> ReportModel {
        let script = FixtureScript { budgets: budgets.to_vec(), ..live(0.2) };
        let (record, intervals) = fixture::run(&[FixtureScript::default(), script]);
        ReportModel::new(&record, &intervals)
    }

    #[test]
    fn a_finding_is_an_error_at_the_line_of_its_budget() {
        let annotations = annotations(&failing(&["p95 < 300ms"]), &blocking());
        let first = &annotations[0];
        let budget = first.subject.as_ref().unwrap().budget.clone().unwrap();
        assert_eq!(budget, ("live".to_owned(), "p95 < 300ms".to_owned()));
        let place = SourceLine { file: "load/shop,1.toml".to_owned(), line: Some(7) };
        let command = first.command(Some(&place));
        let start = "::error file=load/shop%2C1.toml,line=7,title=FAIL tile-loader-live · live · \
                     p95 < 300ms::";
        assert!(command.starts_with(start), "{command}");
        assert!(!command.contains('\n'));
    }

    #[test]
    fn what_does_not_block_is_a_warning() {
        let passing = CiContext { gate: Decision::Pass, ..blocking() };
        let annotations = annotations(&failing(&["p95 < 300ms"]), &passing);
        assert!(!annotations.is_empty());
        for annotation in annotations {
            assert!(annotation.command(None).starts_with("::warning title="));
        }
    }

    #[test]
    fn a_gate_that_stops_a_passing_run_is_an_error() {
        let (mut record, intervals) = fixture::run(&[FixtureScript::default()]);
        let reason = "no history to read: fail_after = 2".to_owned();
        record.gate = Some(GateDecision { decision: Decision::Fail, reason });
        let annotations = annotations(&ReportModel::new(&record, &intervals), &blocking());
        let commands: Vec<_> = annotations.iter().map(|one| one.command(None)).collect();
        assert_eq!(commands, ["::error title=GATE fails::no history to read: fail_after = 2"]);
    }

    #[test]
    fn characters_that_end_a_command_or_a_property_are_escaped() {
        let annotation = RunAnnotation {
            severity: AnnotationSeverity::Error,
            title: "a: b, 50 %\n::error::c".to_owned(),
            message: "5 %: a, b\r\n::warning::d".to_owned(),
            subject: None,
        };
        assert_eq!(
            annotation.command(None),
            "::error title=a%3A b%2C 50 %25%0A%3A%3Aerror%3A%3Ac::5 %25: a, b%0D%0A::warning::d"
        );
    }

    #[test]
    fn more_annotations_than_github_shows_are_counted_in_the_last_one() {
        let budgets = [
            "p50 < 1ms",
            "p50 < 2ms",
            "p50 < 3ms",
            "p50 < 4ms",
            "p50 < 5ms",
            "p50 < 6ms",
            "p50 < 7ms",
            "p50 < 8ms",
            "p50 < 9ms",
            "p50 < 10ms",
            "p50 < 11ms",
            "p50 < 12ms",
        ];
        let annotations = annotations(&failing(&budgets), &blocking());
        assert_eq!(annotations.len(), MOST);
        assert!(annotations[MOST - 1].command(None).contains("title=tollgate%3A 3 more::"));
    }
}
