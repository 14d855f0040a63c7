//! Events as text for people.

use std::fmt::Write as _;

use serde_json::Value;

use super::said::Said;

/// The event as its text alone: the fields repeat it for programs. An event that a person sees otherwise is marked,
/// and shows its fields.
pub(super) fn line(said: &Said) -> String {
    if said.fatal {
        return said.text("err.message").unwrap_or(&said.message).to_owned();
    }
    if !said.aside {
        return said.message.trim_end().to_owned();
    }
    let mut line = format!("debug: {}", said.message);
    for (name, value) in &said.fields {
        let shown = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let _ = write!(line, "  {name}={shown}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    fn said(fatal: bool, aside: bool) -> Said {
        let fields =
            vec![("run", "7".into()), ("count", 3.into()), ("err.message", "all of it".into())];
        Said { level: Level::INFO, fatal, aside, message: "Text.\n".to_owned(), fields }
    }

    #[test]
    fn people_see_the_text_of_an_event_and_its_fields_only_where_they_asked_for_more() {
        assert_eq!(line(&said(false, false)), "Text.");
        assert_eq!(line(&said(true, false)), "all of it");
        assert!(line(&said(false, true)).starts_with("debug: Text.\n  run=7  count=3"));
    }
}
