//! The public side of an app embedded in Shopify's admin: who may frame it, and who may see which
//! page.

use bytes::Bytes;
use http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use super::settings::{ServiceFault, ServiceSettings};
use super::{ActiveFaults, error, json_page};
use crate::target::visitor::is_bot;

/// The headers of every page of the app, as Shopify requires of embedded apps.
static HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "frame-ancestors https://*.myshopify.com https://admin.shopify.com;",
        ),
    ),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
    (STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000")),
];

/// How the app classifies a visitor, before it looks at the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::target) enum AppVisitor {
    Bot,
    /// A visitor with a session; without a fault, no visitor has one.
    Operator,
    Stranger,
}

/// The app's public side.
#[derive(Debug)]
pub(in crate::target) struct EmbedPolicy {
    secures: bool,
    is_open: bool,
    takes_bots: bool,
}

impl EmbedPolicy {
    pub(in crate::target) fn new(settings: &ServiceSettings) -> Self {
        let sick = ActiveFaults::of(settings);
        Self {
            secures: !sick.with(ServiceFault::EmbedHeaders),
            is_open: sick.with(ServiceFault::EmbedOpen),
            takes_bots: sick.with(ServiceFault::Bots),
        }
    }

    /// Classifies a visitor to the tile loader.
    pub(in crate::target) fn visitor(&self, headers: &HeaderMap) -> AppVisitor {
        match is_bot(headers) {
            false => AppVisitor::Stranger,
            true if self.takes_bots => AppVisitor::Operator,
            true => AppVisitor::Bot,
        }
    }

    /// Classifies a visitor to a page behind the tile loader.
    pub(in crate::target) fn inner_visitor(&self, headers: &HeaderMap) -> AppVisitor {
        match self.visitor(headers) {
            AppVisitor::Stranger if self.is_open => AppVisitor::Operator,
            visitor => visitor,
        }
    }

    /// Adds the security headers to a page of the app.
    pub(in crate::target) fn secure(&self, page: &mut Response<Bytes>) {
        if self.secures {
            page.headers_mut().extend(HEADERS.iter().cloned());
        }
    }
}

/// The conversations that the app fetches from Chatwoot for its operators.
pub(super) fn conversations(sick: &ActiveFaults) -> Response<Bytes> {
    if sick.with(ServiceFault::OccList) {
        return error(StatusCode::INTERNAL_SERVER_ERROR, "the conversations cannot be had");
    }
    let list = json!([
        { "id": 101, "status": "open", "customer": "Customer A", "unread": 2 },
        { "id": 102, "status": "pending", "customer": "Customer B", "unread": 0 },
    ]);
    json_page(StatusCode::OK, &json!({ "ok": true, "conversations": list }))
}
