//! The report shortened for a page of a code host: a step summary, or a comment.
//!
//! It has no pictures: these hosts show only pictures with a public URL.

use super::{FailureRole, ReportModel, checks, escape, facts, failures, lead, prober, timing};
use crate::report::ci::CiContext;

/// Maximum number of bytes of a step's summary on GitHub
/// (<https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>).
pub const STEP_SUMMARY_LIMIT: usize = 1 << 20;

/// Maximum number of bytes of a comment that every code host accepts. GitHub's limit is 65,536
/// characters.
pub const COMMENT_LIMIT: usize = 60_000;

/// What stands in place of parts that do not fit.
const CUT: &str = "\n_Shortened: the report has the rest._\n";

/// Renders the report as markdown of at most `limit` bytes, without pictures and plans.
///
/// Parts that do not fit are left out from the end; the verdict comes first.
pub fn short_markdown(model: &ReportModel, ci: &CiContext, limit: usize) -> String {
    let mut parts = lead(model);
    parts.extend([
        failures(model, FailureRole::Failure, "Failures"),
        failures(model, FailureRole::LeftOut, "Not judged"),
        folded("Where the time goes", &timings(model)),
        folded("Prober and provenance", &origin(model)),
    ]);
    parts.retain(|part| !part.is_empty());
    fit(&parts, &footer(model, ci), limit)
}

/// A part that a reader has to open.
fn folded(heading: &str, part: &str) -> String {
    if part.is_empty() {
        return String::new();
    }
    format!("<details><summary>{heading}</summary>\n\n{part}\n</details>\n")
}

fn timings(model: &ReportModel) -> String {
    let of_requests = model.requests().map(|(scenario, request)| timing(scenario, request));
    let mut parts: Vec<_> = [checks::timing(model)].into_iter().chain(of_requests).collect();
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn origin(model: &ReportModel) -> String {
    let prober = model.prober.as_ref().map(prober).unwrap_or_default();
    format!("{prober}\n### Provenance\n\n{}", facts(&model.provenance))
}

fn footer(model: &ReportModel, ci: &CiContext) -> String {
    format!("\n_{} The whole report is in {}/._\n", escape(&model.method), escape(&ci.folder))
}

/// As many parts as fit, and the footer.
fn fit(parts: &[String], footer: &str, limit: usize) -> String {
    let room = limit.saturating_sub(footer.len() + CUT.len());
    let mut text = String::new();
    for part in parts {
        let gap = if text.is_empty() { "" } else { "\n" };
        if text.len() + gap.len() + part.len() > room {
            text += gap;
            text += whole_lines(part, room.saturating_sub(text.len()));
            text += CUT;
            break;
        }
        text += gap;
        text += part;
    }
    text += footer;
    if text.len() > limit { String::new() } else { text }
}

/// The first lines of a part that fit; nothing of one that must be closed.
fn whole_lines(part: &str, room: usize) -> &str {
    if part.starts_with('<') {
        return "";
    }
    let lines = part.split_inclusive('\n');
    let ends = lines.scan(0, |end, line| {
        *end += line.len();
        Some(*end)
    });
    &part[..ends.take_while(|end| *end <= room).last().unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Decision;
    use crate::report::fixture::{self, FixtureScript, live};

    fn failing() -> ReportModel {
        let (record, intervals) = fixture::run(&[FixtureScript::default(), live(0.2)]);
        ReportModel::new(&record, &intervals)
    }

    fn ci(gate: Decision) -> CiContext {
        CiContext { gate, folder: "reports/runs/a".to_owned() }
    }

    #[test]
    fn a_short_report_has_no_pictures_and_names_the_folder() {
        let text = short_markdown(&failing(), &ci(Decision::Fail), STEP_SUMMARY_LIMIT);
        assert!(text.starts_with("## ❌ FAIL"), "{text}");
        assert!(!text.contains("]("), "{text}");
        assert!(!text.contains("### Plan"), "{text}");
        assert!(text.ends_with("The whole report is in reports/runs/a/._\n"), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_report_fits_every_limit_and_ends_with_a_whole_line() {
        for (record, intervals) in fixture::all() {
            let model = ReportModel::new(&record, &intervals);
            let whole = short_markdown(&model, &ci(Decision::Fail), usize::MAX);
            for limit in [0, 100, 500, 700, 1_000, 2_000, 4_000, 8_000, COMMENT_LIMIT] {
                let text = short_markdown(&model, &ci(Decision::Fail), limit);
                assert!(text.len() <= limit, "{} of {limit}", text.len());
                let Some((kept, _)) = text.split_once(CUT) else { continue };
                let is_whole = kept.is_empty() || kept.ends_with('\n');
                assert!(whole.starts_with(kept) && is_whole, "{limit}: {kept}");
                assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
            }
        }
    }
}
