//! What the flags change in scenario files and in plans.

use std::time::Duration;

use http::StatusCode;

use super::super::connection::{AddressFlags, ConnectionFlags};
use super::super::exit::CommandError;
use super::super::flag_variables;
use super::Flags;
use crate::plan::PlanOverrides;
use crate::scenario::{OverrideValue, ScenarioOverrides, StatusList, Template};

impl Flags {
    /// Adds the overrides of these flags to those that `run` has for URLs and files alike.
    /// `headers` are pairs of name and value, which may contain variables.
    pub(super) fn overrides(
        &self,
        headers: &[(String, String)],
        shared: &ScenarioOverrides,
    ) -> Result<ScenarioOverrides, CommandError> {
        let header =
            |(name, value): &(String, String)| Ok((name.clone(), template("--header", value)?));
        let headers: Vec<_> = headers.iter().map(header).collect::<Result<_, CommandError>>()?;
        let texts = self.expect_body.iter().map(|text| template("--expect-body", text));
        let texts: Vec<_> = texts.collect::<Result<_, _>>()?;
        let statuses = self.expect_status.iter();
        let statuses: Vec<_> =
            statuses.filter_map(|&code| StatusCode::from_u16(code).ok()).collect();
        Ok(ScenarioOverrides {
            rate: self.rate.map(|rate| from("--rate", rate)),
            connections: self.connections.map(|number| from("--connections", number)),
            max_connections: self.max_connections.map(|number| from("--max-connections", number)),
            timeout: self.timeout.map(|timeout| from("--timeout", timeout)),
            budgets: several("--budget", self.budget.clone()),
            headers: several("--header", headers),
            expect_status: several("--expect-status", statuses)
                .map(|OverrideValue { origin, value }| from_origin(origin, StatusList(value))),
            expect_body: several("--expect-body", texts),
            ..shared.clone()
        })
    }

    /// What these flags and those of connections change in a plan.
    pub(in crate::cli) fn plan_overrides(
        &self,
        connection: &ConnectionFlags,
        addresses: &AddressFlags,
        duration: Option<Duration>,
    ) -> PlanOverrides {
        PlanOverrides {
            proxy_from_environment: self.proxy_from_env,
            ..connection.overrides(addresses, duration)
        }
    }
}

/// The overrides that `run` has for URLs and files alike.
pub(in crate::cli) fn shared_overrides(
    duration: Option<Duration>,
    connection: &ConnectionFlags,
    addresses: &AddressFlags,
) -> ScenarioOverrides {
    ScenarioOverrides {
        duration: duration.map(|duration| from("--duration", duration)),
        http: connection.version().map(|version| from("--http", version)),
        ip: addresses.family().map(|(flag, family)| from(flag, family)),
        ..ScenarioOverrides::default()
    }
}

/// A value with the flag or variable that it comes from.
fn from<T>(flag: &str, value: T) -> OverrideValue<T> {
    from_origin(flag_variables::origin(flag), value)
}

fn from_origin<T>(origin: String, value: T) -> OverrideValue<T> {
    OverrideValue { origin, value }
}

fn several<T>(flag: &str, values: Vec<T>) -> Option<OverrideValue<Vec<T>>> {
    (!values.is_empty()).then(|| from(flag, values))
}

/// A text that may contain variables. The error does not show it.
fn template(flag: &str, text: &str) -> Result<Template, CommandError> {
    Template::parse(text).map_err(|_| {
        let origin = flag_variables::origin(flag);
        CommandError::usage(format!(
            "error: a variable in {origin} is malformed; write ${{NAME}}, and $${{ for ${{ itself"
        ))
    })
}
