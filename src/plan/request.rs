//! One request: its URL, headers, body, budgets.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use url::Url;

use super::filling::{FilledTemplate, TemplateFiller};
use super::live::{Live, LiveText};
use super::target::{BaseUrl, url_of};
use super::{AskPlan, HttpPlan, RequestPlan, body, capture, expectation, sql, step, terms};
use crate::record::{Budget, Ceiling, Dimension, PlannedRequest};
use crate::scenario::file::RequestSection;
use crate::scenario::{Field, Scenario, Span, TableEntries, Template};

/// Headers whose values are credentials, variable or not.
const CREDENTIALS: [HeaderName; 3] =
    [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE];

/// What is sent where the scenario names no user agent.
const USER_AGENT: &str = concat!("tollgate/", env!("CARGO_PKG_VERSION"));

/// A request to show, to send, and the names of what is recorded beside it.
type ResolvedRequest = (PlannedRequest, RequestPlan, Vec<String>);

/// Every request of a scenario, to show and to send; nothing where one is wrong.
pub(super) fn resolve(
    scenario: &Scenario,
    base: &BaseUrl,
    filler: &mut TemplateFiller<'_>,
) -> Option<Vec<ResolvedRequest>> {
    let headers = scenario
        .file
        .headers
        .value()
        .map_or_else(RequestHeaders::default, |entries| of_entries(entries, filler));
    filler.set_captured(captured(scenario));
    let requests: Vec<_> = scenario
        .file
        .requests()
        .enumerate()
        .map(|(at, request)| one(scenario, at, request, headers.clone(), base, filler))
        .collect();
    requests.into_iter().collect()
}

/// All values that steps capture, each with its step.
fn captured(scenario: &Scenario) -> Vec<(String, String)> {
    let of = |request: &RequestSection| {
        let names = request.capture.value().into_iter().flatten().map(|(name, _)| name.clone());
        names.map(|name| (name, request.name().to_owned())).collect::<Vec<_>>()
    };
    scenario.file.requests().flat_map(of).collect()
}

/// The requests to show, each with its hops and tries after it, and those to send, each with its place among the former.
pub(super) fn with_those_beside(
    requests: Vec<ResolvedRequest>,
) -> (Vec<PlannedRequest>, Vec<RequestPlan>) {
    let (mut all_shown, mut plans) = (Vec::new(), Vec::new());
    for (shown, mut plan, names) in requests {
        plan.place = all_shown.len();
        let tries = plan.place_of_tries() - plan.place - 1;
        let beside = names.into_iter().enumerate();
        let hops: Vec<_> =
            beside.map(|(at, name)| hop(&shown, if at == tries { 0 } else { at }, name)).collect();
        all_shown.push(shown);
        all_shown.extend(hops);
        plans.push(plan);
    }
    (all_shown, plans)
}

/// What is shown of a request's hop, or of its tries; where a hop leads is the target's to say.
fn hop(request: &PlannedRequest, at: usize, name: String) -> PlannedRequest {
    let line = match at {
        0 => request.line.clone(),
        redirect => format!("{}, redirect {redirect}", request.line),
    };
    PlannedRequest {
        name,
        line,
        headers: Vec::new(),
        expectations: Vec::new(),
        budgets: Vec::new(),
        hop_of: Some(request.name.clone()),
        accepts: Vec::new(),
        terms: Vec::new(),
    }
}

