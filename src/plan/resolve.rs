//! From scenarios and an environment to a plan.

use std::collections::BTreeSet;
use std::time::Duration;

use url::Url;

use super::filling::Filler;
use super::{
    Environment, Family, Plan, Protocol, Resolve, Reuse, ScenarioPlan, Secrets, TargetPlan, Timeouts, Trust,
    Warmup, doubts, load, request,
};
use crate::record::{Dimension, PlannedScenario};
use crate::scenario::file::Target;
use crate::scenario::{Complaint, Field, Scenario, ScenarioErrors, Span, Template, Warning, Words};

/// What the command line changes in a plan.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Another length of the measured phase; stages and single arrivals have none to change.
    pub duration: Option<Duration>,
    /// Another period of repetition.
    pub every: Option<Duration>,
    /// Another version of HTTP.
    pub protocol: Option<Protocol>,
    /// Another choice of addresses.
    pub family: Option<Family>,
    /// Given addresses, looked at before the scenarios' own.
    pub resolve: Vec<Resolve>,
    /// Hosts that redirects may lead to, beside the scenarios' own.
    pub allowed_hosts: Vec<String>,
    /// Whether any certificate is believed.
    pub insecure: bool,
}

impl Plan {
    /// Reads the environment into scenarios that will be carried out at the same time.
    ///
    /// The error holds every mistake of every scenario. The warnings are about what can be carried out, but hardly
    /// as it was meant.
    pub fn resolve(
        scenarios: &[Scenario],
        environment: &Environment,
        overrides: &Overrides,
    ) -> Result<(Self, Vec<Warning>), ScenarioErrors> {
        let public = public_variables(scenarios);
        let (mut warnings, mut secrets) = (Vec::new(), Vec::new());
        let plans = scenarios.iter().enumerate().map(|(at, scenario)| {
            let mut filler = Filler::new(environment, &public);
            unique_name(&scenarios[..at], scenario, &mut filler);
            let plan = resolve_one(scenario, overrides, &mut filler);
            secrets.append(&mut filler.secrets);
            warnings.extend(filler.doubts.drain(..).map(|doubt| Warning::of(&scenario.source, doubt)));
            match plan {
                Some(plan) if filler.complaints.is_empty() => Ok(plan),
                _ => Err(ScenarioErrors::of(&scenario.source, filler.complaints)),
            }
        });
        let scenarios = ScenarioErrors::gather(plans.collect::<Vec<_>>())?;
        Ok((Self { scenarios, secrets: Secrets::new(secrets), every: None }, warnings))
    }
}

/// Variables that may be shown: those that a scenario of the run calls public or shows in its base URL.
fn public_variables(scenarios: &[Scenario]) -> BTreeSet<String> {
    let listed = |scenario: &Scenario| {
        let names = scenario.file.public.given().into_iter().flatten().filter_map(Field::given);
        names.map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
    };
    let shown = |scenario: &Scenario| {
        let base_url = scenario.file.target.given().and_then(|target| target.base_url.given());
        base_url.into_iter().flat_map(Template::variables).map(str::to_owned).collect::<Vec<_>>()
    };
    scenarios.iter().flat_map(|scenario| [listed(scenario), shown(scenario)].concat()).collect()
}

fn unique_name(before: &[Scenario], scenario: &Scenario, filler: &mut Filler<'_>) {
    let Some(place) = scenario.file.name.place() else { return };
    if let Some(same) = before.iter().find(|other| other.name() == scenario.name()) {
        let problem = format!("two scenarios of this run are named `{}`", scenario.name());
        let remedy = format!("rename it; the other one is {}", same.source.name());
        filler.complaints.push(Complaint::new(place.value.clone(), problem, remedy));
    }
}

