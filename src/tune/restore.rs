//! How an app gets back to what it was before a session.
//!
//! A session saves every machine before it changes the first one. What has to be done afterwards
//! follows from the saved machines and from those that are there, so it is the same after a session
//! that ended well, after Ctrl-C, and after a kill at any step.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

/// The version of the restore file's format.
pub const RESTORE_FORMAT: u32 = 1;

/// What a session saves before its first change. It never contains a token, but it contains the
/// machines' whole configurations, with their environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestoreFile {
    /// The version of the file's format.
    pub format: u32,
    /// The app.
    pub app: String,
    /// The base URL of the API in which the app is.
    pub api: String,
    /// When the machines were read (RFC 3339, UTC).
    #[serde(with = "time::serde::rfc3339")]
    pub saved: OffsetDateTime,
    /// The machines, by id.
    pub machines: BTreeMap<String, SavedMachine>,
    /// The nonces of the leases that the session holds, by machine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub leases: BTreeMap<String, String>,
}

/// A machine as it was before a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedMachine {
    /// Its state.
    pub state: RestingState,
    /// Its whole configuration, as the API sent it.
    pub config: Value,
}

/// A state in which a machine can stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestingState {
    /// It runs.
    Started,
    /// It is stopped.
    Stopped,
    /// It is suspended, with a snapshot of its memory.
    Suspended,
}

impl RestingState {
    /// The state that a machine is in, or is about to be in; `None` if it is gone or failed.
    pub fn of(state: &str) -> Option<Self> {
        match state {
            "started" | "starting" | "created" | "replacing" | "restarting" | "updating" => {
                Some(Self::Started)
            }
            "stopped" | "stopping" => Some(Self::Stopped),
            "suspended" | "suspending" => Some(Self::Suspended),
            _ => None,
        }
    }

    /// The word of the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Suspended => "suspended",
        }
    }
}

/// A machine as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct CurrentMachine {
    /// Its state, as the API names it.
    pub state: String,
    /// Its configuration, as the API sends it.
    pub config: Value,
}

/// One step on the way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreStep {
    /// Send the saved configuration. The machine is started only if `launches`.
    Update {
        /// Whether the machine runs afterwards.
        launches: bool,
    },
    /// Start it and wait until it runs.
    Start,
    /// Stop it and wait until it has stopped.
    Stop,
    /// Suspend it and wait until it is suspended.
    Suspend,
}

/// What brings a machine back, in order; `None` if it is gone and cannot be brought back.
///
/// The state after an update is not the one before it, so the steps depend on both.
pub fn steps_to_restore(
    saved: &SavedMachine,
    now: Option<&CurrentMachine>,
) -> Option<Vec<RestoreStep>> {
    use RestingState::{Started, Stopped, Suspended};
    use RestoreStep::{Start, Stop, Suspend, Update};
    let now = now?;
    let resting = RestingState::of(&now.state);
    if matches!(now.state.as_str(), "destroyed" | "destroying") {
        return None;
    }
    // A machine that failed neither runs nor is gone: only an update brings it back.
    let mut state = resting.unwrap_or(Stopped);
    let mut steps = Vec::new();
    if resting.is_none() || now.config != saved.config {
        let launches = saved.state != Stopped;
        steps.push(Update { launches });
        state = if launches { Started } else { Stopped };
    }
    let to_state: &[RestoreStep] = match (state, saved.state) {
        (Started, Started) | (Stopped, Stopped) | (Suspended, Suspended) => &[],
        (Stopped | Suspended, Started) => &[Start],
        (Started | Suspended, Stopped) => &[Stop],
        (Started, Suspended) => &[Suspend],
        // Only a running machine can be suspended.
        (Stopped, Suspended) => &[Start, Suspend],
    };
    steps.extend(to_state);
    Some(steps)
}