fn one(
    scenario: &Scenario,
    at: usize,
    request: &RequestSection,
    headers: RequestHeaders,
    base: &BaseUrl,
    filler: &mut TemplateFiller<'_>,
) -> Option<ResolvedRequest> {
    step::begin(request, filler);
    let asked = if request.sql.is_written() {
        sql::resolve(scenario, request, filler)
    } else {
        http(scenario, request, headers, base, filler)
    };
    let base_of_answer = (!request.sql.is_written()).then_some(base);
    let expected = expectation::resolve(request, base_of_answer, filler);
    let captures = capture::resolve(request, filler);
    let lacks = step::end(request, filler);
    filler.allow_captured(
        request.capture.value().into_iter().flatten().map(|(name, _)| name.as_str()),
    );
    let budgets = budgets(scenario, at, request);
    reachable(scenario, request, base, filler);
    let (ResolvedAction { line, headers, ask, mut live }, expected, captures) =
        (asked?, expected?, captures?);
    live.checks = expected.live;
    let shown = PlannedRequest {
        name: request.name().to_owned(),
        line,
        headers,
        expectations: expected.lines,
        budgets: budgets.clone(),
        hop_of: None,
        accepts: step::accepts(request),
        terms: terms::of(request, &ask, &captures),
    };
    let plan = RequestPlan {
        ask,
        live,
        expectations: expected.expectations,
        captures,
        ceilings: ceilings(&budgets),
        tries: step::tries(request),
        may_be_absent: request.when_absent.is_written(),
        lacks,
        place: at,
    };
    Some((shown, plan, request.beside_names()))
}

/// What a step asks, and what is shown of it.
pub(super) struct ResolvedAction {
    pub(super) line: String,
    pub(super) headers: Vec<String>,
    pub(super) ask: AskPlan,
    pub(super) live: Live,
}

fn http(
    scenario: &Scenario,
    request: &RequestSection,
    mut headers: RequestHeaders,
    base: &BaseUrl,
    filler: &mut TemplateFiller<'_>,
) -> Option<ResolvedAction> {
    if let Some(entries) = request.headers.value() {
        headers.replace(of_entries(entries, filler));
    }
    let method = request.method.value().cloned().unwrap_or(Method::GET);
    let path = path(request, base, filler);
    let body = body::resolve(scenario, request, filler);
    let (RequestUrl { shown, url, live }, body) = (path?, body?);
    if body.is_json {
        headers.add_unless_written(header::CONTENT_TYPE, "Content-Type", "application/json");
    }
    headers.add_unless_written(header::USER_AGENT, "User-Agent", USER_AGENT);
    Some(ResolvedAction {
        line: format!("{method} {shown}"),
        headers: headers.shown(),
        live: Live { url: live, headers: headers.live(), body: body.live, checks: Vec::new() },
        ask: AskPlan::Http(Box::new(HttpPlan {
            method,
            url,
            headers: headers.into_map(),
            body: body.bytes,
            redirects: request.redirects(),
        })),
    })
}

/// Where a request goes: as it is shown, as a whole, and again where it is known only while running.
struct RequestUrl {
    shown: String,
    url: Url,
    live: Option<LiveText>,
}

fn path(
    request: &RequestSection,
    base: &BaseUrl,
    filler: &mut TemplateFiller<'_>,
) -> Option<RequestUrl> {
    if let Some((location, template)) = request.url.located() {
        return whole_url(&location.value, template, filler);
    }
    let (location, template) = request.path.located()?;
    let text = filler.fill_live(&location.value, template)?;
    if text.value.contains('#') {
        return filler.report(
            &location.value,
            "a fragment is never sent",
            "leave out `#` and what follows",
        );
    }
    if !text.value.starts_with('/') && !text.guessed {
        return filler.report(
            &location.value,
            "the path does not begin with `/`",
            "write it like `/app?mock=1`",
        );
    }
    if text.live.as_ref().is_some_and(|live| !live.beginning().starts_with('/')) {
        return filler.report(
            &location.value,
            LIVE_ORIGIN,
            "begin the path with `/` and write the value after it",
        );
    }
    let value = if text.value.starts_with('/') { text.value } else { "/".to_owned() };
    let live = text.live.map(|live| live.after(base.url.as_str().trim_end_matches('/')));
    match url_of(&value, base) {
        Ok(url) => Some(RequestUrl { shown: text.shown, url, live }),
        Err((problem, remedy)) => filler.report(&location.value, problem, remedy),
    }
}

