//! The parts of Supabase that the scenarios probe: its REST API (`PostgREST` behind a gateway), its
//! auth, and the function `occ-log`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderName, Response, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::task::spawn_local;

use super::log_table::{LogRow, LogTable};
use super::settings::{ServiceFault, ServiceSettings};
use super::{ActiveFaults, ServiceRequest, error, json_page, text};
use crate::target::TargetError;
use crate::target::visitor::is_secret;

/// Prefix of the REST API's paths.
pub(super) const REST: &str = "/rest/v1/";

const API_KEY: HeaderName = HeaderName::from_static("apikey");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long after the answer a late row is written.
const LATE: Duration = Duration::from_secs(8);

/// Supabase with two tables and a function.
#[derive(Debug)]
pub(super) struct SupabaseService {
    anon: SecretString,
    service: SecretString,
    log: Arc<LogTable>,
    sick: ActiveFaults,
}

/// The role that a key grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyRole {
    Anon,
    Service,
}

/// A request to `occ-log`.
#[derive(Debug, Deserialize)]
struct LogEntry {
    level: String,
    message: String,
    metadata: Option<Map<String, Value>>,
}

impl SupabaseService {
    /// Returns an error if the URL of the log's database is malformed.
    pub(super) fn new(settings: &ServiceSettings) -> Result<Self, TargetError> {
        Ok(Self {
            anon: settings.supabase_anon_key.clone(),
            service: settings.supabase_service_key.clone(),
            log: Arc::new(LogTable::new(settings.log_database()?)),
            sick: ActiveFaults::of(settings),
        })
    }

    /// A table's rows (the query is ignored), or the description of all tables.
    pub(super) fn rest(&self, asking: &ServiceRequest<'_>) -> Response<Bytes> {
        let role = match self.role(asking.headers) {
            Ok(role) => role,
            Err(why) => return unauthorized(&why),
        };
        if self.has_expired(role) {
            return expired();
        }
        if self.sick.with(ServiceFault::NoRest) {
            return no_schema_cache();
        }
        match (asking.path.strip_prefix(REST).unwrap_or_default(), role) {
            ("", KeyRole::Service) => json_page(StatusCode::OK, &description()),
            ("", KeyRole::Anon) => not_for_anon(),
            ("observability_logs", role) => self.rows(role, &log_row()),
            ("decision_sync_events", role) => self.rows(role, &decision_row()),
            (table, _) => no_table(table),
        }
    }

    pub(super) fn auth(&self, asking: &ServiceRequest<'_>) -> Response<Bytes> {
        if let Err(why) = self.role(asking.headers) {
            return unauthorized(&why);
        }
        if self.sick.with(ServiceFault::NoAuth) {
            let message = json!({ "message": "The upstream server is not available" });
            return json_page(StatusCode::SERVICE_UNAVAILABLE, &message);
        }
        let about = "GoTrue is a user registration and authentication API";
        json_page(
            StatusCode::OK,
            &json!({ "version": "v2.180.0", "name": "GoTrue", "description": about }),
        )
    }

    /// Accepts a line of the log, and answers after it is written.
    pub(super) async fn log(&self, headers: &HeaderMap, body: &[u8]) -> Response<Bytes> {
        if let Err(why) = self.bearer(headers) {
            return unauthorized(&why);
        }
        if self.sick.with(ServiceFault::OccLogDown) {
            return not_started();
        }
        let entry: LogEntry = match serde_json::from_slice(body) {
            Ok(entry) => entry,
            Err(_) if self.sick.with(ServiceFault::OccLogLax) => return accepted(),
            Err(wrong) => {
                return error(StatusCode::BAD_REQUEST, &format!("no line of a log: {wrong}"));
            }
        };
        if self.sick.with(ServiceFault::OccLogLost) {
            return accepted();
        }
        let line = LogRow {
            level: entry.level,
            message: entry.message,
            metadata: entry.metadata.map(|metadata| Value::Object(metadata).to_string()),
            request_id: text(headers, &REQUEST_ID).map(str::to_owned),
            user_agent: text(headers, &USER_AGENT).map(str::to_owned),
        };
        if self.sick.with(ServiceFault::OccLogLate) {
            spawn_local(write_late(Arc::clone(&self.log), line));
            return accepted();
        }
        match self.log.write(line).await {
            Ok(()) => accepted(),
            Err(why) => {
                error(StatusCode::INTERNAL_SERVER_ERROR, &format!("not stored: {}", why.message))
            }
        }
    }

