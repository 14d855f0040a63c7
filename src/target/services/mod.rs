//! The services next to the tile loader: Chatwoot, Supabase, an MCP server, and the app's public
//! side.
//!
//! Each answers as the real one does, unless the settings break it ([`ServiceFault`]).

mod chatwoot;
mod embed;
mod log_table;
mod mcp;
mod settings;
mod supabase;

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};

use self::chatwoot::ChatwootService;
pub(super) use self::embed::{AppVisitor, EmbedPolicy};
use self::mcp::McpServer;
pub use self::settings::{ServiceFault, ServiceSettings};
use self::supabase::SupabaseService;
use super::TargetError;
use super::body::ReceivedBody;
use super::page::with_header;

/// The paths of the services: method and path, and the answer.
pub const SERVICES: [(&str, &str); 12] = [
    (
        "GET /api",
        "Chatwoot 4.6.0: version, time, and the state of its queue and its data; always 200",
    ),
    (
        "GET /api/v1/profile",
        "Chatwoot: the token's user, with `access_token` and `pubsub_token`; 401 without the token",
    ),
    (
        "GET /api/v1/accounts/{id}/conversations",
        "Chatwoot: counts and no conversations; 401 without the token, 404 for another account",
    ),
    (
        "GET /occ/conversations",
        "the app: two conversations; without the synthetic token, a redirect",
    ),
    ("GET /rest/v1/", "Supabase: the description of its tables; 401 for all but `service_role`"),
    ("GET /rest/v1/observability_logs", "Supabase: one row for `service_role`, none for `anon`"),
    ("GET /rest/v1/decision_sync_events", "Supabase: one row for `service_role`, none for `anon`"),
    ("GET /rest/v1/{table}", "Supabase: 404, because there is no other table"),
    ("GET /auth/v1/health", "Supabase: version and name of GoTrue; 401 without a key"),
    (
        "POST /functions/v1/occ-log",
        "Supabase: accepts a log line, 400 for anything else; 401 without a key",
    ),
    ("POST /mcp", "an MCP server: `initialize`, `ping` and `tools/list` in a session, by JSON-RPC"),
    (
        "GET /app/{page}",
        "the app's inner pages: a redirect to `/auth/login`, because no request has a session",
    ),
];

/// A request that a service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServiceCall {
    Chatwoot(chatwoot::ChatwootCall),
    Rest,
    Auth,
    OccLog,
    OccList,
    Mcp,
}

/// What a service knows about a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServiceRequest<'a> {
    pub(super) path: &'a str,
    pub(super) headers: &'a HeaderMap,
    /// Since the Unix epoch.
    pub(super) now: Duration,
}

/// The services, used by one thread.
#[derive(Debug)]
pub(super) struct ServiceSet {
    chatwoot: ChatwootService,
    supabase: SupabaseService,
    mcp: McpServer,
    sick: ActiveFaults,
}

/// The faults of the services.
#[derive(Debug, Clone)]
pub(super) struct ActiveFaults(Vec<ServiceFault>);

impl ActiveFaults {
    pub(super) fn of(settings: &ServiceSettings) -> Self {
        Self(settings.sick.clone())
    }

    /// Whether the services have this fault.
    pub(super) fn with(&self, sickness: ServiceFault) -> bool {
        self.0.contains(&sickness)
    }
}

impl ServiceCall {
    /// The request that a path stands for; `None` if no service has the path.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/auth/v1/health" => Some(Self::Auth),
            "/functions/v1/occ-log" => Some(Self::OccLog),
            "/occ/conversations" => Some(Self::OccList),
            "/mcp" => Some(Self::Mcp),
            _ if path.starts_with(supabase::REST) => Some(Self::Rest),
            _ if path.starts_with("/api") => chatwoot::ChatwootCall::at(path).map(Self::Chatwoot),
            _ => None,
        }
    }

    /// Whether its answer depends on the request's body.
    pub(super) fn needs_body(self) -> bool {
        matches!(self, Self::OccLog | Self::Mcp)
    }

    /// The methods that it answers, as `Allow` names them.
    pub(super) fn methods(self) -> &'static str {
        if self.needs_body() { "POST" } else { "GET, HEAD" }
    }

    /// Whether it answers a method.
    pub(super) fn answers(self, method: &Method) -> bool {
        self.methods().split(", ").any(|name| name == method.as_str())
    }
}

impl ServiceSet {
    /// Returns an error if the URL of the log's database is malformed.
    pub(super) fn new(settings: &ServiceSettings) -> Result<Self, TargetError> {
        Ok(Self {
            chatwoot: ChatwootService::new(settings),
            supabase: SupabaseService::new(settings)?,
            mcp: McpServer::new(settings),
            sick: ActiveFaults::of(settings),
        })
    }

    /// The answer to a request that does not depend on its body.
    pub(super) fn answer(&self, call: ServiceCall, asking: &ServiceRequest<'_>) -> Response<Bytes> {
        match call {
            ServiceCall::Chatwoot(call) => self.chatwoot.answer(call, asking),
            ServiceCall::Rest => self.supabase.rest(asking),
            ServiceCall::Auth => self.supabase.auth(asking),
            ServiceCall::OccList => embed::conversations(&self.sick),
            // The answer to a request whose body was incomplete.
            ServiceCall::OccLog | ServiceCall::Mcp => {
                error(StatusCode::BAD_REQUEST, "the body is not complete")
            }
        }
    }

    /// The answer to a request that depends on its body, sent after everything it reports is done.
    pub(super) async fn take(
        &self,
        call: ServiceCall,
        headers: &HeaderMap,
        body: ReceivedBody,
    ) -> Response<Bytes> {
        let ReceivedBody::Whole(body) = body else {
            return error(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 64 KiB");
        };
        if call == ServiceCall::Mcp {
            self.mcp.answer(headers, &body)
        } else {
            self.supabase.log(headers, &body).await
        }
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// A JSON answer.
fn json_page(status: StatusCode, value: &Value) -> Response<Bytes> {
    let mut page = Response::new(Bytes::from(value.to_string()));
    *page.status_mut() = status;
    with_header(page, CONTENT_TYPE, JSON)
}

/// A JSON answer that names an error.
fn error(status: StatusCode, text: &str) -> Response<Bytes> {
    json_page(status, &json!({ "error": text }))
}

/// A header's value if it is text.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
