//! Events as text for people.

use std::fmt::Write as _;

use serde_json::Value;

use super::event::LogEvent;

/// The event's text. Fields only repeat it for programs, except in debug events, which show them.
pub(super) fn line(event: &LogEvent) -> String {
    if event.fatal {
        return event.text("err.message").unwrap_or(&event.message).to_owned();
    }
    if !event.is_debug {
        return event.message.trim_end().to_owned();
    }
    let mut line = format!("debug: {}", event.message);
    for (name, value) in &event.fields {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let _ = write!(line, "  {name}={text}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    fn event(fatal: bool, is_debug: bool) -> LogEvent {
        let fields =
            vec![("run", "7".into()), ("count", 3.into()), ("err.message", "all of it".into())];
        LogEvent { level: Level::INFO, fatal, is_debug, message: "Text.\n".to_owned(), fields }
    }

    #[test]
    fn people_see_the_text_of_an_event_and_only_debug_events_show_fields() {
        assert_eq!(line(&event(false, false)), "Text.");
        assert_eq!(line(&event(true, false)), "all of it");
        assert!(line(&event(false, true)).starts_with("debug: Text.\n  run=7  count=3"));
    }
}
