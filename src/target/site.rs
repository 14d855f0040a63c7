//! Routing: which page each request gets, and the page's content without faults.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use secrecy::SecretString;

use super::TargetError;
use super::body::ReceivedBody;
use super::page::{AllowedMethods, PageReply, PageRequest, TargetPage, text_page, with_header};
use super::pages::PageBodies;
use super::services::{AppVisitor, EmbedPolicy, ServiceCall, ServiceRequest, ServiceSet};
use super::settings::{AuthRule, TargetSettings};
use super::visitor::carries_token;
use super::{faults, good};

const TILE_SOURCE: HeaderName = HeaderName::from_static("x-tile-source");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Methods of a read-only page.
const READING: &str = "GET, HEAD";

/// The route of a request, chosen before its latency is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) enum SiteRoute {
    Sample,
    Live,
    Redirect,
    Bot,
    Login,
    /// A page behind the tile loader, for someone with a session.
    Inner,
    Health,
    Plain,
    Beside(&'static TargetPage),
    Service(ServiceCall),
    /// Names the allowed methods.
    WrongMethod(&'static str),
    NotFound,
}

/// All pages, and who may have them.
#[derive(Debug)]
pub(super) struct SiteMap {
    pages: PageBodies,
    token: SecretString,
    auth: AuthRule,
    embed: EmbedPolicy,
    services: ServiceSet,
}

impl SiteMap {
    /// The site that `settings` describe; returns an error if one of them is malformed.
    pub(super) fn new(settings: &TargetSettings) -> Result<Self, TargetError> {
        Ok(Self {
            pages: PageBodies::new(settings.tile_state),
            token: settings.token.clone(),
            auth: settings.auth,
            embed: EmbedPolicy::new(&settings.services),
            services: ServiceSet::new(&settings.services)?,
        })
    }

    pub(super) fn route<B>(&self, request: &Request<B>) -> SiteRoute {
        let readable = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/plain" | "/app" | "/auth/login" | "/health" if !readable => {
                SiteRoute::WrongMethod(READING)
            }
            "/plain" => SiteRoute::Plain,
            "/app" => self.route_app(request),
            "/auth/login" => SiteRoute::Login,
            "/health" => SiteRoute::Health,
            path if path.starts_with("/app/") => self.route_inner(request.headers(), readable),
            path => match ServiceCall::at(path) {
                Some(call) => self.route_service(call, request),
                None => route_beside(path, request.method()),
            },
        }
    }

    /// The reply to a request for `route`, without faults. If the reply depends on the body, this
    /// is the one without the body.
    pub(super) fn reply(
        &self,
        route: SiteRoute,
        asked: &PageRequest<'_>,
        asking: &ServiceRequest<'_>,
    ) -> PageReply {
        match route {
            SiteRoute::Beside(page) => page.answer(asked),
            SiteRoute::Service(call) => PageReply::Whole(self.services.answer(call, asking)),
            SiteRoute::Health
            | SiteRoute::Plain
            | SiteRoute::NotFound
            | SiteRoute::WrongMethod(_) => PageReply::Whole(self.respond(route)),
            _ => PageReply::Whole(self.secured(self.respond(route))),
        }
    }

    /// The answer to a request that depends on its body, sent after everything it reports is done.
    pub(super) async fn take(
        &self,
        call: ServiceCall,
        headers: &HeaderMap,
        body: ReceivedBody,
    ) -> PageReply {
        PageReply::Whole(self.services.take(call, headers, body).await)
    }

    /// The error page of the app.
    pub(super) fn failure(&self) -> PageReply {
        PageReply::Whole(
            self.secured(text_page(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n")),
        )
    }

    fn route_app<B>(&self, request: &Request<B>) -> SiteRoute {
        match self.embed.visitor(request.headers()) {
            AppVisitor::Bot => SiteRoute::Bot,
            _ if asks_for_sample(request.uri().query()) => SiteRoute::Sample,
            AppVisitor::Operator => SiteRoute::Live,
            AppVisitor::Stranger if self.is_let_in(request.headers()) => SiteRoute::Live,
            AppVisitor::Stranger => SiteRoute::Redirect,
        }
    }

    fn route_inner(&self, headers: &HeaderMap, readable: bool) -> SiteRoute {
        match self.embed.inner_visitor(headers) {
            _ if !readable => SiteRoute::WrongMethod(READING),
            AppVisitor::Bot => SiteRoute::Bot,
            AppVisitor::Operator => SiteRoute::Inner,
            AppVisitor::Stranger => SiteRoute::Redirect,
        }
    }

    fn route_service<B>(&self, call: ServiceCall, request: &Request<B>) -> SiteRoute {
        match call {
            _ if !call.answers(request.method()) => SiteRoute::WrongMethod(call.methods()),
            ServiceCall::OccList if !self.is_let_in(request.headers()) => SiteRoute::Redirect,
            _ => SiteRoute::Service(call),
        }
    }

    /// Whether the request has the synthetic token and the settings accept it.
    fn is_let_in(&self, headers: &HeaderMap) -> bool {
        self.auth == AuthRule::Contract && carries_token(headers, &self.token)
    }

    fn secured(&self, mut page: Response<Bytes>) -> Response<Bytes> {
        self.embed.secure(&mut page);
        page
    }

    fn respond(&self, route: SiteRoute) -> Response<Bytes> {
        match route {
            SiteRoute::Plain => text_page(StatusCode::OK, self.pages.plain.clone()),
            SiteRoute::Sample => page_of(HTML, self.pages.sample.clone()),
            SiteRoute::Live => {
                let page = page_of(HTML, self.pages.live.clone());
                with_header(page, TILE_SOURCE, HeaderValue::from_static("live"))
            }
            SiteRoute::Login => page_of(HTML, self.pages.login.clone()),
            SiteRoute::Inner => page_of(HTML, self.pages.inner.clone()),
            SiteRoute::Health => page_of(JSON, Bytes::from_static(br#"{"status":"ok"}"#)),
            SiteRoute::Redirect => {
                let found = text_page(StatusCode::FOUND, Bytes::new());
                with_header(found, LOCATION, HeaderValue::from_static("/auth/login"))
            }
            SiteRoute::Bot => text_page(StatusCode::GONE, "Gone\n"),
            SiteRoute::NotFound | SiteRoute::Beside(_) | SiteRoute::Service(_) => {
                text_page(StatusCode::NOT_FOUND, "Not Found\n")
            }
            SiteRoute::WrongMethod(allowed) => {
                let refused = text_page(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
                with_header(refused, ALLOW, HeaderValue::from_static(allowed))
            }
        }
    }
}

/// Whether the query's first `mock` is `1`.
fn asks_for_sample(query: Option<&str>) -> bool {
    let mut pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == "mock").is_some_and(|(_, value)| value == "1")
}

/// A page that is not the tile loader's.
fn route_beside(path: &str, method: &Method) -> SiteRoute {
    let Some(page) = faults::ALL.iter().chain(&good::ALL).find(|page| page.path == path) else {
        return SiteRoute::NotFound;
    };
    match page.methods {
        AllowedMethods::Any => SiteRoute::Beside(page),
        AllowedMethods::Get | AllowedMethods::GetAndHead if *method == Method::GET => {
            SiteRoute::Beside(page)
        }
        AllowedMethods::GetAndHead if *method == Method::HEAD => SiteRoute::Beside(page),
        AllowedMethods::Get | AllowedMethods::GetAndHead => SiteRoute::WrongMethod(READING),
    }
}

fn page_of(content_type: HeaderValue, body: Bytes) -> Response<Bytes> {
    with_header(Response::new(body), CONTENT_TYPE, content_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_mock_of_a_query_decides() {
        for (query, sample) in [
            ("mock=1", true),
            ("a=b&mock=1", true),
            ("mock=0&mock=1", false),
            ("mock", false),
            ("mock=10", false),
        ] {
            assert_eq!(asks_for_sample(Some(query)), sample, "{query}");
        }
        assert!(!asks_for_sample(None));
    }
}