fn resolve_one(scenario: &Scenario, overrides: &Overrides, filler: &mut Filler<'_>) -> Option<ScenarioPlan> {
    let target = scenario.file.target.given()?;
    let load = load::resolve(scenario, overrides, filler);
    let base = base_url(target, filler)?;
    let trust = trust(scenario, target, filler);
    let pairs = request::resolve(scenario, &base, filler);
    let (load, trust, (shown, requests)) = (load?, trust?, pairs?.into_iter().unzip());
    let warmup = scenario.warmup;
    let plan = ScenarioPlan {
        shown: PlannedScenario {
            name: scenario.name().to_owned(),
            description: scenario.file.description.given().map_or("", Words::as_str).to_owned(),
            source: scenario.source.name().to_owned(),
            base_url: base.shown,
            load: load::words(scenario, &load),
            warmup: load::warmup_words(warmup),
            caveats: Vec::new(),
            requests: shown,
        },
        target: TargetPlan {
            base_url: base.url,
            protocol: Protocol::Http1,
            trust,
            identity: None,
            family: Family::Any,
            resolve: Vec::new(),
            allowed_hosts: Vec::new(),
            timeouts: timeouts(target),
        },
        requests,
        load,
        streams: 1,
        reuse: if scenario.load.fresh { Reuse::Fresh } else { Reuse::Keep },
        warmup: Warmup { connections: warmup.connections, requests: warmup.requests },
    };
    filler.doubts.extend(doubts::of(scenario, &plan));
    Some(plan)
}

/// A base URL and how it is shown.
pub(super) struct Base {
    pub(super) url: Url,
    shown: String,
    /// Whether variables are missing, so that the URL is made up.
    pub(super) guessed: bool,
}

impl Base {
    /// The URL of a path that begins with `/`.
    pub(super) fn join(&self, path: &str) -> Result<Url, url::ParseError> {
        Url::parse(&format!("{}{path}", self.url.as_str().trim_end_matches('/')))
    }
}

fn base_url(target: &Target, filler: &mut Filler<'_>) -> Option<Base> {
    let (place, template) = target.base_url.placed()?;
    let text = filler.fill(&place.value, template)?;
    let mistake = |url: &Url| base_url_mistake(url);
    match Url::parse(&text.value) {
        Ok(url) if mistake(&url).is_none() => {
            let shown = if text.guessed { text.shown } else { url.as_str().trim_end_matches('/').to_owned() };
            Some(Base { url, shown, guessed: text.guessed })
        }
        _ if text.guessed => {
            let url = Url::parse("http://placeholder.invalid").ok()?;
            Some(Base { url, shown: text.shown, guessed: true })
        }
        // What was found is never shown: it may hold a password.
        Ok(url) => {
            let (problem, remedy) = mistake(&url)?;
            filler.complain(&place.value, problem, remedy)
        }
        Err(url::ParseError::RelativeUrlWithoutBase) => filler.complain(
            &place.value,
            "the base URL has no scheme",
            "begin it with `https://` or `http://`",
        ),
        Err(error) => filler.complain(
            &place.value,
            format!("the base URL cannot be read: {error}"),
            "write a URL such as `https://example.org`",
        ),
    }
}

fn base_url_mistake(url: &Url) -> Option<(&'static str, &'static str)> {
    let plain = "write scheme, host and perhaps port and path: `https://example.org`";
    if !matches!(url.scheme(), "http" | "https") {
        return Some(("the base URL is neither http nor https", "begin it with `http://` or `https://`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some(("the base URL holds a user name or password", "send credentials in `[headers]`"));
    }
    (url.query().is_some() || url.fragment().is_some())
        .then_some(("the base URL holds a query or fragment", plain))
}

fn trust(scenario: &Scenario, target: &Target, filler: &mut Filler<'_>) -> Option<Trust> {
    let Some((place, path)) = target.tls_ca.placed() else { return Some(Trust::System) };
    let path = scenario.source.resolve(path.as_str());
    if path.is_file() {
        return Some(Trust::File(path));
    }
    let problem = format!("there is no file {}", path.display());
    filler.complain(&place.value, problem, "name a PEM file, seen from the scenario's folder")
}

fn timeouts(target: &Target) -> Timeouts {
    let of = |dimension| target.timeout_of(dimension).map_or(target.whole_timeout(), |(_, timeout)| timeout);
    Timeouts {
        dns: of(Dimension::Dns),
        connect: of(Dimension::Connect),
        tls: of(Dimension::Tls),
        first_byte: of(Dimension::FirstByte),
        whole: target.whole_timeout(),
    }
}

/// A URL from a path or from a whole URL; the error is a problem and its remedy.
pub(super) fn url_of(text: &str, base: &Base) -> Result<Url, (String, &'static str)> {
    let url = if text.starts_with('/') { base.join(text) } else { Url::parse(text) };
    url.map_err(|error| (format!("this is no URL: {error}"), "write a path such as `/app?mock=1`"))
}

/// The place of a value that is known to be written.
pub(super) fn span_of<T>(field: &Field<T>) -> Span {
    field.place().map_or(0..0, |place| place.value.clone())
}
