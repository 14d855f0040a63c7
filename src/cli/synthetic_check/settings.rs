//! What to check, from flags and the variables of the old check; pure.

use std::ffi::OsString;
use std::path::PathBuf;

use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::super::exit::CommandError;
use super::Args;
use crate::engine::probe::FetchRequest;
use crate::library_text::describe_url;
use crate::plan::SecretSet;
use crate::units::{UnitError, parse_duration};

/// Sources of the URL; the first variable that exists decides, even if it is empty.
const URLS: [&str; 3] =
    ["SYNTHETIC_CHECK_URL", "STAGING_SMOKE_TEST_URL", "PRODUCTION_SMOKE_TEST_URL"];
const BUDGET: &str = "SYNTHETIC_CHECK_BUDGET_MS";
const AGENT: &str = "SYNTHETIC_CHECK_USER_AGENT";
pub(super) const TOKEN: &str = "SYNTHETIC_CHECK_TOKEN";
const ARTIFACT: &str = "SYNTHETIC_CHECK_ARTIFACT";
const ENVIRONMENT: &str = "SHOPIFY_FLAG_ENVIRONMENT";

/// Budget in milliseconds of the page with sample data, `mock=1`.
const SAMPLE_BUDGET: f64 = 300.0;
/// Budget in milliseconds of any other page.
const LIVE_BUDGET: f64 = 800.0;

const DEFAULT_AGENT: &str = "Shopify POS/HotDashSyntheticCheck";
/// Public, and part of many host names, so redacting it would destroy output.
pub(super) const DEFAULT_TOKEN: &str = "staging";
pub(super) const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-hotdash-synthetic");

/// Resolved settings of one check.
pub(super) struct CheckSettings {
    /// The URL as the artifact names it.
    pub(super) target: String,
    pub(super) request: FetchRequest,
    /// In milliseconds, as JavaScript's number.
    pub(super) budget: f64,
    pub(super) agent: String,
    /// The artifact's file; `None` for a name made from the time.
    pub(super) artifact: Option<PathBuf>,
    pub(super) secrets: SecretSet,
}

impl CheckSettings {
    /// Resolves flags and variables. A flag outranks its variable; errors show no value.
    pub(super) fn resolve(
        args: &Args,
        variables: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, CommandError> {
        // Skipping a value that is not UTF-8 would silently check something else.
        let text = |name: &str| {
            let value = variables(name).map(OsString::into_string).transpose();
            value.map_err(|_| usage(&format!("{name} is not UTF-8 text")))
        };
        let text_or = |name: &str, default: &str| {
            let value = text(name)?.filter(|value| !value.is_empty());
            Ok::<_, CommandError>(value.unwrap_or_else(|| default.to_owned()))
        };
        let mut written = args.page.clone().or_else(|| args.url.clone());
        let mut source = "--url";
        for name in URLS {
            if written.is_none() {
                (written, source) = (text(name)?, name);
            }
        }
        let written = written.map(|url| url.trim().to_owned()).filter(|url| !url.is_empty());
        let (target, url) = check_url(written.as_deref(), source, args)?;
        let default =
            if text_or(ENVIRONMENT, "")? == "staging" { SAMPLE_BUDGET } else { LIVE_BUDGET };
        let budget = match (args.budget, text(BUDGET)?) {
            (Some(TypedBudget::Millis(budget)), _) => budget,
            (Some(TypedBudget::Auto), _) => url_budget(&url),
            (None, Some(set)) => javascript_number(&set).unwrap_or(LIVE_BUDGET),
            (None, None) => default,
        };
        let (agent, token) = (text_or(AGENT, DEFAULT_AGENT)?, text_or(TOKEN, DEFAULT_TOKEN)?);
        let artifact = variables(ARTIFACT).filter(|path| !path.is_empty()).map(PathBuf::from);
        let headers = request_headers(&agent, &token)?;
        let token = token.trim().to_owned();
        Ok(Self {
            target,
            request: FetchRequest {
                reads_page: is_tile_page(&url),
                timeout: args.timeout,
                ..FetchRequest::get(url, headers)
            },
            budget,
            agent,
            artifact: args.out.clone().or(artifact),
            secrets: SecretSet::new(Some(token).filter(|token| token != DEFAULT_TOKEN)),
        })
    }
}

/// The target (as written if `--host` and `--mode` change nothing) and the URL.
fn check_url(
    written: Option<&str>,
    source: &str,
    args: &Args,
) -> Result<(String, Url), CommandError> {
    let mut url = match (written, &args.host) {
        (Some(written), _) => parse_url(written, source)?,
        (None, Some(_)) if args.mode.is_some() => parse_url("https://host.invalid/app", source)?,
        (None, Some(_)) => {
            return Err(usage("--host names no page; add `--mode live`, `--mode mock` or `--url`"));
        }
        (None, None) => {
            return Err(usage(
                "no URL to check; set SYNTHETIC_CHECK_URL, STAGING_SMOKE_TEST_URL or \
                 PRODUCTION_SMOKE_TEST_URL, or write `--url https://example.org/app?mock=0`",
            ));
        }
    };
    if let Some(host) = args.host.as_deref().map(str::trim) {
        let scheme = if host.contains("://") { "" } else { "https://" };
        let mut moved = parse_url(&format!("{scheme}{host}"), "--host")?;
        moved.set_path(url.path());
        moved.set_query(url.query());
        moved.set_fragment(url.fragment());
        url = moved;
    }
    if let Some(mode) = args.mode {
        let is_other = |pair: &&str| !pair.is_empty() && pair.split('=').next() != Some("mock");
        let mut pairs: Vec<_> = url.query().unwrap_or("").split('&').filter(is_other).collect();
        pairs.push(mode.query());
        let query = pairs.join("&");
        url.set_query(Some(&query));
    }
    let is_one_word = |text: &&str| !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let unchanged = written.filter(|_| args.host.is_none() && args.mode.is_none());
    Ok((unchanged.filter(is_one_word).map_or_else(|| url.to_string(), str::to_owned), url))
}

fn parse_url(text: &str, source: &str) -> Result<Url, CommandError> {
    let wrong =
        |why: &str| usage(&format!("{source} {why}; write `https://example.org/app?mock=0`"));
    let url = Url::parse(text)
        .map_err(|error| wrong(&format!("is not a URL: {}", describe_url(error))))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("has a scheme other than http and https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("contains a user name or password, which are never sent"));
    }
    Ok(url)
}

/// Headers of the request. The token is sensitive, so it stays with the URL's origin.
fn request_headers(agent: &str, token: &str) -> Result<HeaderMap, CommandError> {
    let value = |name: &str, value: &str| {
        HeaderValue::from_str(value.trim())
            .map_err(|_| usage(&format!("{name} contains a character that no header may contain")))
    };
    let mut secret = value(TOKEN, token)?;
    secret.set_sensitive(true);
    Ok(HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("text/html,application/json")),
        (USER_AGENT, value(AGENT, agent)?),
        (TOKEN_HEADER, secret),
    ]))
}

