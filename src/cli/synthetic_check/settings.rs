//! What is checked, from what was typed and the variables of the old check; pure.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::super::exit::Problem;
use super::address::{Place, addressed};
use super::budget::{Budget, LIVE, SAMPLE};
use super::notes::is_tile_page;
use super::{Args, Mode};
use crate::engine::probe::Question;
use crate::plan::Secrets;

/// Where the URL comes from, the first that is set.
const URLS: [&str; 3] =
    ["SYNTHETIC_CHECK_URL", "STAGING_SMOKE_TEST_URL", "PRODUCTION_SMOKE_TEST_URL"];
const BUDGET: &str = "SYNTHETIC_CHECK_BUDGET_MS";
const AGENT: &str = "SYNTHETIC_CHECK_USER_AGENT";
pub(super) const TOKEN: &str = "SYNTHETIC_CHECK_TOKEN";
const ARTIFACT: &str = "SYNTHETIC_CHECK_ARTIFACT";
const ENVIRONMENT: &str = "SHOPIFY_FLAG_ENVIRONMENT";

const DEFAULT_AGENT: &str = "Shopify POS/HotDashSyntheticCheck";
/// Everybody knows it, so that it is no secret; a part of many a host's name besides.
pub(super) const DEFAULT_TOKEN: &str = "staging";
pub(super) const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-hotdash-synthetic");

/// What will be checked.
pub(super) struct Settings {
    /// The URL as the artifact names it.
    pub(super) target: String,
    pub(super) question: Question,
    pub(super) budget: Duration,
    /// The user agent, as it is sent.
    pub(super) agent: String,
    /// Where the artifact goes; `None` for a name made of the time.
    pub(super) artifact: Option<PathBuf>,
    /// What must never be shown.
    pub(super) secrets: Secrets,
}

/// The environment: a variable's value, or none.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl Settings {
    /// Reads them; what is typed outranks variables, and an empty variable is not set. Errors show no value.
    pub(super) fn read(args: &Args, variables: Lookup<'_>) -> Result<Self, Problem> {
        let (target, url) = url(args, variables)?;
        let budget = match (&args.budget, text(variables, BUDGET)?) {
            (Some(typed), _) => *typed,
            (None, Some(set)) => {
                Budget::read(&set).map_err(|error| wrong(BUDGET, &error.to_string()))?
            }
            (None, None) => default_budget(text(variables, ENVIRONMENT)?.as_deref()),
        };
        let agent = text(variables, AGENT)?.unwrap_or_else(|| DEFAULT_AGENT.to_owned());
        let token = text(variables, TOKEN)?.unwrap_or_else(|| DEFAULT_TOKEN.to_owned());
        let secrets =
            Secrets::new(Some(token.trim().to_owned()).filter(|token| token != DEFAULT_TOKEN));
        Ok(Self {
            target,
            budget: budget.of(&url),
            question: Question {
                headers: headers(&agent, &token)?,
                looks_at_page: is_tile_page(&url),
                url,
                timeout: args.timeout,
            },
            agent,
            artifact: args.out.clone().or_else(|| set(variables, ARTIFACT).map(PathBuf::from)),
            secrets,
        })
    }
}

/// The URL as it is told, and as it is asked for.
fn url(args: &Args, variables: Lookup<'_>) -> Result<(String, Url), Problem> {
    let typed = args.page.clone().or_else(|| args.url.clone()).map(|typed| ("--url", typed));
    let found = match typed {
        Some(typed) => Some(typed),
        None => URLS
            .iter()
            .find_map(|name| match text(variables, name) {
                Ok(None) => None,
                Ok(Some(value)) => Some(Ok((*name, value))),
                Err(problem) => Some(Err(problem)),
            })
            .transpose()?,
    };
    let written = found.as_ref().map(|(name, value)| Place { name, url: value.trim() });
    addressed(written, args.host.as_deref(), args.mode.map(Mode::is_mock))
        .map_err(|why| Problem::usage(format!("error: {why}")))
}

/// The budget where none is set.
fn default_budget(environment: Option<&str>) -> Budget {
    Budget::Of(if environment == Some("staging") { SAMPLE } else { LIVE })
}

/// What is sent. The token stays with its origin and is shown by nothing.
fn headers(agent: &str, token: &str) -> Result<HeaderMap, Problem> {
    let value = |name: &str, value: &str| {
        HeaderValue::from_str(value.trim())
            .map_err(|_| wrong(name, "holds what no header can, such as a line break"))
    };
    let mut secret = value(TOKEN, token)?;
    secret.set_sensitive(true);
    Ok(HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("text/html,application/json")),
        (USER_AGENT, value(AGENT, agent)?),
        (TOKEN_HEADER, secret),
    ]))
}

/// A variable that is there and not empty.
fn set(variables: Lookup<'_>, name: &str) -> Option<OsString> {
    variables(name).filter(|value| !value.is_empty())
}

/// A variable's text. One that is no text is an error and not passed over: another would stand in for it.
fn text(variables: Lookup<'_>, name: &str) -> Result<Option<String>, Problem> {
    let value = set(variables, name).map(OsString::into_string).transpose();
    value.map_err(|_| wrong(name, "is no text in UTF-8"))
}

fn wrong(name: &str, why: &str) -> Problem {
    Problem::usage(format!("error: {name} {why}"))
}

#[cfg(test)]
pub(super) mod tests;
