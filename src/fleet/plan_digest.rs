//! The digest of a plan, by which machines find out whether they would do the same.

use sha2::{Digest as _, Sha256};

use crate::record::{PlannedRequest, PlannedScenario};

/// The SHA-256 of everything that must be equal on all machines, hexadecimal, including the limits
/// that earlier runs give. Names of scenario files may differ.
pub fn digest_plan<'a>(scenarios: impl IntoIterator<Item = &'a PlannedScenario>) -> String {
    digest(scenarios.into_iter().cloned())
}

/// The same without the limits that earlier runs give.
pub fn digest_written_plan<'a>(scenarios: impl IntoIterator<Item = &'a PlannedScenario>) -> String {
    let as_written = |request: &PlannedRequest| PlannedRequest {
        budgets: request.written_budgets().collect(),
        baselines: Vec::new(),
        ..request.clone()
    };
    digest(scenarios.into_iter().map(|scenario| PlannedScenario {
        requests: scenario.requests.iter().map(as_written).collect(),
        ..scenario.clone()
    }))
}

fn digest(scenarios: impl Iterator<Item = PlannedScenario>) -> String {
    let mut digest = Sha256::new();
    for scenario in scenarios {
        let common = PlannedScenario { source: String::new(), ..scenario };
        let json = serde_json::to_vec(&common).unwrap_or_default();
        digest.update(json.len().to_le_bytes());
        digest.update(json);
    }
    format!("{:x}", digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    #[test]
    fn the_digest_depends_on_what_is_sent_and_not_on_the_file() {
        let one = fixture::planned("[[request]]\nname = \"page\"\npath = \"/\"\n", "")
            .scenarios
            .remove(0)
            .shown;
        let moved = PlannedScenario { source: "elsewhere.toml".to_owned(), ..one.clone() };
        let heavier = PlannedScenario { load: "900/s".to_owned(), ..one.clone() };
        assert_eq!(digest_plan([&one]), digest_plan([&moved]));
        assert_ne!(digest_plan([&one]), digest_plan([&heavier]));
        assert_ne!(digest_plan([&one]), digest_plan([&one, &one]));
    }
}
