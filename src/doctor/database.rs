//! The databases that a plan's steps query.

use std::collections::BTreeMap;

use crate::engine::EngineError;
use crate::engine::probe;
use crate::plan::Plan;
use crate::postgres::DatabaseAddress;
use crate::record::checkup::CheckFinding;
use crate::units::format_duration;

/// Opens a session with each database that a plan's steps query. Runs no statement.
///
/// # Errors
/// The system refuses the runtime that the check needs.
pub fn databases(plan: &Plan) -> Result<Vec<CheckFinding>, EngineError> {
    let mut queried: BTreeMap<(&str, String), (&DatabaseAddress, Vec<&str>)> = BTreeMap::new();
    for scenario in &plan.scenarios {
        for (name, address) in scenario.databases() {
            let (_, by) =
                queried.entry((name, address.display_name())).or_insert((address, Vec::new()));
            by.push(&scenario.shown.name);
        }
    }
    queried
        .into_iter()
        .map(|((name, place), (address, by))| one(name, &place, address, &by))
        .collect()
}

fn one(
    name: &str,
    place: &str,
    address: &DatabaseAddress,
    by: &[&str],
) -> Result<CheckFinding, EngineError> {
    let group = format!("database {name} ({})", by.join(", "));
    let found = |what: String| CheckFinding::ok(&group, "session", what);
    if address.is_placeholder() {
        let unknown = found("not known: a variable of its URL has no value".to_owned());
        return Ok(unknown.warn("set the variable and check again"));
    }
    Ok(match probe::session(address)? {
        Ok(took) => found(format!("{place}, opened in {}", format_duration(took))),
        Err(error) => found(error.what()).fail(error.kind.remedy()),
    })
}
