//! The message of an alert.

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::words;
use crate::history::{AlertEvent, DEPLOY_TAG, DueAlert, ENVIRONMENT_TAG};
use crate::record::{AlertFormat, AlertRule, Decision, RunRecord};

/// Renders an alert about a scenario as JSON. `record` is the run that sends it.
///
/// Fails only if serialization fails, which would be a bug.
pub fn alert_json(
    due: DueAlert,
    rule: AlertRule,
    (record, scenario): (&RunRecord, &str),
    format: AlertFormat,
) -> Result<Vec<u8>, serde_json::Error> {
    let message = AlertMessage::new(due, rule, record, scenario);
    match format {
        AlertFormat::Json => serde_json::to_vec(&message),
        AlertFormat::Slack => serde_json::to_vec(&SlackMessage { text: escape(&message.text) }),
    }
}

#[derive(Serialize)]
struct SlackMessage {
    text: String,
}

#[derive(Serialize)]
struct AlertMessage<'a> {
    event: AlertEvent,
    text: String,
    scenario: String,
    environment: Option<String>,
    rule: String,
    failed: usize,
    of: usize,
    run: String,
    id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    started: OffsetDateTime,
    verdict: Decision,
    reason: Option<String>,
    git_commit: Option<&'a str>,
    deploy: Option<String>,
}

impl<'a> AlertMessage<'a> {
    fn new(due: DueAlert, rule: AlertRule, record: &'a RunRecord, scenario: &str) -> Self {
        let from = &record.provenance;
        let tag = |key: &str| from.tags.get(key).map(|value| words::name(value));
        let judged = record.verdict.scenarios.iter().find(|judged| judged.scenario == scenario);
        let mut message = Self {
            event: due.event,
            text: String::new(),
            scenario: words::name(scenario),
            environment: tag(ENVIRONMENT_TAG),
            rule: rule.to_string(),
            failed: due.failed,
            of: due.of,
            run: record.name(),
            id: record.id,
            started: from.started,
            verdict: judged.map_or(Decision::Inconclusive, |judged| judged.decision),
            reason: reason(record, scenario),
            git_commit: from.git_commit.as_deref(),
            deploy: tag(DEPLOY_TAG),
        };
        message.text = message.words();
        message
    }

    /// The message in two or three sentences.
    fn words(&self) -> String {
        let environment = self.environment.as_ref().map(|name| format!(" in {name}"));
        let name = format!("{}{}", self.scenario, environment.unwrap_or_default());
        let (failed, of, run) = (self.failed, self.of, &self.run);
        let newest = match of {
            1 => "the latest run".to_owned(),
            of => format!("{failed} of the latest {of} runs"),
        };
        let reason = self.reason.as_ref().map(|why| format!(" {why}")).unwrap_or_default();
        let deploy = self.deploy.as_ref().map(|deploy| format!(", deploy {deploy}"));
        let place = format!("Run {run}{}.", deploy.unwrap_or_default());
        match self.event {
            AlertEvent::Failing => format!("{name} is failing: {newest} failed.{reason} {place}"),
            AlertEvent::Recovered if of == 1 => {
                format!("{name} holds again: {newest} passed. {place}")
            }
            AlertEvent::Recovered => {
                format!("{name} holds again: {newest} failed, and the latest one passed. {place}")
            }
        }
    }
}

/// The first reason for a scenario's fail: `p95 < 300ms on GET /: 12 of 200 took longer.`
fn reason(record: &RunRecord, scenario: &str) -> Option<String> {
    let judged = record.verdict.scenarios.iter().find(|judged| judged.scenario == scenario)?;
    if judged.decision != Decision::Fail {
        return None;
    }
    let failed = judged.budgets.iter().find(|budget| budget.decision == Decision::Fail);
    let of_budget = failed.map(|failed| {
        format!("{} on {}: {}", failed.budget, words::name(&failed.request), failed.reason.what)
    });
    let text = of_budget.or_else(|| judged.reasons.first().map(|reason| reason.what.clone()))?;
    let text = words::display(&text, words::REASON);
    Some(if text.ends_with(['.', '!', '?', '…']) { text } else { format!("{text}.") })
}

/// Escapes the three characters that control Slack's markup
/// (<https://docs.slack.dev/messaging/formatting-message-text#escaping>).
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::fixture;

    fn message(event: AlertEvent, format: AlertFormat) -> Value {
        let (mut record, _) = fixture::rehearsal();
        record.provenance.tags = [(ENVIRONMENT_TAG.to_owned(), "<!channel>\n".to_owned())].into();
        let verdict = &mut record.verdict.scenarios[0];
        verdict.decision = Decision::Fail;
        let scenario = verdict.scenario.clone();
        let due = DueAlert { event, failed: 2, of: 3 };
        let rule = "2 of 3".parse().unwrap();
        let bytes = alert_json(due, rule, (&record, &scenario), format).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_slack_message_is_one_escaped_text() {
        let value = message(AlertEvent::Failing, AlertFormat::Slack);
        let fields: Vec<_> = value.as_object().unwrap().keys().collect();
        let text = value["text"].as_str().unwrap();
        assert_eq!(fields, ["text"]);
        assert!(text.contains("is failing: 2 of the latest 3 runs failed."), "{text}");
        assert!(text.contains("&lt;!channel&gt;") && !text.contains(['<', '>', '\n']), "{text}");
    }

    #[test]
    fn a_plain_message_has_every_fact_as_a_field() {
        let value = message(AlertEvent::Recovered, AlertFormat::Json);
        assert_eq!(
            (&value["event"], &value["rule"], &value["failed"], &value["of"]),
            (&"recovered".into(), &"2 of 3".into(), &2.into(), &3.into())
        );
        for field in ["scenario", "environment", "run", "id", "started", "verdict", "text"] {
            assert!(value[field].is_string(), "{field}: {value}");
        }
        let text = value["text"].as_str().unwrap();
        assert!(
            text.contains("2 of the latest 3 runs failed, and the latest one passed"),
            "{text}"
        );
    }
}