/// Why an app may not lose these machines for a moment; `None` if it may.
///
/// `running` are the machines that serve, `affected` those that will stand still.
pub fn refuse_downtime(running: &[String], affected: &[String]) -> Option<String> {
    let stays = running.iter().any(|id| !affected.contains(id));
    let stops = running.iter().any(|id| affected.contains(id));
    (stops && !stays).then(|| {
        let which = match running {
            [only] => format!("machine {only} is the only one that runs"),
            all => format!("all {} machines that run would be stopped at once", all.len()),
        };
        format!(
            "{which}, so the app would be down; add --allow-downtime, or start another machine and \
             name one with --machine"
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::RestoreStep::{Start, Stop, Suspend, Update};
    use super::*;

    fn steps(saved: RestingState, state: &str, memory: u32) -> Option<Vec<RestoreStep>> {
        let config = |memory: u32| json!({ "guest": { "memory_mb": memory } });
        let saved = SavedMachine { state: saved, config: config(1024) };
        let now = CurrentMachine { state: state.to_owned(), config: config(memory) };
        steps_to_restore(&saved, Some(&now))
    }

    #[test]
    fn every_state_has_a_way_back_to_every_saved_state() {
        use RestingState::{Started, Stopped, Suspended};
        for (saved, now, expected) in [
            (Started, "started", vec![]),
            (Started, "stopped", vec![Start]),
            (Started, "suspended", vec![Start]),
            (Started, "stopping", vec![Start]),
            (Stopped, "stopped", vec![]),
            (Stopped, "started", vec![Stop]),
            (Stopped, "starting", vec![Stop]),
            (Stopped, "suspended", vec![Stop]),
            (Suspended, "suspended", vec![]),
            (Suspended, "started", vec![Suspend]),
            (Suspended, "stopped", vec![Start, Suspend]),
        ] {
            assert_eq!(steps(saved, now, 1024), Some(expected), "{saved:?} from {now}");
        }
    }

    #[test]
    fn a_changed_config_is_sent_back_before_the_state_is_restored() {
        use RestingState::{Started, Stopped, Suspended};
        let update = |launches| Update { launches };
        assert_eq!(steps(Started, "started", 2048), Some(vec![update(true)]));
        assert_eq!(steps(Started, "stopped", 2048), Some(vec![update(true)]));
        assert_eq!(steps(Stopped, "started", 2048), Some(vec![update(false)]));
        assert_eq!(steps(Suspended, "stopped", 2048), Some(vec![update(true), Suspend]));
        assert_eq!(steps(Started, "failed", 1024), Some(vec![update(true)]));
        assert_eq!(steps(Stopped, "failed", 1024), Some(vec![update(false)]));
    }

    #[test]
    fn a_machine_that_is_gone_cannot_be_restored() {
        assert_eq!(steps(RestingState::Started, "destroyed", 1024), None);
        let saved = SavedMachine { state: RestingState::Started, config: json!({}) };
        assert_eq!(steps_to_restore(&saved, None), None);
    }

    #[test]
    fn the_last_running_machines_are_not_stopped_unasked() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let one = refuse_downtime(&ids(&["a"]), &ids(&["a"])).unwrap();
        assert!(one.starts_with("machine a is the only one that runs"), "{one}");
        let both = refuse_downtime(&ids(&["a", "b"]), &ids(&["a", "b"])).unwrap();
        assert!(both.contains("--allow-downtime"), "{both}");
        assert_eq!(refuse_downtime(&ids(&["a", "b"]), &ids(&["a"])), None);
        assert_eq!(refuse_downtime(&[], &ids(&["a"])), None);
        assert_eq!(refuse_downtime(&ids(&["a"]), &ids(&["b"])), None);
    }

    #[test]
    fn a_restore_file_reads_back_what_it_was_written_from() {
        let machine = SavedMachine {
            state: RestingState::Suspended,
            config: json!({ "guest": { "memory_mb": 256 }, "unknown": [1, { "deep": null }] }),
        };
        let file = RestoreFile {
            format: RESTORE_FORMAT,
            app: "app".to_owned(),
            api: "https://api.machines.dev".to_owned(),
            saved: OffsetDateTime::UNIX_EPOCH,
            machines: BTreeMap::from([("m1".to_owned(), machine)]),
            leases: BTreeMap::from([("m1".to_owned(), "nonce".to_owned())]),
        };
        let text = serde_json::to_string(&file).unwrap();
        assert_eq!(serde_json::from_str::<RestoreFile>(&text).unwrap(), file);
    }
}
