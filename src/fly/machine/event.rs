//! What happened to a machine.

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::lenient;

/// One event.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct MachineEvent {
    /// What was done: `launch`, `start`, `exit`, `stop`, `suspend`, `update`, `restart`, ….
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    pub kind: String,
    /// The state that followed: `started`, `stopped`, ….
    #[serde(default, deserialize_with = "lenient")]
    pub status: String,
    /// Who did it: `user`, `flyd` or `proxy`.
    #[serde(default, deserialize_with = "lenient")]
    pub source: String,
    /// When, in milliseconds since 1970.
    #[serde(default, deserialize_with = "lenient")]
    pub timestamp: Option<i64>,
    /// Details that depend on the event.
    #[serde(default, deserialize_with = "lenient")]
    pub request: Value,
}

impl MachineEvent {
    /// When it happened.
    pub fn at(&self) -> Option<OffsetDateTime> {
        let nanoseconds = i128::from(self.timestamp?) * 1_000_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()
    }

    /// The exit code of an `exit`.
    pub fn exit_code(&self) -> Option<i64> {
        self.exit("exit_code")?.as_i64()
    }

    /// Whether an `exit` was for lack of memory.
    pub fn is_out_of_memory(&self) -> bool {
        self.exit("oom_killed").and_then(Value::as_bool).unwrap_or_default()
    }

    /// A field of the exit, which `MonitorEvent` may wrap.
    fn exit(&self, name: &str) -> Option<&Value> {
        let monitored = self.request.get("MonitorEvent").and_then(|event| event.get("exit_event"));
        monitored.or_else(|| self.request.get("exit_event"))?.get(name)
    }
}
