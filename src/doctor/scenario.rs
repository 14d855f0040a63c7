//! Problems of a plan's scenarios: unset variables, and settings that can hardly work as intended.

use crate::record::checkup::CheckFinding;
use crate::scenario::{DiagnosticParts, ScenarioErrors, ScenarioWarning};

/// The group of these findings.
const SCENARIOS: &str = "scenarios";

/// Maximum number of locations named for one mistake.
const PLACES: usize = 3;

/// Findings about scenarios that parsed.
///
/// `missing` are the errors about variables without a value. A run would refuse them; a plan that
/// is only examined has placeholders instead. `warnings` are those of the plan.
pub fn scenarios(
    missing: Option<&ScenarioErrors>,
    warnings: &[ScenarioWarning],
) -> Vec<CheckFinding> {
    let missing = missing.into_iter().flat_map(ScenarioErrors::parts).collect::<Vec<_>>();
    judge(&missing, warnings.iter().map(ScenarioWarning::parts))
}

fn judge(
    missing: &[DiagnosticParts],
    warnings: impl Iterator<Item = DiagnosticParts>,
) -> Vec<CheckFinding> {
    // The plan that is only examined warns about the same variables.
    let others: Vec<_> = warnings.filter(|warning| !missing.contains(warning)).collect();
    let missing =
        gathered(missing).into_iter().map(|(what, remedy)| found("variables", what).fail(remedy));
    missing
        .chain(
            gathered(&others).into_iter().map(|(what, remedy)| found("doubts", what).warn(remedy)),
        )
        .collect()
}

fn found(name: &str, what: String) -> CheckFinding {
    CheckFinding::ok(SCENARIOS, name, what)
}

/// Merges equal problems into one message with their locations. Returns each with its remedy.
fn gathered(points: &[DiagnosticParts]) -> Vec<(String, &str)> {
    let mut gathered: Vec<(&DiagnosticParts, Vec<&str>)> = Vec::new();
    for point in points {
        match gathered
            .iter_mut()
            .find(|(same, _)| (&same.problem, &same.remedy) == (&point.problem, &point.remedy))
        {
            Some((_, places)) => places.push(&point.location),
            None => gathered.push((point, vec![&point.location])),
        }
    }
    let message = |(point, places): (&'_ DiagnosticParts, Vec<&str>)| {
        let more = places.len().saturating_sub(PLACES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let places: Vec<_> = places.into_iter().take(PLACES).collect();
        format!("{}{more}: {}", places.join(", "), point.problem)
    };
    gathered
        .into_iter()
        .map(|(point, places)| (message((point, places)), point.remedy.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Environment, Plan, PlanOverrides};
    use crate::record::checkup::CheckState;
    use crate::scenario::Scenario;

    #[test]
    fn an_unset_variable_fails_once_and_a_doubt_is_a_warning() {
        let text = "name = \"s\"\nbudgets = [\"p99 < 1s\"]\n[target]\nbase_url = \"${HOST}\"\n\
                    [[request]]\nname = \"a\"\npath = \"/?${HOST}\"\n[load]\narrival_rate = \"60/s\"\nduration = \"1s\"\nconnections = 60\n";
        let scenario = [Scenario::parse("s.toml", text).unwrap()];
        let resolve =
            |environment| Plan::resolve(&scenario, &environment, &PlanOverrides::default());
        let missing = resolve(Environment::new([])).unwrap_err();
        let (_, warnings) = resolve(Environment::for_check([])).unwrap();
        let findings = scenarios(Some(&missing), &warnings);
        let states: Vec<_> =
            findings.iter().map(|found| (found.state, found.name.as_str())).collect();
        assert_eq!(states, [(CheckState::Fail, "variables"), (CheckState::Warn, "doubts")]);
        assert_eq!(findings[0].what, "s.toml:4:15: variable `HOST` is not set");
        assert!(
            findings[1].what.starts_with("s.toml:2:13: `p99` needs at least 342 blocks"),
            "{}",
            findings[1].what
        );
    }

    #[test]
    fn equal_problems_are_merged_into_one_message() {
        let point = |place: usize, problem: &str| DiagnosticParts {
            location: format!("{place}.toml:1:1"),
            problem: problem.to_owned(),
            remedy: "set it".to_owned(),
        };
        let missing = vec![
            point(1, "a"),
            point(1, "b"),
            point(2, "a"),
            point(3, "a"),
            point(4, "a"),
            point(5, "a"),
        ];
        let messages: Vec<_> =
            judge(&missing, [].into_iter()).into_iter().map(|finding| finding.what).collect();
        assert_eq!(messages, ["1.toml:1:1, 2.toml:1:1, 3.toml:1:1 and 2 more: a", "1.toml:1:1: b"]);
    }
}
