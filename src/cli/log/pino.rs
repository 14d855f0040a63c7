//! Events in the format of pino: <https://github.com/pinojs/pino/blob/main/docs/api.md>.

use std::fmt::Write as _;

use serde_json::Value;
use tracing::Level;

use super::event::LogEvent;
use crate::engine::clock;

/// The process and the time, which pino writes in every line.
pub(super) struct ProcessIdentity {
    /// Milliseconds since 1970.
    time: i128,
    pid: u32,
    hostname: String,
}

impl ProcessIdentity {
    /// This process, now.
    pub(super) fn current() -> Self {
        Self {
            time: clock::wall_clock().unix_timestamp_nanos() / 1_000_000,
            pid: std::process::id(),
            hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        }
    }
}

/// The event as one JSON object: `level`, `time`, `pid`, `hostname` and `name` first, its fields,
/// `msg` last.
pub(super) fn line(event: &LogEvent, identity: &ProcessIdentity) -> String {
    let ProcessIdentity { time, pid, hostname } = identity;
    let mut line = format!(
        r#"{{"level":{},"time":{time},"pid":{pid},"hostname":{},"name":"tollgate""#,
        level(event),
        json(hostname)
    );
    for (name, value) in event.fields.iter().filter(|(name, _)| !name.contains('.')) {
        let _ = write!(line, ",{}:{value}", json(name));
    }
    if let (Some(kind), Some(message)) = (event.text("err.type"), event.text("err.message")) {
        // pino-pretty formats an error only if it has a `stack`.
        let _ = write!(
            line,
            r#","err":{{"type":{},"message":{},"stack":""}}"#,
            json(kind),
            json(message)
        );
    }
    let _ = write!(line, r#","msg":{}}}"#, json(event.message.trim()));
    line
}

/// The number that pino gives a level.
fn level(event: &LogEvent) -> u8 {
    match event.level {
        _ if event.fatal => 60,
        Level::ERROR => 50,
        Level::WARN => 40,
        Level::INFO => 30,
        Level::DEBUG => 20,
        Level::TRACE => 10,
    }
}

fn json(text: &str) -> Value {
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> ProcessIdentity {
        ProcessIdentity { time: 1_795_475_196_091, pid: 7, hostname: "h\"ost".to_owned() }
    }

    fn event(fields: Vec<(&'static str, Value)>) -> LogEvent {
        let message = "\nStopping\n".to_owned();
        LogEvent { level: Level::INFO, fatal: false, is_debug: false, message, fields }
    }

    #[test]
    fn a_line_has_pinos_fields_in_pinos_order_and_escapes_every_value() {
        let event = event(vec![("run", "a\u{1b}\n\"b".into()), ("p95_ms", 3.5.into())]);
        assert_eq!(
            line(&event, &identity()),
            r#"{"level":30,"time":1795475196091,"pid":7,"hostname":"h\"ost","name":"tollgate","run":"a\u001b\n\"b","p95_ms":3.5,"msg":"Stopping"}"#
        );
    }

    #[test]
    fn the_error_that_ends_the_program_is_fatal_and_an_object() {
        let mut event =
            event(vec![("err.type", "usage".into()), ("err.message", "two\nlines".into())]);
        (event.fatal, event.level) = (true, Level::ERROR);
        let value: Value = serde_json::from_str(&line(&event, &identity())).unwrap();
        assert_eq!(value["level"], 60);
        assert_eq!(
            value["err"],
            serde_json::json!({ "type": "usage", "message": "two\nlines", "stack": "" })
        );
    }
}
