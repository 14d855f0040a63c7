//! Who is told when the runs of a scenario fail.

use std::ffi::OsString;
use std::fmt;

use url::Url;

use super::proxy::ProxyChoice;
use crate::record::{AlertFormat, AlertRule};

/// The `[alert]` of a scenario.
#[derive(Debug, Clone)]
pub struct AlertPlan {
    /// How many of the newest runs must fail.
    pub rule: AlertRule,
    /// The form of the message.
    pub format: AlertFormat,
    /// Where the message goes.
    pub channel: AlertChannel,
}

/// Where an alert goes.
#[derive(Debug, Clone)]
pub enum AlertChannel {
    /// A web service gets it with POST.
    Webhook {
        /// Its URL.
        url: WebhookUrl,
        /// The proxies that the run's connections use.
        proxies: Box<ProxyChoice>,
    },
    /// A program gets it on stdin.
    Command {
        /// The program. One with a `/` in its name is relative to the folder of the scenario.
        program: OsString,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

/// The URL of a webhook, `http` or `https`. Whoever knows it may post there, so nothing prints it.
#[derive(Clone)]
pub struct WebhookUrl(pub Url);

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookUrl(…)")
    }
}

/// What `check` shows of it: `alert: after 2 of 3 failing runs, to a webhook, as slack`.
impl fmt::Display for AlertPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = self.format.name();
        write!(f, "alert: after {} failing runs, ", self.rule)?;
        match &self.channel {
            AlertChannel::Webhook { .. } => write!(f, "to a webhook, as {format}"),
            AlertChannel::Command { program, .. } => {
                write!(f, "to `{}`, as {format}", program.display())
            }
        }
    }
}
