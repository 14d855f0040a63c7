use std::io;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use url::Url;

use super::super::{Expectation, ExpectationSet, JsonExpectation, JsonRule, ResponseCheck};
use super::*;
use crate::record::Failure;

const KINDS: [&str; 3] = ["gzip", "zlib", "raw"];

fn encoded(kind: &str, content: &[u8]) -> Vec<u8> {
    fn whole<E: io::Write>(
        mut encoder: E,
        content: &[u8],
        end: fn(E) -> io::Result<Vec<u8>>,
    ) -> Vec<u8> {
        encoder.write_all(content).unwrap();
        end(encoder).unwrap()
    }
    let level = Compression::default();
    match kind {
        "gzip" => whole(GzEncoder::new(Vec::new(), level), content, GzEncoder::finish),
        "zlib" => whole(ZlibEncoder::new(Vec::new(), level), content, ZlibEncoder::finish),
        _ => whole(DeflateEncoder::new(Vec::new(), level), content, DeflateEncoder::finish),
    }
}

fn header(kind: &str) -> &str {
    if kind == "gzip" { kind } else { "deflate" }
}

fn decoded(encodings: &[&str], body: &[u8], limit: u64) -> Result<Vec<u8>, DecodeFailure> {
    let url = Url::parse("https://example.org/").unwrap();
    let mut headers = HeaderMap::new();
    for encoding in encodings {
        headers.append(CONTENT_ENCODING, HeaderValue::from_str(encoding).unwrap());
    }
    let answer = ResponseView { status: StatusCode::OK, url: &url, headers: &headers, body };
    decode(&answer, ByteSize(limit)).map(Cow::into_owned)
}