/// A URL of another origin than the base URL's, perhaps.
fn whole_url(
    at: &Span,
    template: &Template,
    filler: &mut TemplateFiller<'_>,
) -> Option<RequestUrl> {
    let text = filler.fill_live(at, template)?;
    if text.live.as_ref().is_some_and(|live| !names_its_origin(live.beginning())) {
        return filler.report(at, LIVE_ORIGIN, "write scheme, host and a `/` before the value");
    }
    let url = match Url::parse(&text.value) {
        Ok(url) => url,
        Err(_) if text.guessed => BaseUrl::placeholder()?.url,
        Err(error) => {
            let problem = format!("the URL cannot be read: {error}");
            return filler.report(
                at,
                problem,
                "write a whole one, such as `https://example.org/health`",
            );
        }
    };
    let problem = if !matches!(url.scheme(), "http" | "https") {
        "the URL is neither http nor https"
    } else if !url.username().is_empty() || url.password().is_some() {
        "the URL holds a user name or password"
    } else if url.fragment().is_some() {
        "the URL holds a fragment, which is never sent"
    } else {
        return Some(RequestUrl { shown: text.shown, url, live: text.live });
    };
    filler.report(
        at,
        problem,
        "write scheme, host, path and perhaps a query; send credentials in `headers`",
    )
}

/// What is said where a captured value would say where a request goes, and its headers with it.
const LIVE_ORIGIN: &str =
    "a value that is known only while running cannot say where a request goes";

/// Whether scheme and host, and where its path begins, stand in a text.
fn names_its_origin(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.find('/').is_some_and(|at| at > 0))
}

/// Headers to send.
#[derive(Clone, Default)]
struct RequestHeaders(Vec<RequestHeader>);

/// One header, with its line to show.
#[derive(Clone)]
struct RequestHeader {
    name: HeaderName,
    value: HeaderValue,
    line: String,
    /// The value again, where it is known only while running.
    live: Option<LiveText>,
    /// Whether its variables come to nothing: it takes the place of another of its name, and is not sent.
    is_left_out: bool,
}

impl RequestHeaders {
    fn replace(&mut self, own: Self) {
        self.0.retain(|header| own.0.iter().all(|replaced| replaced.name != header.name));
        self.0.extend(own.0);
    }

    fn add_unless_written(&mut self, name: HeaderName, shown: &str, value: &'static str) {
        if self.0.iter().all(|header| header.name != name) {
            let (line, value) = (format!("{shown}: {value}"), HeaderValue::from_static(value));
            self.0.push(RequestHeader { name, value, line, live: None, is_left_out: false });
        }
    }

    fn shown(&self) -> Vec<String> {
        self.0
            .iter()
            .filter(|header| !header.is_left_out)
            .map(|header| header.line.clone())
            .collect()
    }

    fn live(&self) -> Vec<(HeaderName, LiveText)> {
        self.0
            .iter()
            .filter_map(|header| Some((header.name.clone(), header.live.clone()?)))
            .collect()
    }

    fn into_map(self) -> HeaderMap {
        let sent = self.0.into_iter().filter(|header| !header.is_left_out);
        sent.map(|RequestHeader { name, value, .. }| (name, value)).collect()
    }
}

fn of_entries(entries: &TableEntries<Template>, filler: &mut TemplateFiller<'_>) -> RequestHeaders {
    let headers = entries.iter().filter_map(|(written, field)| {
        let name = HeaderName::from_bytes(written.as_bytes()).ok()?;
        let (location, template) = field.located()?;
        let text = filler.fill_live(&location.value, template)?;
        let is_left_out = text.value.is_empty() && template.variables().next().is_some();
        let live = text.live.clone();
        let (value, shown) = of_text(written, &name, &location.value, text, filler)?;
        Some(RequestHeader { name, value, line: format!("{written}: {shown}"), live, is_left_out })
    });
    RequestHeaders(headers.collect())
}

