//! Answers that are valid HTTP, but wrong.

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, LOCATION};
use http::{HeaderValue, StatusCode};

use super::super::encoded::bomb;
use super::super::page::{
    AllowedMethods, HttpSupport, PageReply, TargetPage, text_page, with_header,
};

static BOMB: LazyLock<Bytes> = LazyLock::new(bomb);

pub(super) static STATUS: TargetPage = TargetPage {
    path: "/fault/wrong-status",
    support: HttpSupport::Any,
    does: "answers 500 with the body of a good page",
    outcome: "unexpected status",
    methods: AllowedMethods::Get,
    reply: |_| Ok(PageReply::Whole(text_page(StatusCode::INTERNAL_SERVER_ERROR, "All is well.\n"))),
};

pub(super) static GZIP: TargetPage = TargetPage {
    path: "/fault/bad-gzip",
    support: HttpSupport::Any,
    does: "sends a body that claims to be gzip and is not",
    outcome: "unexpected answer, where the body matters",
    methods: AllowedMethods::Get,
    reply: |_| Ok(zipped(Bytes::from_static(b"this is not gzip, although the header says so"))),
};

pub(super) static BOMB_PAGE: TargetPage = TargetPage {
    path: "/fault/bomb",
    support: HttpSupport::Any,
    does: "sends 256 MiB of zeros as 256 KiB of gzip",
    outcome: "unexpected answer, where the body matters: larger than `max_body`",
    methods: AllowedMethods::Get,
    reply: |_| Ok(zipped(BOMB.clone())),
};

pub(super) static LOOP: TargetPage = TargetPage {
    path: "/fault/redirect-loop",
    support: HttpSupport::Any,
    does: "redirects to itself, for ever",
    outcome: "redirected, after as many redirects as the scenario follows",
    methods: AllowedMethods::Any,
    reply: |_| Ok(redirect("/fault/redirect-loop")),
};

pub(super) static AWAY: TargetPage = TargetPage {
    path: "/fault/redirect-away",
    support: HttpSupport::Any,
    does: "redirects to `http://elsewhere.invalid/`, which is not allowed",
    outcome: "redirected, and nothing is sent there",
    methods: AllowedMethods::Any,
    reply: |_| Ok(redirect("http://elsewhere.invalid/secret?token=none")),
};

fn zipped(body: Bytes) -> PageReply {
    PageReply::Whole(with_header(
        text_page(StatusCode::OK, body),
        CONTENT_ENCODING,
        HeaderValue::from_static("gzip"),
    ))
}

fn redirect(to: &'static str) -> PageReply {
    PageReply::Whole(with_header(
        text_page(StatusCode::FOUND, Bytes::new()),
        LOCATION,
        HeaderValue::from_static(to),
    ))
}