fn wrong(encodings: &[&str], body: &[u8]) -> String {
    match decoded(encodings, body, 1 << 20) {
        Err(DecodeFailure::Malformed(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_encoding_is_decoded_in_any_case_and_wrapping() {
    let text = "words ".repeat(1_000).into_bytes();
    for kind in KINDS {
        let body = encoded(kind, &text);
        for name in
            [header(kind), &header(kind).to_uppercase(), &format!("identity, , {}", header(kind))]
        {
            assert_eq!(decoded(&[name], &body, 1 << 20).unwrap(), text, "{kind} as {name}");
        }
    }
    assert_eq!(decoded(&["x-gzip"], &encoded("gzip", &text), 1 << 20).unwrap(), text);
    assert_eq!(decoded(&["identity"], &text, 1 << 20).unwrap(), text);
    assert_eq!(decoded(&[], &text, 1 << 20).unwrap(), text);
}

#[test]
fn several_encodings_are_decoded_in_reverse_order() {
    let text = b"words".to_vec();
    let twice = encoded("gzip", &encoded("zlib", &text));
    assert_eq!(decoded(&["deflate, gzip"], &twice, 1 << 20).unwrap(), text);
    assert_eq!(decoded(&["deflate", "gzip"], &twice, 1 << 20).unwrap(), text);
    assert!(decoded(&["gzip, deflate"], &twice, 1 << 20).is_err());
}

#[test]
fn gzip_files_one_after_the_other_are_one_body() {
    let both = [encoded("gzip", b"one "), encoded("gzip", b"two")].concat();
    assert_eq!(decoded(&["gzip"], &both, 1 << 20).unwrap(), b"one two");
}

#[test]
fn gzip_with_too_many_members_is_refused() {
    let member = encoded("gzip", b"x");
    assert_eq!(decoded(&["gzip"], &member.repeat(64), 1_000).unwrap().len(), 64);
    assert!(wrong(&["gzip"], &member.repeat(65)).contains("more than 64 gzip members"));
}

#[test]
fn an_empty_body_has_no_content_in_any_encoding() {
    assert_eq!(decoded(&["gzip"], b"", 10).unwrap(), b"");
    assert_eq!(decoded(&["br"], b"", 10).unwrap(), b"");
}

#[test]
fn an_unknown_encoding_is_named_with_a_remedy() {
    assert_eq!(
        wrong(&["br"], b"body"),
        "a body that is encoded with `br`, which tollgate does not decode; send `Accept-Encoding: gzip`"
    );
    let long = wrong(&[&"x".repeat(10_000)], b"body");
    assert!(long.len() < 200, "{long}");
}

#[test]
fn a_truncated_damaged_or_extended_body_is_refused() {
    let text: Vec<u8> =
        (0..20_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    for kind in KINDS {
        let whole = encoded(kind, &text);
        for length in [1, 2, 5, whole.len() / 2, whole.len() - 1] {
            let why = wrong(&[header(kind)], &whole[..length]);
            assert!(
                why.contains(&format!("not whole {}", header(kind))),
                "{kind} up to {length}: {why}"
            );
        }
        let more = [whole.as_slice(), b"more"].concat();
        assert!(decoded(&[header(kind)], &more, 1 << 20).is_err(), "{kind} and more");
    }
    let mut damaged = encoded("gzip", &text);
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    wrong(&["gzip"], &damaged);
    assert_eq!(
        wrong(&["gzip"], b"plain text"),
        "10 bytes that are not whole gzip, as `Content-Encoding` says"
    );
}

#[test]
fn content_of_exactly_the_limit_passes_and_one_more_byte_fails() {
    for size in [1, 1_000, 16 << 10, (16 << 10) + 1, 3 << 20] {
        let text = vec![b'x'; size];
        for kind in KINDS {
            let body = encoded(kind, &text);
            assert_eq!(decoded(&[header(kind)], &body, size as u64).unwrap().len(), size);
            let more = decoded(&[header(kind)], &body, size as u64 - 1);
            assert_eq!(more.unwrap_err(), DecodeFailure::TooLarge, "{kind} of {size}");
        }
    }
}

#[test]
fn a_bomb_ends_at_the_limit_and_takes_no_more_memory() {
    let bomb = encoded("gzip", &vec![0; 16 << 20]);
    assert!(bomb.len() < 100 << 10);
    assert_eq!(decoded(&["gzip"], &bomb, 1 << 20), Err(DecodeFailure::TooLarge));
    let twice = encoded("zlib", &bomb);
    assert_eq!(decoded(&["gzip, deflate"], &twice, 1 << 20), Err(DecodeFailure::TooLarge));
    for (filled, limit) in [(0, 1 << 20), (1 << 20, 1 << 20), (40 << 20, 1 << 30)] {
        let room = next_reserve(filled, limit).unwrap();
        assert!(filled + room <= limit + 1 && room <= 1 << 20);
    }
}

#[test]
fn too_many_encodings_are_refused_before_any_work() {
    let mut body = b"words".to_vec();
    for _ in 0..MOST_ENCODINGS {
        body = encoded("gzip", &body);
    }
    let list = |count| vec!["gzip"; count].join(", ");
    assert_eq!(decoded(&[&list(MOST_ENCODINGS)], &body, 1 << 20).unwrap(), b"words");
    assert!(wrong(&[&list(MOST_ENCODINGS + 1)], &body).contains("more than 5 times"));
}

#[test]
fn expectations_judge_the_content_and_name_what_cannot_be_decoded() {
    let judge = |check: ResponseCheck, encoding: &str, body: &[u8]| {
        let expectations = ExpectationSet::new(
            vec![Expectation { written: "as written".to_owned(), check }],
            ByteSize(1024),
        );
        let url = Url::parse("https://example.org/").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_str(encoding).unwrap());
        expectations.judge(&ResponseView {
            status: StatusCode::OK,
            url: &url,
            headers: &headers,
            body,
        })
    };
    let page = encoded("gzip", br#"{"ready": true}"#);
    let ready =
        || JsonExpectation { pointer: "/ready".to_owned(), rule: JsonRule::Is(true.into()) };
    assert_eq!(judge(ResponseCheck::contains("ready"), "gzip", &page), Ok(()));
    assert_eq!(
        judge(ResponseCheck::lacks("ready"), "gzip", &page).unwrap_err().seen,
        "in the 15 bytes of the body"
    );
    assert_eq!(judge(ResponseCheck::Json(ready()), "gzip", &page), Ok(()));

    let unmet = judge(ResponseCheck::lacks("x"), "br", &page).unwrap_err();
    assert_eq!((unmet.failure, unmet.expected.as_str()), (Failure::Unexpected, "as written"));
    let bomb = encoded("gzip", &[0; 2048]);
    let unmet = judge(ResponseCheck::contains("x"), "gzip", &bomb).unwrap_err();
    assert_eq!(unmet.expected, "max_body = \"1 KiB\"");
    // The body is not decoded if no expectation looks at it.
    assert_eq!(judge(ResponseCheck::Status(vec![StatusCode::OK]), "br", b"body"), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_body_makes_the_decoder_panic_or_exceed_its_limit(
        body in prop::collection::vec(any::<u8>(), 0..2_000),
        encoding in "(gzip|deflate|x-gzip|identity|br|[\\x20-\\x7e]{0,8})(, (gzip|deflate)){0,6}",
        limit in 0_u64..100_000,
    ) {
        if let Ok(content) = decoded(&[&encoding], &body, limit) {
            prop_assert!(content.len() as u64 <= limit || content == body);
        }
    }

    #[test]
    fn a_whole_body_with_a_few_bytes_changed_never_panics(
        content in prop::collection::vec(any::<u8>(), 0..2_000),
        changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..5),
        kind in prop::sample::select(KINDS.to_vec()),
    ) {
        let mut body = encoded(kind, &content);
        for (at, byte) in changes {
            let length = body.len();
            body[at % length] = byte;
        }
        if let Ok(content) = decoded(&[header(kind)], &body, 10_000) {
            prop_assert!(content.len() <= 10_000);
        }
    }

    #[test]
    fn encoded_content_is_decoded_unchanged(
        content in prop::collection::vec(any::<u8>(), 0..5_000),
        kinds in prop::collection::vec(prop::sample::select(KINDS.to_vec()), 0..4),
    ) {
        let body = kinds.iter().fold(content.clone(), |body, kind| encoded(kind, &body));
        let names: Vec<_> = kinds.iter().map(|kind| header(kind)).collect();
        prop_assert_eq!(decoded(&[&names.join(", ")], &body, 1 << 20).unwrap(), content);
    }
}
