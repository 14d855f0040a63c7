//! The alert of a scenario: its rule, and where its messages go.

use url::Url;

use super::template_filler::TemplateFiller;
use crate::library_text::describe_url;
use crate::plan::alert_plan::{AlertChannel, AlertPlan, WebhookUrl};
use crate::plan::proxy::ProxyChoice;
use crate::record::AlertFormat;
use crate::scenario::file::AlertSection;
use crate::scenario::{PlainText, Scenario, ScenarioField};

const REMEDY: &str = "write `${SLACK_WEBHOOK}`, with a URL such as `https://host.example/path` in \
                      that variable";

/// The alert, whose messages go through the proxies of the target; `None` if the scenario has none,
/// if its webhook is empty, or after reporting an error.
pub(super) fn plan(
    scenario: &Scenario,
    proxies: Option<&ProxyChoice>,
    filler: &mut TemplateFiller<'_>,
) -> Option<AlertPlan> {
    let alert = scenario.file.alert.value()?;
    let rule = *alert.after.value()?;
    let (channel, usual) = match webhook(alert, filler) {
        Some(url) => (
            AlertChannel::Webhook { url, proxies: Box::new(proxies.cloned().unwrap_or_default()) },
            AlertFormat::Slack,
        ),
        None => (command(scenario, alert)?, AlertFormat::Json),
    };
    let format = alert.format.value().copied().unwrap_or(usual);
    Some(AlertPlan { rule, format, channel })
}

/// The URL of the webhook. Errors never show it.
fn webhook(alert: &AlertSection, filler: &mut TemplateFiller<'_>) -> Option<WebhookUrl> {
    let (location, template) = alert.webhook.located()?;
    let at = &location.value;
    if template.variables().next().is_none() {
        filler.warn(at, "the URL of a webhook is a secret", REMEDY);
    }
    let text = filler.fill(at, template)?;
    if text.guessed {
        return Url::parse("http://localhost/").ok().map(WebhookUrl);
    }
    let written = text.value.trim();
    // `${SLACK_WEBHOOK:-}`: without the variable, nothing is sent.
    if written.is_empty() {
        return None;
    }
    let wrong = match Url::parse(written) {
        Err(error) => format!("the webhook is not a URL: {}", describe_url(error)),
        Ok(url) if !matches!(url.scheme(), "http" | "https") || !url.has_host() => {
            "the webhook is not an http or https URL".to_owned()
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "the webhook has a user name or a password".to_owned()
        }
        Ok(url) => {
            filler.secrets.extend(secrets(written, &url));
            return Some(WebhookUrl(url));
        }
    };
    filler.report(at, wrong, REMEDY)
}

/// The URL, and each part of it that may be a token.
fn secrets(written: &str, url: &Url) -> Vec<String> {
    let segments = url.path_segments().into_iter().flatten().map(str::to_owned);
    let queries = url.query_pairs().map(|(_, value)| value.into_owned());
    let whole = [written.to_owned(), url.to_string(), url.path().to_owned()];
    whole.into_iter().chain(url.query().map(str::to_owned)).chain(segments).chain(queries).collect()
}

/// The command of the scenario.
fn command(scenario: &Scenario, alert: &AlertSection) -> Option<AlertChannel> {
    let words = alert.command.value()?.iter().filter_map(ScenarioField::value);
    let mut words = words.map(PlainText::as_str);
    let program = words.next()?;
    // A name alone is looked up on the PATH.
    let program = if program.contains('/') {
        scenario.source.resolve(program).into_os_string()
    } else {
        program.into()
    };
    Some(AlertChannel::Command { program, arguments: words.map(str::to_owned).collect() })
}
