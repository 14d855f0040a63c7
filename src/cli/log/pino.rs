//! Events as pino writes them: <https://github.com/pinojs/pino/blob/main/docs/api.md>.

use std::fmt::Write as _;

use serde_json::Value;
use tracing::Level;

use super::said::Said;
use crate::engine::clock;

/// What pino says of a line beside the event itself.
pub(super) struct Origin {
    /// Milliseconds since 1970.
    time: i128,
    pid: u32,
    hostname: String,
}

impl Origin {
    /// This process, now.
    pub(super) fn here() -> Self {
        Self {
            time: clock::wall_clock().unix_timestamp_nanos() / 1_000_000,
            pid: std::process::id(),
            hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        }
    }
}

/// The event as one JSON object: `level`, `time`, `pid`, `hostname` and `name` first, its fields, `msg` last.
pub(super) fn line(said: &Said, origin: &Origin) -> String {
    let Origin { time, pid, hostname } = origin;
    let mut line = format!(
        r#"{{"level":{},"time":{time},"pid":{pid},"hostname":{},"name":"tollgate""#,
        level(said),
        json(hostname)
    );
    for (name, value) in said.fields.iter().filter(|(name, _)| !name.contains('.')) {
        let _ = write!(line, ",{}:{value}", json(name));
    }
    if let (Some(kind), Some(message)) = (said.text("err.type"), said.text("err.message")) {
        // pino-pretty takes what has no `stack` for no error.
        let _ = write!(
            line,
            r#","err":{{"type":{},"message":{},"stack":""}}"#,
            json(kind),
            json(message)
        );
    }
    let _ = write!(line, r#","msg":{}}}"#, json(said.message.trim()));
    line
}

/// pino's numbers of levels.
fn level(said: &Said) -> u8 {
    match said.level {
        _ if said.fatal => 60,
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

    fn origin() -> Origin {
        Origin { time: 1_795_475_196_091, pid: 7, hostname: "h\"ost".to_owned() }
    }

    fn said(fields: Vec<(&'static str, Value)>) -> Said {
        let message = "\nStopping\n".to_owned();
        Said { level: Level::INFO, fatal: false, aside: false, message, fields }
    }

    #[test]
    fn a_line_has_pinos_fields_in_pinos_order_whatever_stands_in_it() {
        let said = said(vec![("run", "a\u{1b}\n\"b".into()), ("p95_ms", 3.5.into())]);
        assert_eq!(
            line(&said, &origin()),
            r#"{"level":30,"time":1795475196091,"pid":7,"hostname":"h\"ost","name":"tollgate","run":"a\u001b\n\"b","p95_ms":3.5,"msg":"Stopping"}"#
        );
    }

    #[test]
    fn what_ends_the_program_is_fatal_and_its_error_an_object() {
        let mut said =
            said(vec![("err.type", "usage".into()), ("err.message", "two\nlines".into())]);
        (said.fatal, said.level) = (true, Level::ERROR);
        let value: Value = serde_json::from_str(&line(&said, &origin())).unwrap();
        assert_eq!(value["level"], 60);
        assert_eq!(
            value["err"],
            serde_json::json!({ "type": "usage", "message": "two\nlines", "stack": "" })
        );
    }
}
