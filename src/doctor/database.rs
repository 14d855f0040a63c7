//! The databases that a plan's steps query.

use std::collections::BTreeMap;

use crate::engine::EngineError;
use crate::engine::probe;
use crate::plan::Plan;
use crate::postgres::DatabaseAddress;
use crate::record::checkup::CheckFinding;
use crate::units::format_duration;

/// Checks whether a session opens with each database that a plan's steps query. Runs no statement.
///
/// # Errors
/// The machine gave no runtime.
pub fn databases(plan: &Plan) -> Result<Vec<CheckFinding>, EngineError> {
    let mut asked: BTreeMap<(&str, String), (&DatabaseAddress, Vec<&str>)> = BTreeMap::new();
    for scenario in &plan.scenarios {
        for (name, address) in scenario.databases() {
            let (_, by) =
                asked.entry((name, address.display_name())).or_insert((address, Vec::new()));
            by.push(&scenario.shown.name);
        }
    }
    asked
        .into_iter()
        .map(|((name, shown), (address, by))| one(name, &shown, address, &by))
        .collect()
}

fn one(
    name: &str,
    shown: &str,
    address: &DatabaseAddress,
    by: &[&str],
) -> Result<CheckFinding, EngineError> {
    let group = format!("database {name} ({})", by.join(", "));
    let found = |what: String| CheckFinding::ok(&group, "session", what);
    if address.is_placeholder() {
        let unknown = found("not known: a variable of its URL has no value".to_owned());
        return Ok(unknown.warn("set the variable and examine it again"));
    }
    Ok(match probe::session(address)? {
        Ok(took) => found(format!("{shown}, opened in {}", format_duration(took))),
        Err(error) => found(error.what()).fail(error.kind.remedy()),
    })
}