    fn rows(&self, role: KeyRole, row: &Value) -> Response<Bytes> {
        let sees = role == KeyRole::Service || self.sick.with(ServiceFault::AnonReads);
        json_page(StatusCode::OK, &if sees { json!([row]) } else { json!([]) })
    }

    /// The role that the gateway gives a request, or the answer that refuses it.
    fn role(&self, headers: &HeaderMap) -> Result<KeyRole, Value> {
        let Some(key) = headers.get(API_KEY) else {
            return Err(json!({ "message": "No API key found in request" }));
        };
        self.role_of(key.as_bytes()).ok_or_else(|| json!({ "message": "Invalid API key" }))
    }

    /// The role that the functions' gateway gives a request, or the answer that refuses it.
    fn bearer(&self, headers: &HeaderMap) -> Result<KeyRole, Value> {
        let Some(authorization) = headers.get(AUTHORIZATION) else {
            return Err(json!({ "msg": "Error: Missing authorization header" }));
        };
        let key = authorization.as_bytes().strip_prefix(b"Bearer ");
        let role = key.and_then(|key| self.role_of(key)).filter(|role| !self.has_expired(*role));
        role.ok_or_else(|| json!({ "msg": "Invalid JWT" }))
    }

    fn has_expired(&self, role: KeyRole) -> bool {
        role == KeyRole::Anon && self.sick.with(ServiceFault::AnonExpired)
    }

    fn role_of(&self, key: &[u8]) -> Option<KeyRole> {
        if is_secret(key, &self.service) {
            Some(KeyRole::Service)
        } else {
            is_secret(key, &self.anon).then_some(KeyRole::Anon)
        }
    }
}

async fn write_late(log: Arc<LogTable>, line: LogRow) {
    tokio::time::sleep(LATE).await;
    // The sender already has a successful answer, so an error cannot be reported.
    let _ = log.write(line).await;
}

fn accepted() -> Response<Bytes> {
    json_page(StatusCode::OK, &json!({ "ok": true }))
}

/// The edge runtime's answer for a function that fails before it accepts a request.
fn not_started() -> Response<Bytes> {
    let body =
        json!({ "code": "BOOT_ERROR", "message": "Function failed to start (please check logs)" });
    json_page(StatusCode::SERVICE_UNAVAILABLE, &body)
}

fn unauthorized(why: &Value) -> Response<Bytes> {
    json_page(StatusCode::UNAUTHORIZED, why)
}

/// What hosted projects have answered to `anon` at the root since spring 2026
/// (<https://github.com/orgs/supabase/discussions/42949>, which announces another text).
fn not_for_anon() -> Response<Bytes> {
    let hint = "Only the `service_role` API key can be used for this endpoint.";
    unauthorized(&json!({ "message": "Invalid API key", "hint": hint }))
}

/// `PostgREST`'s answer to a key that the gateway knows but that is no longer valid.
fn expired() -> Response<Bytes> {
    unauthorized(
        &json!({ "code": "PGRST303", "details": null, "hint": null, "message": "JWT expired" }),
    )
}

/// `PostgREST`'s answer for a table that it does not know.
fn no_table(table: &str) -> Response<Bytes> {
    let message = format!("Could not find the table 'public.{table}' in the schema cache");
    let body = json!({ "code": "PGRST205", "details": null, "hint": null, "message": message });
    json_page(StatusCode::NOT_FOUND, &body)
}

/// `PostgREST`'s answer while its database is unavailable.
fn no_schema_cache() -> Response<Bytes> {
    let message = "Could not query the database for the schema cache. Retrying.";
    let body = json!({ "code": "PGRST002", "details": null, "hint": null, "message": message });
    json_page(StatusCode::SERVICE_UNAVAILABLE, &body)
}

fn description() -> Value {
    json!({
        "swagger": "2.0",
        "info": { "title": "standard public schema", "version": "13.0.5" },
        "paths": { "/": {}, "/observability_logs": {}, "/decision_sync_events": {} },
    })
}

fn log_row() -> Value {
    json!({
        "id": 1,
        "level": "info",
        "message": "rehearsal",
        "metadata": {},
        "request_id": "rehearsal-1",
        "user_agent": "rehearsal",
        "created_at": "2025-10-10T06:18:00+00:00",
    })
}

fn decision_row() -> Value {
    json!({
        "decisionId": "rehearsal-1",
        "status": "success",
        "durationMs": 412.5,
        "errorCode": null,
        "attempt": 1,
        "timestamp": "2025-10-10T06:18:00+00:00",
        "scope": "ops",
    })
}
