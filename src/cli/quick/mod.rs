//! `tollgate run URL`: a scenario from flags alone.
//!
//! The flags are written as the text of a scenario, which is parsed like any file. So a URL and a
//! file take the same way to a plan.

mod address;
mod compose;
mod duet;
mod header;
mod overrides;
mod proxy;
mod search;
mod unshown;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use crate::record::Budget;
use crate::scenario::{ConnectionSetting, LoadShape, Scenario, ScenarioErrors, ScenarioOverrides};
use crate::units::{Rate, UnitError, parse_duration};

use super::exit::CommandError;
use super::flag_variables;
use address::Address;
use header::Header;
use proxy::TypedProxy;

pub(super) use duet::{DuetUrls, parse_duet_url};
pub(super) use header::{header_with_text, redact_header};
pub(super) use overrides::shared_overrides;
pub(super) use proxy::redact_proxy;

/// The default of `--duration` for a URL.
const DURATION: Duration = Duration::from_secs(30);

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Flags for load, requests and budgets. They describe URLs, and override scenario files.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Flags {
    /// A budget that must hold, such as 'p95 < 300ms', 'p99(service) < 200ms', 'max < 1s' or
    /// 'errors < 0.5%'; may be repeated [default: the file's; 'errors < 1%' for URLs]
    #[arg(long, value_name = "BUDGET", value_parser = str::parse::<Budget>, help_heading = "Budgets")]
    budget: Vec<Budget>,
    /// A status that answers may have; may be repeated [default: the file's, else any 2xx]
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(100..=599))]
    #[arg(help_heading = "Budgets")]
    expect_status: Vec<u16>,
    /// Text that the body of every answer must contain; may be repeated
    #[arg(long, value_name = "TEXT", help_heading = "Budgets")]
    expect_body: Vec<String>,
    /// Request rate, kept up whether or not requests are answered: 20/s, 90/min [default: the
    /// file's; 20/s for URLs]
    #[arg(long, value_name = "RATE", value_parser = str::parse::<Rate>, help_heading = "Load")]
    rate: Option<Rate>,
    /// Connections to open before measuring, or `fresh` for a new one for each request; with
    /// --closed, the number of senders [default: the file's; for URLs 16, or as many as --rate
    /// times the largest ceiling needs, up to 100]
    #[arg(long, short = 'c', value_name = "N|fresh", value_parser = parse_connections)]
    #[arg(help_heading = "Load")]
    connections: Option<ConnectionSetting>,
    /// Maximum number of open connections: a request that finds all others in use opens a new one
    /// [default: the file's; for URLs --connections, or as many as rate times ceiling needs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    #[arg(conflicts_with = "closed", help_heading = "Load")]
    max_connections: Option<u32>,
    /// Send again as soon as an answer arrives, like oha, k6 and wrk, instead of at a rate: shows
    /// what a target can sustain, but hides its stalls. Only for URLs
    #[arg(long, conflicts_with = "rate", help_heading = "Load")]
    pub(super) closed: bool,
    /// The name of the scenario, by which `history` and `compare` find it again [default: the
    /// URL's host and path]
    #[arg(long, value_name = "NAME", value_parser = parse_name, help_heading = "Request (of URLs only)")]
    name: Option<String>,
    /// The request method [default: GET, or POST with --body]
    #[arg(
        long,
        short = 'X',
        value_name = "METHOD",
        ignore_case = true,
        help_heading = "Request (of URLs only)"
    )]
    #[arg(value_parser = PossibleValuesParser::new(METHODS).map(|method| method.to_uppercase()))]
    method: Option<String>,
    /// Header to send, `NAME: VALUE`, such as 'Authorization: Bearer ${TOKEN}' in single quotes;
    /// may be repeated. Values of credential headers such as Authorization are never written to a
    /// file, log or report; all other typed values are. ${NAME} is read from the environment
    #[arg(long, short = 'H', value_name = "NAME: VALUE", value_parser = unshown::HEADER)]
    #[arg(help_heading = "Request")]
    header: Vec<Header>,
    /// The request body; ${NAME} is read from the environment
    #[arg(long, value_name = "TEXT", value_parser = unshown::BODY, help_heading = "Request (of URLs only)")]
    body: Option<String>,
    /// Maximum number of redirects to follow [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=20))]
    #[arg(help_heading = "Request (of URLs only)")]
    redirects: Option<u32>,
    /// Time limit for each request, from connection to last byte [default: the file's, else 10s]
    #[arg(long, value_name = "DURATION", value_parser = parse_timeout, help_heading = "Request")]
    timeout: Option<Duration>,
    /// A PEM file with the only certificates to trust: authorities, or exactly the one that the
    /// target presents [default: the authorities of the system]. Only for URLs
    #[arg(long, value_name = "FILE", value_parser = parse_pem_file, conflicts_with = "insecure")]
    #[arg(help_heading = "Connection")]
    ca: Option<PathBuf>,
    /// The HTTP proxy to go through, 'http://[USER:PASSWORD@]HOST:PORT'; its time counts. Only for
    /// URLs; a file has `proxy`
    #[arg(long, value_name = "URL", value_parser = unshown::PROXY, help_heading = "Connection")]
    #[arg(conflicts_with = "proxy_from_env")]
    proxy: Option<TypedProxy>,
    /// Go through the proxies that `HTTP_PROXY`, `HTTPS_PROXY` or `ALL_PROXY` name, except to the
    /// hosts in `NO_PROXY`, as curl does; also for scenario files, instead of their `proxy`
    #[arg(long, help_heading = "Connection")]
    proxy_from_env: bool,
    /// Print the equivalent scenario file and send nothing
    #[arg(long, help_heading = "Output")]
    pub(super) print_scenario: bool,
}

