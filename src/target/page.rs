//! Pages in addition to the tile loader: the name of each, what it does, and what a prober should
//! report.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode, Version};

use super::latency::parse_wait;
use super::script::AnswerScript;
use crate::units::UnitError;

/// Prefix of the fault paths.
const FAULT: &str = "/fault/";

/// A path of the rehearsal target that does not belong to the tile loader.
#[derive(Debug)]
pub struct TargetPage {
    /// Its path, without the query.
    pub path: &'static str,
    /// The HTTP versions that serve it.
    pub support: HttpSupport,
    /// What it answers.
    pub does: &'static str,
    /// What a correct prober reports for it.
    pub outcome: &'static str,
    pub(super) methods: AllowedMethods,
    pub(super) reply: fn(&PageRequest<'_>) -> Result<PageReply, UnitError>,
}

/// The HTTP versions that serve a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpSupport {
    /// HTTP/1.1 and HTTP/2.
    Any,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only.
    Http2,
}

/// Which methods a page answers; others get 405.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AllowedMethods {
    Get,
    GetAndHead,
    Any,
}

/// The request for a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageRequest<'a> {
    pub(super) query: &'a str,
    pub(super) version: Version,
    /// The stream's number; 0 in HTTP/1.1.
    pub(super) stream: u32,
}

/// The reply to a request.
#[derive(Debug, Clone)]
pub(super) enum PageReply {
    /// A whole answer, sent at once.
    Whole(Response<Bytes>),
    /// An answer in steps.
    Steps(AnswerScript),
}

impl TargetPage {
    /// Whether it is a fault, which `--fault` can apply to the tile loader's pages.
    pub fn is_fault(&self) -> bool {
        self.path.starts_with(FAULT)
    }

    /// A fault's name: `reset` for `/fault/reset`. Another page's path without its first slash.
    pub fn name(&self) -> &'static str {
        self.path.trim_start_matches(FAULT).trim_start_matches('/')
    }

    /// What it answers; 404 over a version of HTTP that cannot carry it, 400 if the query is wrong.
    pub(super) fn answer(&self, request: &PageRequest<'_>) -> PageReply {
        if !self.support.carries(request.version) {
            let text = format!("{} is available only over {}.\n", self.path, self.support);
            return PageReply::Whole(text_page(StatusCode::NOT_FOUND, text));
        }
        (self.reply)(request).unwrap_or_else(|error| {
            PageReply::Whole(text_page(StatusCode::BAD_REQUEST, format!("{error}\n")))
        })
    }
}

impl HttpSupport {
    pub(super) fn carries(self, version: Version) -> bool {
        match self {
            Self::Any => true,
            Self::Http1 => version != Version::HTTP_2,
            Self::Http2 => version == Version::HTTP_2,
        }
    }
}

impl std::fmt::Display for HttpSupport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Any => "both",
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        })
    }
}

impl PageRequest<'_> {
    pub(super) fn is_http2(&self) -> bool {
        self.version == Version::HTTP_2
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// A whole number from the query, at most `most`.
    pub(super) fn number(&self, name: &str, default: u32, most: u32) -> Result<u32, UnitError> {
        let Some(text) = self.parameter(name) else { return Ok(default) };
        text.parse().ok().filter(|number| *number <= most).ok_or_else(|| {
            UnitError::new(
                format!("{name}={text} is not accepted"),
                format!("write a number from 0 to {most}"),
            )
        })
    }

    /// A duration from the query, at most a day.
    pub(super) fn duration(&self, name: &str, default: Duration) -> Result<Duration, UnitError> {
        self.parameter(name).map_or(Ok(default), parse_wait)
    }
}

/// A page of plain text.
pub(super) fn text_page(status: StatusCode, text: impl Into<Bytes>) -> Response<Bytes> {
    let mut page = Response::new(text.into());
    *page.status_mut() = status;
    with_header(page, CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
}

/// The page with one additional header.
pub(super) fn with_header(
    mut page: Response<Bytes>,
    name: HeaderName,
    value: HeaderValue,
) -> Response<Bytes> {
    page.headers_mut().insert(name, value);
    page
}
