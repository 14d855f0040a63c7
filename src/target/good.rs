//! Good pages in every form that HTTP allows; a prober must report each as ok.

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, LOCATION};
use http::{HeaderValue, StatusCode};

use super::encoded;
use super::page::{
    AllowedMethods, HttpSupport, PageReply, PageRequest, TargetPage, text_page, with_header,
};
use super::script::{AnswerEnding, AnswerScript, AnswerStep, BodyFraming};
use crate::units::UnitError;

/// Number of such pages.
const COUNT: usize = 10;

/// The longest chain of redirects.
const LONGEST_CHAIN: u32 = 100;

/// Every such page, in listing order.
pub(super) static ALL: [&TargetPage; COUNT] = [
    &CHUNKED,
    &UNTIL_CLOSE,
    &EARLY_HINTS,
    &TRAILERS,
    &NO_CONTENT,
    &GZIP,
    &DEFLATE,
    &RAW_DEFLATE,
    &REDIRECT,
    &GOODBYE,
];

static CHUNKED: TargetPage = good(
    "/chunked",
    HttpSupport::Any,
    "sends its body in three chunks (HTTP/2: DATA frames)",
    |_| {
        Ok(steps(vec![
            AnswerStep::Head(BodyFraming::Chunked),
            piece("one, "),
            piece("two, "),
            piece("three\n"),
        ]))
    },
);

static UNTIL_CLOSE: TargetPage = good(
    "/until-close",
    HttpSupport::Http1,
    "sends a body that ends with the connection, as HTTP/1.0 did",
    |_| {
        Ok(steps(vec![
            AnswerStep::Head(BodyFraming::UntilClose),
            piece("until the connection ends\n"),
        ]))
    },
);

static EARLY_HINTS: TargetPage =
    good("/early-hints", HttpSupport::Any, "sends 103 Early Hints, then the answer", |_| {
        Ok(steps(vec![
            AnswerStep::Interim,
            AnswerStep::Head(BodyFraming::Length(10)),
            piece("and a 200\n"),
        ]))
    });

static TRAILERS: TargetPage =
    good("/trailers", HttpSupport::Any, "sends a header after the body: `x-checked: yes`", |_| {
        Ok(steps(vec![
            AnswerStep::Head(BodyFraming::Chunked),
            piece("and a trailer\n"),
            AnswerStep::Trailers,
        ]))
    });

static NO_CONTENT: TargetPage =
    good("/no-content", HttpSupport::Any, "answers 204, which has no body", |_| {
        Ok(PageReply::Whole(text_page(StatusCode::NO_CONTENT, Bytes::new())))
    });

static GZIP: TargetPage =
    good("/gzip", HttpSupport::Any, "sends gzip regardless of Accept-Encoding", |_| {
        static BODY: LazyLock<Bytes> = LazyLock::new(encoded::gzip);
        Ok(packed("gzip", &BODY))
    });

static DEFLATE: TargetPage =
    good("/deflate", HttpSupport::Any, "sends deflate in zlib's wrapping, as specified", |_| {
        static BODY: LazyLock<Bytes> = LazyLock::new(encoded::zlib);
        Ok(packed("deflate", &BODY))
    });

static RAW_DEFLATE: TargetPage = good(
    "/deflate-raw",
    HttpSupport::Any,
    "sends deflate without a wrapping, as many servers do",
    |_| {
        static BODY: LazyLock<Bytes> = LazyLock::new(encoded::raw_deflate);
        Ok(packed("deflate", &BODY))
    },
);

static REDIRECT: TargetPage = TargetPage {
    path: "/redirect",
    support: HttpSupport::Any,
    does: "redirects `?n=` times (1) by `?status=` (302), then answers 200",
    outcome: "redirected, or ok where the scenario follows as many",
    methods: AllowedMethods::Any,
    reply: redirect,
};

static GOODBYE: TargetPage = good(
    "/goodbye",
    HttpSupport::Any,
    "answers, and announces the connection's end (close, GOAWAY)",
    |_| {
        let steps = vec![AnswerStep::Head(BodyFraming::Length(4)), piece("bye\n")];
        Ok(PageReply::Steps(AnswerScript { steps, ending: AnswerEnding::Goodbye }))
    },
);

const fn good(
    path: &'static str,
    over: HttpSupport,
    does: &'static str,
    reply: fn(&PageRequest<'_>) -> Result<PageReply, UnitError>,
) -> TargetPage {
    TargetPage {
        path,
        support: over,
        does,
        outcome: "ok",
        methods: AllowedMethods::GetAndHead,
        reply,
    }
}

fn steps(steps: Vec<AnswerStep>) -> PageReply {
    PageReply::Steps(AnswerScript { steps, ending: AnswerEnding::Complete })
}

fn piece(text: &'static str) -> AnswerStep {
    AnswerStep::Piece(Bytes::from_static(text.as_bytes()))
}

fn packed(encoding: &'static str, body: &Bytes) -> PageReply {
    let page = text_page(StatusCode::OK, body.clone());
    PageReply::Whole(with_header(page, CONTENT_ENCODING, HeaderValue::from_static(encoding)))
}

fn redirect(request: &PageRequest<'_>) -> Result<PageReply, UnitError> {
    let left = request.number("n", 1, LONGEST_CHAIN)?;
    let status = request.number("status", 302, 399)?;
    let redirects =
        u16::try_from(status).ok().filter(|status| matches!(status, 301..=303 | 307 | 308));
    let status =
        redirects.and_then(|status| StatusCode::from_u16(status).ok()).ok_or_else(|| {
            UnitError::new(
                format!("status={status} is not accepted"),
                "write 301, 302, 303, 307 or 308",
            )
        })?;
    if left == 0 {
        return Ok(PageReply::Whole(text_page(StatusCode::OK, "arrived\n")));
    }
    let next = format!("/redirect?n={}&status={}", left - 1, status.as_u16());
    let location = HeaderValue::from_str(&next).unwrap_or(HeaderValue::from_static("/"));
    Ok(PageReply::Whole(with_header(text_page(status, Bytes::new()), LOCATION, location)))
}