/// A scenario made from flags.
pub(super) struct ComposedScenario {
    /// The URL as it was typed, without its query. Errors name it.
    source: String,
    /// The URL as it was typed.
    url: OsString,
    /// The scenario file.
    pub(super) text: String,
}

/// One scenario for each URL, the variables for values that must not be in the scenarios, and what
/// the flags change in scenario files.
pub(super) struct UrlScenarios {
    pub(super) scenarios: Vec<ComposedScenario>,
    /// The typed values that variables replace, by the names of the variables.
    pub(super) variables: BTreeMap<String, String>,
    overrides: ScenarioOverrides,
}

/// What composing needs in addition to the flags for URLs.
pub(super) struct ComposeContext<'a> {
    /// `--duration`.
    pub(super) duration: Option<Duration>,
    /// `--every`.
    pub(super) every: Option<Duration>,
    /// Further keys of `[target]`.
    pub(super) target: Vec<(&'static str, toml::Value)>,
    /// The scenario names that are already in use.
    pub(super) taken: BTreeSet<String>,
    /// What flags that are not only for URLs change in scenario files.
    pub(super) shared: ScenarioOverrides,
    /// The environment's variables.
    pub(super) variables: &'a BTreeMap<String, String>,
    /// Whether the URLs are the two sides of a duet, which needs no budget.
    pub(super) is_duet: bool,
}

/// Whether a word of the command line is a URL and not a file.
pub(super) fn is_url(word: &OsStr) -> bool {
    let word = word.as_encoded_bytes();
    let begins = |scheme: &[u8]| {
        word.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    // A URL with one slash is a mistake, but not a file. As a file name, messages would show it
    // with its password.
    begins(b"http:/") || begins(b"https:/") || begins(b"http+unix:/")
}

/// The URLs among the sources.
pub(super) fn urls(sources: &[OsString]) -> Vec<String> {
    let urls = sources.iter().filter(|source| is_url(source));
    urls.map(|url| url.to_string_lossy().into_owned()).collect()
}

/// The names of the scenario files that can be read. Errors of the others are reported later, when
/// all sources are read.
pub(super) fn names(sources: &[OsString]) -> BTreeSet<String> {
    let files = sources.iter().filter(|source| !is_url(source));
    files
        .filter_map(|file| Scenario::read(Path::new(file)).ok())
        .map(|file| file.name().to_owned())
        .collect()
}

impl UrlScenarios {
    /// The scenarios of all sources, in the order of the command line, with the flags in place of
    /// what the files say.
    pub(super) fn read(&self, sources: &[OsString]) -> Result<Vec<Scenario>, ScenarioErrors> {
        let mut composed = self.scenarios.iter();
        let file = |path| Scenario::read(path)?.with_overrides(&self.overrides);
        let read = sources.iter().map(|source| {
            let composed = if is_url(source) { composed.next() } else { None };
            composed.map_or_else(|| file(Path::new(source)), ComposedScenario::parse)
        });
        ScenarioErrors::gather(read.collect::<Vec<_>>())
    }
}

impl Flags {
    /// Composes a scenario for each URL.
    pub(super) fn compose(
        &self,
        urls: &[String],
        around: &ComposeContext<'_>,
    ) -> Result<UrlScenarios, CommandError> {
        self.check_use(urls, around.is_duet)?;
        let mut taken = around.taken.clone();
        let mut variables = BTreeMap::new();
        let headers: Vec<_> = self
            .header
            .iter()
            .map(|header| header.extract_credentials(around.variables, &mut variables))
            .collect();
        let proxy = self
            .proxy
            .as_ref()
            .map(|proxy| proxy.extract_password(around.variables, &mut variables));
        let overrides = self.overrides(&headers, &around.shared)?;
        let mut scenarios = Vec::new();
        for (at, url) in urls.iter().enumerate() {
            let address = Address::read(url)?;
            let given = self.name.clone().map(|name| match duet::SIDES.get(at) {
                Some((_, end)) if around.is_duet => format!("{name}{end}"),
                _ => name,
            });
            let name = given.unwrap_or_else(|| address.name(&taken));
            let text = compose::text(self, &address, &name, (&headers, proxy.as_deref()), around);
            taken.insert(name);
            scenarios.push(ComposedScenario { source: address.shown(), url: url.into(), text });
        }
        Ok(UrlScenarios { scenarios, variables, overrides })
    }

    /// The flags that must precede an additional latency budget: it would replace the default
    /// budget. `None` if there already is a latency budget.
    pub(super) fn without_latency(&self) -> Option<String> {
        match self.budget.as_slice() {
            [] => Some(format!("--budget '{}' ", compose::BUDGET)),
            budgets => budgets.iter().all(|budget| budget.dimension().is_none()).then(String::new),
        }
    }

    /// Refuses flags that would change nothing.
    fn check_use(&self, urls: &[String], is_duet: bool) -> Result<(), CommandError> {
        if let (true, [flag, ..]) = (urls.is_empty(), self.for_urls().as_slice()) {
            let origin = flag_variables::origin(flag);
            let remedy = match flag_variables::leave_out(&origin) {
                "unset" => "Unset the variable",
                _ => "Remove the flag",
            };
            return Err(CommandError::usage(format!(
                "error: {origin} describes the request to a URL, and none is named: a scenario file describes its own\n\n\
                 {remedy}, name a URL that begins with http:// or https://, or write it into the file (see docs/scenario.md).",
            )));
        }
        if self.name.is_some() && urls.len() > 1 && !is_duet {
            return Err(CommandError::usage(
                "error: --name names one scenario: name one URL at a time, or leave it out",
            ));
        }
        if self.print_scenario && self.proxy_from_env {
            return Err(CommandError::usage(
                "error: --print-scenario cannot write the environment's proxy into a file: leave out --proxy-from-env, \
                 and write `proxy = \"${HTTPS_PROXY}\"` under [target]",
            ));
        }
        if self.print_scenario && urls.len() != 1 {
            return Err(CommandError::usage(
                "error: --print-scenario prints one file: name one URL at a time",
            ));
        }
        Ok(())
    }

    /// The given flags that only a URL can have. All others change scenario files as well.
    fn for_urls(&self) -> Vec<&'static str> {
        let flags = [
            ("--closed", self.closed),
            ("--name", self.name.is_some()),
            ("--ca", self.ca.is_some()),
            ("--proxy", self.proxy.is_some()),
            ("--method", self.method.is_some()),
            ("--body", self.body.is_some()),
            ("--redirects", self.redirects.is_some()),
            ("--print-scenario", self.print_scenario),
        ];
        given(flags)
    }

    /// Takes the rate out, for a command that does not send a scenario's load.
    pub(super) fn take_rate(&mut self) -> Option<Rate> {
        self.rate.take()
    }

    /// The typed flags. Without a source there is nothing that they could change.
    pub(super) fn typed(&self) -> Vec<&'static str> {
        let flags = [
            ("--budget", !self.budget.is_empty()),
            ("--expect-status", !self.expect_status.is_empty()),
            ("--expect-body", !self.expect_body.is_empty()),
            ("--rate", self.rate.is_some()),
            ("--connections", self.connections.is_some()),
            ("--max-connections", self.max_connections.is_some()),
            ("--header", !self.header.is_empty()),
            ("--timeout", self.timeout.is_some()),
            ("--proxy-from-env", self.proxy_from_env),
        ];
        let mut typed = given(flags);
        typed.extend(self.for_urls());
        typed.retain(|flag| flag_variables::origin(flag).starts_with('-'));
        typed
    }
}

