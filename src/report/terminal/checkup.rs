//! Findings of a check before a run, for a terminal: grouped lines with remedies, and a summary.

use super::ansi::AnsiStyle;
use super::layout::wrap;
use crate::record::checkup::{CheckFinding, CheckState};

/// Width of a state.
const STATE: usize = 4;

/// Renders findings for a terminal `width` columns wide, with ANSI colours if `colour` is set.
/// Findings are grouped; groups appear in the order of their first finding.
///
/// The last line is a summary.
pub fn checkup_text(findings: &[CheckFinding], width: u16, colour: bool) -> String {
    let style = AnsiStyle::new(colour);
    let names = findings.iter().map(|finding| finding.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for group in groups(findings) {
        text += &format!("{}\n", style.bold(group));
        for finding in findings.iter().filter(|finding| finding.group == group) {
            text += &line(finding, names, usize::from(width), &style);
        }
        text.push('\n');
    }
    text + &sum(findings, &style) + "\n"
}

/// The groups, each once.
fn groups(findings: &[CheckFinding]) -> Vec<&str> {
    let mut groups: Vec<&str> = Vec::new();
    for finding in findings {
        if !groups.contains(&finding.group.as_str()) {
            groups.push(&finding.group);
        }
    }
    groups
}

fn line(finding: &CheckFinding, names: usize, width: usize, style: &AnsiStyle) -> String {
    let CheckFinding { name, state, what, remedy, .. } = finding;
    let indent = 2 + STATE + 2 + names + 2;
    let mark = format!("{}{}", style.state(*state), " ".repeat(STATE - state.name().len()));
    let what = wrap(what, width, indent);
    let mut text = format!("  {mark}  {name:names$}  {}", what.trim_start());
    if let Some(remedy) = remedy {
        let remedy = wrap(remedy, width, indent + 2);
        text += &format!("{}→ {}", " ".repeat(indent), remedy.trim_start());
    }
    text
}

/// The summary: counts of warnings and failures, and what to do.
fn sum(findings: &[CheckFinding], style: &AnsiStyle) -> String {
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    let (warnings, failures) = (count(CheckState::Warn), count(CheckState::Fail));
    let worst = findings.iter().map(|finding| finding.state).max().unwrap_or(CheckState::Ok);
    let summary = match (failures, warnings) {
        (0, 0) => format!("all {} checks passed", findings.len()),
        (0, 1) => "1 warning: review it before a run".to_owned(),
        (0, _) => format!("{warnings} warnings: review them before a run"),
        (1, 0) => "1 check failed: fix it before a run".to_owned(),
        (_, 0) => format!("{failures} checks failed: fix them before a run"),
        (_, _) => format!(
            "{failures} {}, {warnings} {}: fix the failures before a run",
            if failures == 1 { "check failed" } else { "checks failed" },
            if warnings == 1 { "warning" } else { "warnings" },
        ),
    };
    format!("{}  {summary}", style.state(worst))
}

#[cfg(test)]
mod tests {
    use super::CheckState::{Fail, Ok, Warn};
    use super::*;

    fn some() -> Vec<CheckFinding> {
        let long = "203.0.113.7:443: TLS failed: invalid peer certificate: certificate expired: verification time \
                    1795546800 (UNIX), but certificate is not valid after 1500000000";
        vec![
            CheckFinding::ok("this machine", "processors", "2 processors for this process"),
            CheckFinding::ok("target https://a", "connection", long)
                .fail("renew the certificate, or look at the clock"),
            CheckFinding::ok("this machine", "other load", "others kept 1.4 of 2 busy")
                .warn("stop what else runs here"),
        ]
    }

    #[test]
    fn findings_are_grouped_and_remedies_follow_their_lines() {
        assert_eq!(
            checkup_text(&some(), 80, false),
            "this machine\n  \
               ok    processors  2 processors for this process\n  \
               warn  other load  others kept 1.4 of 2 busy\n                    \
                     → stop what else runs here\n\n\
             target https://a\n  \
               fail  connection  203.0.113.7:443: TLS failed: invalid peer certificate:\n                    \
                     certificate expired: verification time 1795546800 (UNIX),\n                    \
                     but certificate is not valid after 1500000000\n                    \
                     → renew the certificate, or look at the clock\n\n\
             fail  1 check failed, 1 warning: fix the failures before a run\n"
        );
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let coloured = checkup_text(&some(), 80, true);
        assert!(coloured.contains("\u{1b}[1;31mfail\u{1b}[0m"), "{coloured}");
        let mut parts = coloured.split('\u{1b}');
        let mut plain = parts.next().unwrap().to_owned();
        parts.for_each(|part| plain += part.split_once('m').unwrap().1);
        assert_eq!(plain, checkup_text(&some(), 80, false));
    }

    #[test]
    fn the_last_line_sums_up() {
        let last = |states: &[CheckState]| {
            let findings = states
                .iter()
                .map(|&state| CheckFinding { state, ..CheckFinding::ok("g", "n", "w") });
            let text = checkup_text(&findings.collect::<Vec<_>>(), 80, false);
            text.lines().last().unwrap().to_owned()
        };
        assert_eq!(last(&[Ok, Ok]), "ok  all 2 checks passed");
        assert_eq!(last(&[Ok, Warn]), "warn  1 warning: review it before a run");
        assert!(last(&[Warn, Warn]).starts_with("warn  2 warnings: "));
        assert!(last(&[Fail, Ok]).starts_with("fail  1 check failed: "));
        assert!(last(&[Fail, Warn, Fail, Warn]).starts_with("fail  2 checks failed, 2 warnings: "));
    }
}
