//! A server of the Model Context Protocol over streamable HTTP, as of 2025-06-18
//! (<https://modelcontextprotocol.io/specification/2025-06-18/basic/transports>).

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::settings::{ServiceFault, ServiceSettings};
use super::{ActiveFaults, json_page, text};
use crate::target::page::with_header;

const VERSION: &str = "2025-06-18";
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// Maximum number of sessions; beyond it, the oldest ends first.
const SESSIONS: usize = 64;

// Codes of JSON-RPC 2.0, section 5.1; the last one is defined by the server.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const NO_METHOD: i32 = -32601;
const INTERNAL_ERROR: i32 = -32603;
const REFUSED: i32 = -32000;

/// An MCP server with two tools.
#[derive(Debug)]
pub(super) struct McpServer {
    sessions: RefCell<VecDeque<String>>,
    by_events: bool,
    sick: ActiveFaults,
}

/// Why a message gets no answer under its id.
struct McpRefusal {
    status: StatusCode,
    code: i32,
    why: &'static str,
}

impl McpRefusal {
    fn bad(code: i32, why: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, why }
    }
}

/// A client's message.
enum McpMessage {
    /// Requires an answer, under its id.
    Request { id: Value, method: String },
    /// Requires no answer: a notification, or a client's answer.
    Notice,
}

impl McpServer {
    pub(super) fn new(settings: &ServiceSettings) -> Self {
        Self {
            sessions: RefCell::new(VecDeque::with_capacity(SESSIONS)),
            by_events: settings.mcp_events,
            sick: ActiveFaults::of(settings),
        }
    }

    /// The answer to a message.
    pub(super) fn answer(&self, headers: &HeaderMap, body: &[u8]) -> Response<Bytes> {
        self.reply(headers, body).unwrap_or_else(|McpRefusal { status, code, why }| {
            json_rpc(status, &failure(&Value::Null, code, why))
        })
    }

    fn reply(&self, headers: &HeaderMap, body: &[u8]) -> Result<Response<Bytes>, McpRefusal> {
        check_head(headers)?;
        let McpMessage::Request { id, method } = McpMessage::read(body)? else {
            self.check_session(headers)?;
            return Ok(accepted());
        };
        let result = match method.as_str() {
            "initialize" => return Ok(self.open(&id)),
            "ping" => Ok(json!({})),
            "tools/list" if self.sick.with(ServiceFault::McpTools) => {
                Err((INTERNAL_ERROR, "Internal error"))
            }
            "tools/list" => Ok(json!({ "tools": tools() })),
            _ => return Ok(self.respond(&failure(&id, NO_METHOD, "Method not found"))),
        };
        self.check_session(headers)?;
        Ok(self.respond(&match result {
            Ok(result) => success(&id, &result),
            Err((code, why)) => failure(&id, code, why),
        }))
    }

    /// Opens a session.
    fn open(&self, id: &Value) -> Response<Bytes> {
        let session = Uuid::now_v7().to_string();
        let about = json!({
            "protocolVersion": VERSION,
            "capabilities": { "tools": { "listChanged": false } },
            "serverInfo": { "name": "rehearsal", "version": env!("CARGO_PKG_VERSION") },
        });
        let mut answer = self.respond(&success(id, &about));
        answer
            .headers_mut()
            .extend(HeaderValue::from_str(&session).ok().map(|session| (SESSION, session)));
        let mut sessions = self.sessions.borrow_mut();
        sessions.truncate(SESSIONS - 1);
        sessions.push_front(session);
        answer
    }

    fn check_session(&self, headers: &HeaderMap) -> Result<(), McpRefusal> {
        match text(headers, &SESSION) {
            None => Err(McpRefusal::bad(REFUSED, "Bad Request: Mcp-Session-Id is required")),
            Some(session) if self.sessions.borrow().iter().any(|known| known == session) => Ok(()),
            Some(_) => Err(McpRefusal {
                status: StatusCode::NOT_FOUND,
                code: REFUSED,
                why: "Session not found",
            }),
        }
    }

    /// An answer to a request, as JSON or as events, depending on the settings.
    fn respond(&self, message: &Value) -> Response<Bytes> {
        if !self.by_events {
            return json_rpc(StatusCode::OK, message);
        }
        let event = format!("event: message\ndata: {message}\n\n");
        with_header(
            Response::new(Bytes::from(event)),
            CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        )
    }
}

impl McpMessage {
    fn read(body: &[u8]) -> Result<Self, McpRefusal> {
        let message: Value = serde_json::from_slice(body)
            .map_err(|_| McpRefusal::bad(PARSE_ERROR, "Parse error"))?;
        let is_answer = message.get("result").or(message.get("error")).is_some();
        let method = message.get("method").and_then(Value::as_str);
        match (message.get("jsonrpc").and_then(Value::as_str), method, message.get("id")) {
            (Some("2.0"), None, Some(_)) if is_answer => Ok(Self::Notice),
            (Some("2.0"), Some(_), None) => Ok(Self::Notice),
            (Some("2.0"), Some(method), Some(id)) if id.is_string() || id.is_number() => {
                Ok(Self::Request { id: id.clone(), method: method.to_owned() })
            }
            _ => Err(McpRefusal::bad(INVALID_REQUEST, "Invalid Request")),
        }
    }
}

/// Whether the client accepts both forms of an answer and a supported version.
fn check_head(headers: &HeaderMap) -> Result<(), McpRefusal> {
    if !["application/json", "text/event-stream"].iter().all(|form| accepts(headers, form)) {
        let why = "Not Acceptable: Accept has to name application/json and text/event-stream";
        return Err(McpRefusal { status: StatusCode::NOT_ACCEPTABLE, code: REFUSED, why });
    }
    // A client that names no version is assumed to use 2025-03-26.
    match text(headers, &PROTOCOL_VERSION) {
        None | Some(VERSION | "2025-03-26") => Ok(()),
        Some(_) => Err(McpRefusal::bad(REFUSED, "Bad Request: Unsupported protocol version")),
    }
}

fn accepts(headers: &HeaderMap, form: &str) -> bool {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let mut forms =
        lines.flat_map(|line| line.split(',')).filter_map(|range| range.split(';').next());
    forms.any(|named| named.trim().eq_ignore_ascii_case(form))
}

fn success(id: &Value, result: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

fn failure(id: &Value, code: i32, why: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": why } })
}

fn json_rpc(status: StatusCode, message: &Value) -> Response<Bytes> {
    let page = json_page(status, message);
    with_header(page, CONTENT_TYPE, HeaderValue::from_static("application/json"))
}

fn accepted() -> Response<Bytes> {
    let mut page = Response::new(Bytes::new());
    *page.status_mut() = StatusCode::ACCEPTED;
    page
}

fn tools() -> Value {
    let number = json!({ "type": "integer" });
    let text = json!({ "type": "string" });
    json!([
        {
            "name": "list_orders",
            "description": "Lists the newest orders",
            "inputSchema": { "type": "object", "properties": { "limit": number } },
        },
        {
            "name": "find_product",
            "description": "Finds a product by its title",
            "inputSchema": { "type": "object", "properties": { "title": text }, "required": ["title"] },
        },
    ])
}