fn given<const N: usize>(flags: [(&'static str, bool); N]) -> Vec<&'static str> {
    flags.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag).collect()
}

impl ComposedScenario {
    /// Parses the text like that of a file.
    fn parse(&self) -> Result<Scenario, ScenarioErrors> {
        Scenario::parse(&self.source, &self.text)
    }
}

/// Parses a scenario's name; files have the same rule.
fn parse_name(text: &str) -> Result<String, UnitError> {
    let is_short = (1..=address::MAX_NAME_LENGTH).contains(&text.chars().count());
    if !is_short || text.trim().is_empty() || text.contains(char::is_control) {
        return Err(UnitError::new(
            "a name has 1 to 80 characters, none of them a control character",
            "write a name such as `home page`",
        ));
    }
    Ok(text.to_owned())
}

/// Parses `16` or `fresh`, like `connections` in a scenario file.
fn parse_connections(text: &str) -> Result<ConnectionSetting, UnitError> {
    if text.eq_ignore_ascii_case("fresh") {
        return Ok(ConnectionSetting::Fresh);
    }
    let most = LoadShape::MAX_CONNECTIONS;
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.map(ConnectionSetting::Kept).ok_or_else(|| {
        let remedy = format!("write a number from 1 to {most}, or `fresh`");
        UnitError::new(format!("`{text}` is not a number of connections"), remedy)
    })
}

/// The absolute path of a file, so that it means the same in a scenario file of any folder.
fn parse_pem_file(text: &str) -> Result<PathBuf, UnitError> {
    let path = std::path::absolute(text).unwrap_or_else(|_| text.into());
    if path.is_file() {
        return Ok(path);
    }
    Err(UnitError::new(format!("there is no file {}", path.display()), "name a PEM file"))
}

fn parse_timeout(text: &str) -> Result<Duration, UnitError> {
    let timeout = parse_duration(text)?;
    if timeout.is_zero() {
        return Err(UnitError::new(
            "the timeout must be longer than 0s",
            "write a timeout such as `10s`",
        ));
    }
    Ok(timeout)
}
