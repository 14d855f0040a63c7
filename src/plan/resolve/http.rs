//! One HTTP step: its URL, headers and body.

use http::{Method, header};
use url::Url;

use super::action::ResolvedAction;
use super::base_url::{BaseUrl, url_of};
use super::body;
use super::data;
use super::header::{RequestHeaders, of_entries};
use super::route::UNIX_SCHEME;
use super::template_filler::TemplateFiller;
use crate::library_text::describe_url;
use crate::plan::live::{LiveParts, LiveTarget, LiveText};
use crate::plan::request_plan::{HttpPlan, RequestAction};
use crate::scenario::file::RequestSection;
use crate::scenario::{Scenario, Span, Template, scheme_remedy};

pub(super) fn resolve(
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
    if let Some(media_type) = body.media_type {
        headers.add_unless_written(header::CONTENT_TYPE, "Content-Type", media_type);
    }
    headers.add_unless_written(header::ACCEPT, "Accept", "*/*");
    headers.add_unless_written(header::USER_AGENT, "User-Agent", USER_AGENT);
    Some(ResolvedAction {
        line: format!("{method} {shown}"),
        headers: headers.shown(),
        live: LiveParts {
            target: live,
            headers: headers.live(),
            body: body.live,
            checks: Vec::new(),
        },
        ask: RequestAction::Http(Box::new(HttpPlan {
            method,
            url,
            headers: headers.into_map(),
            body: body.bytes,
            redirects: request.redirects(),
        })),
    })
}

/// The URL of a request: as it is shown, as it is sent, and with its live values if it has any.
struct RequestUrl {
    shown: String,
    url: Url,
    live: Option<LiveTarget>,
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
    filler.keep_url_secret(&text);
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
            "the path does not start with `/`",
            "write it like `/app?mock=1`",
        );
    }
    let live = match text.live {
        Some(live) => Some(live_path(&location.value, live, base, filler)?),
        None => None,
    };
    let value = if text.value.starts_with('/') { text.value } else { "/".to_owned() };
    match url_of(&value, base) {
        Ok(url) => Some(RequestUrl { shown: text.shown, url, live }),
        Err((problem, remedy)) => filler.report(&location.value, problem, remedy),
    }
}

/// The target of a path with live values. A value of the data file may begin it, because all such
/// values are known; it is then sent as it is.
fn live_path(
    at: &Span,
    path: LiveText,
    base: &BaseUrl,
    filler: &mut TemplateFiller<'_>,
) -> Option<LiveTarget> {
    let before = base.url.as_str().trim_end_matches('/');
    if let Some(column) = path.first_column() {
        let column = data::path_column(column, base, at, filler)?;
        let target = LiveTarget::of_url(&path.after(&format!("{before}/")))?;
        return Some(target.of_column(column));
    }
    if !path.beginning().starts_with('/') {
        let remedy = "start the path with `/` and write the value after it";
        return filler.report(at, LIVE_ORIGIN, remedy);
    }
    match LiveTarget::of_url(&path.after(before)) {
        Some(target) => Some(target),
        None => filler.report(at, "this is not a URL", "write a path such as `/app?mock=1`"),
    }
}

/// A complete URL, which may have another origin than the base URL.
fn whole_url(
    at: &Span,
    template: &Template,
    filler: &mut TemplateFiller<'_>,
) -> Option<RequestUrl> {
    let text = filler.fill_live(at, template)?;
    filler.keep_url_secret(&text);
    if text.live.as_ref().is_some_and(|live| !names_its_origin(live.beginning())) {
        return filler.report(at, LIVE_ORIGIN, "write scheme, host and a `/` before the value");
    }
    let url = match Url::parse(&text.value) {
        Ok(url) => url,
        Err(_) if text.guessed => BaseUrl::placeholder()?.url,
        Err(error) => {
            let problem = format!("the URL cannot be read: {}", describe_url(error));
            return filler.report(
                at,
                problem,
                "write a complete one, such as `https://example.org/health`",
            );
        }
    };
    let problem = if !matches!(url.scheme(), "http" | "https") {
        "the URL is neither http nor https"
    } else if !url.username().is_empty() || url.password().is_some() {
        "the URL contains a user name or password"
    } else if url.fragment().is_some() {
        "the URL contains a fragment, which is never sent"
    } else {
        let live = text.live.as_ref().and_then(LiveTarget::of_url);
        return Some(RequestUrl { shown: text.shown, url, live });
    };
    if url.scheme() == UNIX_SCHEME {
        let remedy = "write the socket as `base_url` in `[target]`, and a `path` here";
        return filler.report(at, "a complete URL cannot name a Unix socket", remedy);
    }
    let remedy = "write scheme, host, path and perhaps a query; send credentials in `headers`";
    filler.report(at, problem, scheme_remedy(url.scheme()).unwrap_or(remedy))
}

/// A captured value must not choose the origin: secret headers would follow it there.
const LIVE_ORIGIN: &str =
    "a value that is known only during the run cannot decide where a request goes";

/// Whether a text contains the scheme, the host and the start of the path.
fn names_its_origin(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.find('/').is_some_and(|at| at > 0))
}

/// The user agent, unless the scenario sets one.
const USER_AGENT: &str = concat!("tollgate/", env!("CARGO_PKG_VERSION"));
