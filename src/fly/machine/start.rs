//! How a machine was started last, as far as its events show.
//!
//! Fly reports a start of a stopped machine and a start of a suspended one alike. What came before
//! is the only trace. A machine that exited, was stopped, updated or created has no snapshot, so it
//! booted: that is certain. A suspended machine usually resumes, but Fly boots it if the snapshot
//! cannot be used (<https://fly.io/docs/reference/suspend-resume/>), and says so nowhere: that is a
//! hint, which the latency of the first request has to confirm.

use time::OffsetDateTime;

use super::event::MachineEvent;

/// How a machine came to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartKind {
    /// From its image, with cold processes.
    Booted,
    /// From a snapshot of its memory.
    Resumed,
    /// The events do not show it.
    Unknown,
}

/// What the events show about the last start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastStart {
    /// How it started.
    pub kind: StartKind,
    /// Whether that is more than a hint.
    pub is_certain: bool,
    /// When it had started, or began to if it has not yet.
    pub at: Option<OffsetDateTime>,
    /// What it was concluded from, as a clause.
    pub because: &'static str,
}

/// Concludes from a machine's events, in any order, how it was started last.
///
/// Events with equal times, or without one, keep the API's order: the latest first.
pub fn last_start(events: &[MachineEvent]) -> LastStart {
    let mut ordered: Vec<&MachineEvent> = events.iter().rev().collect();
    ordered.sort_by_key(|event| event.timestamp);
    let Some(last) = ordered.iter().rposition(|event| is_start(event)) else {
        return unknown(None, "there is no start among the events");
    };
    let at = ordered[last].at();
    let conclude = |kind, is_certain, because| LastStart { kind, is_certain, at, because };
    if ordered[last].kind == "restart" {
        return conclude(StartKind::Booted, true, "it was restarted");
    }
    let before = ordered[..last].iter().rev().find(|event| !is_start(event) && is_telling(event));
    let Some(before) = before else {
        return unknown(at, "the events do not go back to what came before the start");
    };
    match (before.kind.as_str(), before.status.as_str()) {
        (_, "suspended") => conclude(
            StartKind::Resumed,
            false,
            "it was suspended before, and Fly may still boot it",
        ),
        ("suspend", _) => {
            unknown(at, "it was being suspended before, and the events do not show the end of that")
        }
        ("launch", _) => conclude(StartKind::Booted, true, "it was created before"),
        ("update", _) | (_, "replacing" | "replaced") => {
            conclude(StartKind::Booted, true, "it was updated before, which discards snapshots")
        }
        ("restart", _) => conclude(StartKind::Booted, true, "it was restarted"),
        _ => conclude(StartKind::Booted, true, "it had exited or was stopped before"),
    }
}

fn unknown(at: Option<OffsetDateTime>, because: &'static str) -> LastStart {
    LastStart { kind: StartKind::Unknown, is_certain: false, at, because }
}

fn is_start(event: &MachineEvent) -> bool {
    match event.kind.as_str() {
        "start" | "resume" => true,
        "launch" | "update" => false,
        _ => matches!(event.status.as_str(), "starting" | "started"),
    }
}

/// Whether an event says what state the machine was in: health checks and cordons do not.
fn is_telling(event: &MachineEvent) -> bool {
    let ends = ["exit", "stop", "suspend", "update", "launch", "restart"];
    let states = ["stopped", "stopping", "suspended", "suspending", "replacing", "replaced"];
    ends.contains(&event.kind.as_str()) || states.contains(&event.status.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Events in the order of time, each with its second.
    fn concluded(events: &[(&str, &str)]) -> (StartKind, bool) {
        let mut list: Vec<MachineEvent> = (1_i64..)
            .zip(events)
            .map(|(second, (kind, status))| {
                let event = json!({"type": kind, "status": status, "timestamp": second * 1_000});
                serde_json::from_value(event).unwrap()
            })
            .collect();
        let in_time_order = last_start(&list);
        list.reverse();
        assert_eq!(last_start(&list), in_time_order, "{events:?}");
        (in_time_order.kind, in_time_order.is_certain)
    }

    #[test]
    fn what_came_before_the_start_decides() {
        const BOOTED: (StartKind, bool) = (StartKind::Booted, true);
        const RESUMED: (StartKind, bool) = (StartKind::Resumed, false);
        const UNKNOWN: (StartKind, bool) = (StartKind::Unknown, false);
        let start = [("start", "starting"), ("start", "started")];
        for (before, expected) in [
            (&[("launch", "created")][..], BOOTED),
            (&[("stop", "stopping"), ("exit", "stopped")], BOOTED),
            (&[("exit", "stopped")], BOOTED),
            (&[("suspend", "suspending"), ("suspend", "suspended")], RESUMED),
            (&[("suspend", "suspending"), ("exit", "suspended")], RESUMED),
            (&[("suspend", "suspending")], UNKNOWN),
            // A suspend that fell back to a stop, and one whose snapshot an update discarded.
            (&[("suspend", "suspending"), ("exit", "stopped")], BOOTED),
            (&[("suspend", "suspended"), ("update", "replacing")], BOOTED),
            // Events that say nothing about the machine's memory are passed over.
            (&[("suspend", "suspended"), ("cordon", "")], RESUMED),
            (&[("exit", "stopped"), ("restart", "restarting")], BOOTED),
            (&[("start", "started")], UNKNOWN),
            (&[], UNKNOWN),
        ] {
            let events = [before, &start].concat();
            assert_eq!(concluded(&events), expected, "{before:?}");
        }
        assert_eq!(concluded(&[("suspend", "suspended")]), UNKNOWN);
        assert_eq!(concluded(&[]), UNKNOWN);
        assert_eq!(concluded(&[("suspend", "suspended"), ("restart", "started")]), BOOTED);
    }

    #[test]
    fn events_of_one_instant_keep_the_order_of_the_answer() {
        let event = |kind: &str, status: &str| {
            serde_json::from_value(json!({"type": kind, "status": status, "timestamp": 5})).unwrap()
        };
        let latest_first =
            [event("start", "started"), event("suspend", "suspended"), event("exit", "stopped")];
        assert_eq!(last_start(&latest_first).kind, StartKind::Resumed);
        assert!(last_start(&latest_first).at.is_some());
    }
}
