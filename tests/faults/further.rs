//! The HTTP/1.1 rows about followed redirects, decoded bodies and trust.

use std::collections::BTreeSet;

use tollgate::record::Failure;
use tollgate::target::pages;

use super::{Body, Failed, Good, HTTP1, Row, flagged, hold, http2, ok, row, stated};

const UNEXPECTED: super::Outcome = Failed(Failure::Unexpected, None);
const REDIRECTED: super::Outcome = Failed(Failure::Redirected, None);

const ROWS: [Row; 14] = [
    row("path = '/fault/bad-chunk'", Failed(Failure::Malformed, Some(Body))),
    row("path = '/fault/bad-gzip'\nexpect = { body_contains = ['gzip'] }", UNEXPECTED),
    row("path = '/fault/bomb'\nexpect = { body_contains = ['x'] }", UNEXPECTED),
    row("path = '/fault/bomb'\nexpect = { body_lacks = ['x'], max_body = '1 MiB' }", UNEXPECTED),
    row("path = '/gzip'\nexpect = { body_contains = ['it is whole'] }", Good),
    row("path = '/deflate'\nexpect = { body_contains = ['it is whole'] }", Good),
    row("path = '/deflate-raw'\nexpect = { body_contains = ['it is whole'] }", Good),
    row("path = '/redirect?n=3'\nredirects = 3\nexpect = { body_contains = ['arrived'] }", Good),
    row(
        "path = '/redirect?n=1'\nredirects = 3\nexpect = { final_url = '/redirect?n=0&status=302' }",
        Good,
    ),
    row("path = '/redirect?n=4'\nredirects = 3", REDIRECTED),
    row("path = '/fault/redirect-loop'\nredirects = 5", REDIRECTED),
    row("path = '/fault/redirect-away'\nredirects = 5", REDIRECTED),
    row("path = '/redirect?n=2&status=303'\nmethod = 'POST'\nbody = 'small'\nredirects = 2", Good),
    row("path = '/redirect?n=2&status=308'\nmethod = 'POST'\nbody = 'small'\nredirects = 2", Good),
];

const INSECURE: &str = "insecure = true\ntimeout = '30s'";

const TRUST: [Row; 5] = [
    Row {
        target: "tls_cert = 'CLIENT'\ntls_key = 'CLIENT'\ntimeout = '30s'",
        ..flagged(&["--tls", "--tls-client-out"], "path = '/plain'", Good)
    },
    Row {
        target: INSECURE,
        ..flagged(&["--tls", "--tls-fault", "expired"], "path = '/plain'", Good)
    },
    Row {
        target: INSECURE,
        ..flagged(&["--tls", "--tls-fault", "wrong-name"], "path = '/plain'", Good)
    },
    Row {
        target: INSECURE,
        ..flagged(&["--tls", "--tls-fault", "untrusted"], "path = '/plain'", Good)
    },
    Row {
        target: INSECURE,
        ..flagged(&["--tls", "--tls-fault", "old-version"], "path = '/plain'", super::NO_TLS)
    },
];

#[test]
fn redirects_and_decoding_respect_their_limits() {
    hold(&ROWS, ok);
}

#[test]
fn a_prober_presents_its_certificate_and_skips_verification_only_on_request() {
    hold(&TRUST, |row| stated(row.outcome));
}

#[test]
fn every_page_of_the_target_is_in_the_table_over_each_version_that_carries_it() {
    let over_1: BTreeSet<&str> = HTTP1.iter().chain(&ROWS).map(path).collect();
    let over_2: BTreeSet<&str> = http2::ROWS.iter().map(path).collect();
    for page in pages() {
        let (needs_1, needs_2) = match page.support {
            tollgate::target::HttpSupport::Any => (true, true),
            tollgate::target::HttpSupport::Http1 => (true, false),
            tollgate::target::HttpSupport::Http2 => (false, true),
        };
        assert!(!needs_1 || over_1.contains(page.path), "{} over HTTP/1.1", page.path);
        assert!(!needs_2 || over_2.contains(page.path), "{} over HTTP/2", page.path);
    }
}

/// The path of a row's request, without the query.
fn path(row: &Row) -> &'static str {
    row.request.split('\'').nth(1).unwrap().split('?').next().unwrap()
}