fn usage(why: &str) -> CommandError {
    CommandError::usage(format!("error: {why}"))
}

/// A budget given by flag; the URL decides about `auto`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TypedBudget {
    Millis(f64),
    Auto,
}

pub(super) fn parse_budget(text: &str) -> Result<TypedBudget, UnitError> {
    if text.trim() == "auto" {
        return Ok(TypedBudget::Auto);
    }
    let duration = || Some(parse_duration(text.trim()).ok()?.as_secs_f64() * 1e3);
    let budget = javascript_number(text).filter(|_| !text.trim().is_empty()).or_else(duration);
    let remedy = "write milliseconds from 0.001 on, such as `300`, or `300ms`, or `auto`";
    let budget = budget.filter(|budget| *budget >= 0.001);
    budget.map(TypedBudget::Millis).ok_or_else(|| UnitError::new("is not a budget", remedy))
}

/// A finite number as JavaScript's `Number()` reads decimals, exponents and hexadecimals
/// (<https://tc39.es/ecma262/#sec-stringtonumber>); an empty text is 0.
fn javascript_number(text: &str) -> Option<f64> {
    // JavaScript counts a byte order mark as whitespace.
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if text.is_empty() {
        return Some(0.0);
    }
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let add = |sum: f64, digit: char| Some(sum * 16.0 + f64::from(digit.to_digit(16)?));
        return digits.chars().try_fold(0.0, add).filter(|_| !digits.is_empty());
    }
    // Rust also reads `inf` and `nan`.
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse().ok().filter(|number: &f64| is_decimal && number.is_finite())
}

/// Whether the URL asks for the page with sample data: its first `mock` is `1`.
pub(super) fn is_mock(url: &Url) -> bool {
    url.query_pairs().find(|(name, _)| name == "mock").is_some_and(|(_, value)| value == "1")
}

/// Whether the URL asks for the tile page, whose budgets and markers are known.
pub(super) fn is_tile_page(url: &Url) -> bool {
    url.path().trim_end_matches('/') == "/app"
}

/// The budget, in milliseconds, that the page of a URL is designed for.
pub(super) fn url_budget(url: &Url) -> f64 {
    if is_mock(url) { SAMPLE_BUDGET } else { LIVE_BUDGET }
}

#[cfg(test)]
pub(super) mod tests;
