//! Sends the alerts of a finished run.
//!
//! A message is sent at least once: the right to send it is claimed before and given back after. A
//! prober that is killed in between may have sent it or not, so it is sent again once the claim has
//! ended. Nothing here changes a verdict or an exit code.

mod delivery;

use std::time::Duration;

use uuid::Uuid;

use super::gate::HistoryPlace;
use super::log;
use super::outputs::FinishedRun;
use crate::engine::clock;
use crate::history::{AlertEvent, AlertKey, AlertRun, DueAlert, ENVIRONMENT_TAG};
use crate::plan::{AlertPlan, Plan};
use crate::record::{Decision, RunRecord};
use crate::report;
use crate::store::AlertStore;

/// How long a prober has the right to send a message. It is longer than sending takes at most, so
/// that a slow prober has given up before another one tries.
const LEASE: Duration = Duration::from_mins(1);

/// Sends what is due after a run. A part of a run that several machines share sends nothing,
/// because only the merged run has a verdict.
pub(super) fn send_alerts(plan: &Plan, run: &FinishedRun, place: &HistoryPlace<'_>) {
    if plan.shard_plan.is_some() {
        return;
    }
    let mut store = match place.database {
        Some(address) => AlertStore::in_database(address),
        None => AlertStore::in_folder(place.runs_dir, clock::wall_clock),
    };
    for scenario in &plan.scenarios {
        let Some(alert) = &scenario.alert else { continue };
        let name = &scenario.shown.name;
        if let Err(why) = send_alert(alert, name, &run.record, &mut store) {
            let why = log::redact(&why);
            tracing::warn!("WARNING: the alert about {name} was not sent: {why}");
        }
    }
    store.close();
}

/// Adds a run to the state of an alert, and sends the message if one is due. The error says in a
/// clause why it could not be sent, and what follows.
fn send_alert(
    alert: &AlertPlan,
    scenario: &str,
    record: &RunRecord,
    store: &mut AlertStore<'_>,
) -> Result<(), String> {
    let key = key_of(record, scenario);
    let (run, sender) = (run_of(record, scenario), Uuid::new_v4());
    let claimed = store.change(&key, |state, now| {
        if let Some(run) = run {
            state.add(run);
        }
        state.claim(alert.rule, sender, (now, now + LEASE))
    });
    let Some(due) = claimed.map_err(|error| error.to_string())? else { return Ok(()) };
    let sent = deliver(alert, scenario, record, due);
    let delivered = sent.is_ok().then_some(due.event);
    let settled = store.change(&key, |state, _| state.settle(sender, delivered));
    if sent.is_ok() {
        let what = match due.event {
            AlertEvent::Failing => "is failing",
            AlertEvent::Recovered => "holds again",
        };
        tracing::info!("Sent an alert: {scenario} {what}");
    }
    sent.map_err(|why| format!("{why}; the next run tries again"))?;
    settled.map_err(|error| {
        format!("it was sent, but that could not be noted, so it may come twice: {error}")
    })
}

fn deliver(
    alert: &AlertPlan,
    scenario: &str,
    record: &RunRecord,
    due: DueAlert,
) -> Result<(), String> {
    let message = report::alert_json(due, alert.rule, (record, scenario), alert.format);
    let message = message.map_err(|error| error.to_string())?;
    // What a target said is redacted in the record; this is for what a tag may hold.
    let message = log::redact(&String::from_utf8_lossy(&message));
    delivery::deliver(&alert.channel, message.as_bytes())
}

fn key_of(record: &RunRecord, scenario: &str) -> AlertKey {
    let environment = record.provenance.tags.get(ENVIRONMENT_TAG);
    AlertKey {
        scenario: scenario.to_owned(),
        environment: environment.cloned().unwrap_or_default(),
    }
}

/// The run as alerts count it; `None` if the verdict on the scenario is inconclusive.
fn run_of(record: &RunRecord, scenario: &str) -> Option<AlertRun> {
    let judged = record.verdict.scenarios.iter().find(|judged| judged.scenario == scenario)?;
    let failed = match judged.decision {
        Decision::Fail => true,
        Decision::Pass => false,
        Decision::Inconclusive => return None,
    };
    Some(AlertRun { id: record.id, started: record.provenance.started, failed })
}
