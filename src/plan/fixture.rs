//! Plans for the tests of other rooms.

use super::{Environment, Plan, PlanOverrides};
use crate::scenario::Scenario;

/// The plan of a scenario next to the file `rows.csv`. A name, a target and a budget are added.
pub(crate) fn planned(text: &str, rows: &str) -> Plan {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rows.csv"), rows).unwrap();
    let head = "name = \"s\"\nbudgets = [\"errors = 0\"]\n";
    let target = "\n[target]\nbase_url = \"http://target.test/shop\"\n";
    let path = folder.path().join("s.toml");
    let text = format!("{head}{text}{target}");
    let scenario = Scenario::parse(path.to_str().unwrap(), &text).unwrap();
    let resolved = Plan::resolve(&[scenario], &Environment::new([]), &PlanOverrides::default());
    resolved.unwrap_or_else(|errors| panic!("{errors}")).0
}
