//! One request: its URL, headers, body, budgets.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::filling::Filler;
use super::target::{Base, url_of};
use super::{RequestPlan, body, expectation};
use crate::record::{Budget, Ceiling, Dimension, PlannedRequest};
use crate::scenario::file::Request;
use crate::scenario::{Entries, Field, Scenario, Template};

/// Headers whose values are credentials, variable or not.
const CREDENTIALS: [HeaderName; 3] = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE];

/// What is sent where the scenario names no user agent.
const USER_AGENT: &str = concat!("tollgate/", env!("CARGO_PKG_VERSION"));

/// A request to show, to send, and the names of its hops.
type Planned = (PlannedRequest, RequestPlan, Vec<String>);

/// Every request of a scenario, to show and to send; nothing where one is wrong.
pub(super) fn resolve(scenario: &Scenario, base: &Base, filler: &mut Filler<'_>) -> Option<Vec<Planned>> {
    let headers =
        scenario.file.headers.given().map_or_else(Headers::default, |entries| of_entries(entries, filler));
    let requests: Vec<_> = scenario
        .file
        .requests()
        .enumerate()
        .map(|(at, request)| one(scenario, at, request, headers.clone(), base, filler))
        .collect();
    requests.into_iter().collect()
}

/// The requests to show, each with its hops after it, and those to send, each with its place among the former.
pub(super) fn with_hops(requests: Vec<Planned>) -> (Vec<PlannedRequest>, Vec<RequestPlan>) {
    let (mut all_shown, mut plans) = (Vec::new(), Vec::new());
    for (shown, mut plan, hop_names) in requests {
        plan.place = all_shown.len();
        let hops: Vec<_> =
            hop_names.into_iter().enumerate().map(|(at, name)| hop(&shown, at, name)).collect();
        all_shown.push(shown);
        all_shown.extend(hops);
        plans.push(plan);
    }
    (all_shown, plans)
}

/// What is shown of a request's hop; where it leads is the target's to say.
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
    }
}

fn one(
    scenario: &Scenario,
    at: usize,
    request: &Request,
    mut headers: Headers,
    base: &Base,
    filler: &mut Filler<'_>,
) -> Option<Planned> {
    if let Some(entries) = request.headers.given() {
        headers.replace(of_entries(entries, filler));
    }
    let method = request.method.given().cloned().unwrap_or(Method::GET);
    let path = path(request, base, filler);
    let body = body::resolve(scenario, request, filler);
    let expectations = expectation::resolve(request.expect.given(), base, filler);
    let budgets = budgets(scenario, at, request);
    reachable(scenario, request, base, filler);
    let ((shown_path, url), body, (lines, expectations)) = (path?, body?, expectations?);
    if body.is_json {
        headers.add_unless_written(header::CONTENT_TYPE, "Content-Type", "application/json");
    }
    headers.add_unless_written(header::USER_AGENT, "User-Agent", USER_AGENT);
    let shown = PlannedRequest {
        name: request.name().to_owned(),
        line: format!("{method} {shown_path}"),
        headers: headers.shown(),
        expectations: lines,
        budgets: budgets.clone(),
        hop_of: None,
        accepts: Vec::new(),
    };
    let plan = RequestPlan {
        method,
        url,
        headers: headers.into_map(),
        body: body.bytes,
        expectations,
        ceilings: ceilings(&budgets),
        redirects: request.redirects(),
        place: at,
    };
    Some((shown, plan, request.hop_names()))
}

/// The path as it is shown, and the full URL.
fn path(request: &Request, base: &Base, filler: &mut Filler<'_>) -> Option<(String, url::Url)> {
    let (place, template) = request.path.placed()?;
    let text = filler.fill(&place.value, template)?;
    if text.value.contains('#') {
        return filler.complain(&place.value, "a fragment is never sent", "leave out `#` and what follows");
    }
    if !text.value.starts_with('/') && !text.guessed {
        return filler.complain(
            &place.value,
            "the path does not begin with `/`",
            "write it like `/app?mock=1`",
        );
    }
    let value = if text.value.starts_with('/') { text.value } else { "/".to_owned() };
    match url_of(&value, base) {
        Ok(url) => Some((text.shown, url)),
        Err((problem, remedy)) => filler.complain(&place.value, problem, remedy),
    }
}

/// Headers to send, each with its line to show.
#[derive(Clone, Default)]
struct Headers(Vec<(HeaderName, HeaderValue, String)>);

impl Headers {
    fn replace(&mut self, own: Self) {
        self.0.retain(|(name, ..)| own.0.iter().all(|(replaced, ..)| replaced != name));
        self.0.extend(own.0);
    }

    fn add_unless_written(&mut self, name: HeaderName, shown: &str, value: &'static str) {
        if self.0.iter().all(|(written, ..)| *written != name) {
            self.0.push((name, HeaderValue::from_static(value), format!("{shown}: {value}")));
        }
    }

    fn shown(&self) -> Vec<String> {
        self.0.iter().map(|(.., line)| line.clone()).collect()
    }

    fn into_map(self) -> HeaderMap {
        self.0.into_iter().map(|(name, value, _)| (name, value)).collect()
    }
}

fn of_entries(entries: &Entries<Template>, filler: &mut Filler<'_>) -> Headers {
    let headers = entries.iter().filter_map(|(written, field)| {
        let name = HeaderName::from_bytes(written.as_bytes()).ok()?;
        let (value, shown) = value(written, &name, field, filler)?;
        Some((name, value, format!("{written}: {shown}")))
    });
    Headers(headers.collect())
}

/// The value of a header, and what is shown of it.
pub(super) fn value(
    written: &str,
    name: &HeaderName,
    field: &Field<Template>,
    filler: &mut Filler<'_>,
) -> Option<(HeaderValue, String)> {
    let (place, template) = field.placed()?;
    let text = filler.fill(&place.value, template)?;
    let Ok(mut value) = HeaderValue::from_bytes(text.value.as_bytes()) else {
        let problem = format!("the value of `{written}` holds a character that no header may hold");
        return filler.complain(&place.value, problem, "take line ends and control characters out of it");
    };
    let credential = CREDENTIALS.contains(name);
    value.set_sensitive(text.secret || credential);
    let shown =
        if credential && !names_its_secret_alone(&text.shown) { "•••".to_owned() } else { text.shown };
    Some((value, shown))
}

/// The scenario's budgets and the request's own, each once. Only the first request of an arrival opens a connection,
/// so that the scenario's budgets on opening one judge that request alone.
fn budgets(scenario: &Scenario, at: usize, request: &Request) -> Vec<Budget> {
    let opens =
        |budget: &Budget| budget.ceiling().is_some_and(|(dimension, _)| dimension.needs_fresh_connection());
    let given = |field: &Field<Vec<Field<Budget>>>| {
        field.given().into_iter().flatten().filter_map(Field::given).copied().collect::<Vec<_>>()
    };
    let shared = given(&scenario.file.budgets).into_iter().filter(|budget| at == 0 || !opens(budget));
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
fn reachable(scenario: &Scenario, request: &Request, base: &Base, filler: &mut Filler<'_>) {
    if base.guessed || request.redirects() > 0 {
        return;
    }
    let is_first = scenario.file.requests().next().is_some_and(|first| std::ptr::eq(first, request));
    let shared = is_first.then_some(&scenario.file.budgets);
    for field in shared.into_iter().chain([&request.budgets]) {
        for (place, budget) in field.given().into_iter().flatten().filter_map(Field::placed) {
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
            filler.complain::<()>(&place.value, problem, "leave this budget out");
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