/// The value of a header, and what is shown of it.
pub(super) fn value(
    written: &str,
    name: &HeaderName,
    field: &Field<Template>,
    filler: &mut TemplateFiller<'_>,
) -> Option<(HeaderValue, String)> {
    let (location, template) = field.located()?;
    let text = filler.fill(&location.value, template)?;
    of_text(written, name, &location.value, text, filler)
}

fn of_text(
    written: &str,
    name: &HeaderName,
    at: &Span,
    text: FilledTemplate,
    filler: &mut TemplateFiller<'_>,
) -> Option<(HeaderValue, String)> {
    let Ok(mut value) = HeaderValue::from_bytes(text.value.as_bytes()) else {
        let problem = format!("the value of `{written}` holds a character that no header may hold");
        return filler.report(at, problem, "take line ends and control characters out of it");
    };
    let credential = CREDENTIALS.contains(name);
    value.set_sensitive(text.secret || credential);
    let shown = if credential && !names_its_secret_alone(&text.shown) {
        "•••".to_owned()
    } else {
        text.shown
    };
    Some((value, shown))
}

/// The scenario's budgets and the request's own, each once. Only the first request of an arrival opens a connection,
/// so that the scenario's budgets on opening one judge that request alone.
fn budgets(scenario: &Scenario, at: usize, request: &RequestSection) -> Vec<Budget> {
    let opens = |budget: &Budget| {
        budget.ceiling().is_some_and(|(dimension, _)| dimension.needs_fresh_connection())
    };
    let given = |field: &Field<Vec<Field<Budget>>>| {
        field.value().into_iter().flatten().filter_map(Field::value).copied().collect::<Vec<_>>()
    };
    let shared =
        given(&scenario.file.budgets).into_iter().filter(|budget| at == 0 || !opens(budget));
    let mut budgets: Vec<Budget> = Vec::new();
    for budget in shared.chain(given(&request.budgets)) {
        if !budgets.contains(&budget) {
            budgets.push(budget);
        }
    }
    budgets
}

fn ceilings(budgets: &[Budget]) -> Vec<Ceiling> {
    let mut ceilings = Vec::new();
    for (dimension, limit) in budgets.iter().filter_map(Budget::ceiling) {
        let ceiling = Ceiling { dimension, limit };
        if !ceilings.contains(&ceiling) {
            ceilings.push(ceiling);
        }
    }
    ceilings
}

/// Complains about budgets on phases that the target's URL has not: TLS over http, looking up what is known. A redirect
/// may lead to another origin, which has them.
fn reachable(
    scenario: &Scenario,
    request: &RequestSection,
    base: &BaseUrl,
    filler: &mut TemplateFiller<'_>,
) {
    if base.guessed || request.redirects() > 0 || !request.path.is_written() {
        return;
    }
    let is_first =
        scenario.file.requests().next().is_some_and(|first| std::ptr::eq(first, request));
    let shared = is_first.then_some(&scenario.file.budgets);
    for field in shared.into_iter().chain([&request.budgets]) {
        for (location, budget) in field.value().into_iter().flatten().filter_map(Field::located) {
            let Some((dimension, _)) = budget.ceiling() else { continue };
            let why = match dimension {
                Dimension::Tls | Dimension::TlsFull | Dimension::TlsResumed
                    if base.url.scheme() == "http" =>
                {
                    "the target is http"
                }
                Dimension::Dns if !matches!(base.url.host(), Some(url::Host::Domain(_))) => {
                    "the target is an address, no name"
                }
                Dimension::Dns if base.given => "the target's addresses are given by `resolve`",
                _ => continue,
            };
            let problem = format!("`{dimension}` is never entered: {why}");
            filler.report::<()>(&location.value, problem, "leave this budget out");
        }
    }
}

/// Whether a credential is shown as a scheme and a variable and nothing else: `Bearer ${TOKEN}`.
fn names_its_secret_alone(shown: &str) -> bool {
    let (scheme, variable) = shown.split_once("${").unwrap_or((shown, ""));
    let name = variable.strip_suffix('}').unwrap_or_default();
    scheme.trim_end().bytes().all(|byte| byte.is_ascii_alphabetic())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
