//! HTTP/1.1: framing, lines, ends, and what stands between.

use std::time::Duration;

use tollgate::record::Failure::{
    self, Closed, Malformed, OwnLimit, Protocol, Reset, Status, TimedOut, Unexpected,
};

use crate::keeper::Act::{Close, Hold, Read, Say, SayUrgent, Wait};
use crate::keeper::Outcome::{Bad, Good};
use crate::keeper::{Act, Case, Outcome, visit};

/// Answers with these bytes and then stays silent.
fn says(name: &'static str, bytes: impl AsRef<[u8]>, outcome: Outcome) -> Case {
    Case::new(name, vec![Read, Say(bytes.as_ref().to_vec()), Hold], outcome)
}

/// Answers with these bytes and then closes.
fn ends(name: &'static str, bytes: impl AsRef<[u8]>, outcome: Outcome) -> Case {
    Case::new(name, vec![Read, Say(bytes.as_ref().to_vec()), Close], outcome)
}

const fn bad(failure: Failure) -> Outcome {
    Bad(failure, "")
}

/// A chunked answer.
fn chunked(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}")
}

#[test]
fn status_lines() {
    visit(&[
        says("a lower-case version", "http/1.1 200 OK\r\n\r\n", bad(Malformed)),
        says("HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", Bad(Malformed, "HTTP/1.1")),
        says("HTTP/2.0 in text", "HTTP/2.0 200 OK\r\n\r\n", bad(Malformed)),
        says("HTTP/0.9", "<html>hello</html>", bad(Malformed)),
        says("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", Bad(Malformed, "status")),
        says("a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", Bad(Malformed, "status")),
        says("a negative status", "HTTP/1.1 -20 OK\r\n\r\n", bad(Malformed)),
        says("a status in letters", "HTTP/1.1 abc OK\r\n\r\n", bad(Malformed)),
        says("status 000", "HTTP/1.1 000 No\r\n\r\n", bad(Malformed)),
        ends("status 999", "HTTP/1.1 999 No\r\ncontent-length: 0\r\n\r\n", bad(Status)),
        ends("no reason", "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", Good),
        ends("an 8-bit reason", b"HTTP/1.1 200 \xff\xfe\r\ncontent-length: 0\r\n\r\n", Good),
        says("NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n", bad(Malformed)),
        says("a tab instead of a space", "HTTP/1.1\t200 OK\r\n\r\n", bad(Malformed)),
        says("another protocol", "SSH-2.0-OpenSSH_9.2\r\n", bad(Malformed)),
        says("a TLS alert", [21, 3, 1, 0, 2, 2, 40], bad(Malformed)),
        says(
            "HTTP/2 frames",
            [&[0, 0, 0, 4, 0, 0, 0, 0, 0][..], &[0; 30]].concat(),
            Bad(Protocol, "HTTP/2"),
        ),
        says("random bytes", (0..=255).rev().collect::<Vec<u8>>(), bad(Malformed)),
        ends("empty lines first", "\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Good),
        ends("HTTP/1.0 until the close", "HTTP/1.0 200 OK\r\n\r\nall of it", Good),
    ]);
}

#[test]
fn header_lines() {
    let with = |line: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{line}\r\n\r\n");
    let many = |count: usize| with(&vec!["x: y"; count].join("\r\n"));
    visit(&[
        says("a folded line", with("x: a\r\n b"), Good),
        says("bare LF", with("x: a").replace("\r\n", "\n"), Good),
        says("a bare CR in a value", with("x: a\rb"), Bad(Malformed, "header line")),
        says("NUL in a value", with("x: a\0b"), Bad(Malformed, "header line")),
        says("NUL in a name", with("x\0y: a"), Bad(Malformed, "header line")),
        says("a name with a space", with("x y: a"), Bad(Malformed, "header line")),
        says("a space before the colon", with("x : a"), Good),
        says("a name with a tab", with("x\ty: a"), Bad(Malformed, "header line")),
        says("a line of blanks only", with(" \t"), Good),
        says("a bare CR before the name", with("\rx: a"), Bad(Malformed, "header line")),
        says(
            "a bare CR at the end of a line",
            with("x: a\r\r\ny: b"),
            Bad(Malformed, "header line"),
        ),
        says("DEL in a value", with("x: a\x7f"), Bad(Malformed, "header line")),
        says(
            "a line feed and a blank first",
            "HTTP/1.1 200 OK\r\n x: a\r\ncontent-length: 0\r\n\r\n",
            Bad(Malformed, "header line"),
        ),
        says("a folded line with NUL", with("x: a\r\n b\0"), Bad(Malformed, "header line")),
        says(
            "60,000 folds, and silence",
            format!("HTTP/1.1 200 OK\r\nx: a{}", "\r\n b".repeat(60_000)),
            bad(TimedOut),
        ),
        says("no name", with(": a"), Bad(Malformed, "header line")),
        says("no colon", with("x"), Bad(Malformed, "header line")),
        says(
            "an 8-bit value",
            [&with("x: a")[..], ""].concat().replace("x: a", "x: \u{e9}\u{e9}"),
            Good,
        ),
        says("an 8-bit name", with("\u{e9}: a"), Bad(Malformed, "header line")),
        says("an empty value", with("x:"), Good),
        says("150 lines", many(150), Good),
        says("2,000 lines", many(2_000), Good),
        says("3,000 lines", many(3_000), Bad(OwnLimit, "2,048 header lines")),
        says("a line of 100 kB", with(&format!("x: {}", "y".repeat(100_000))), Good),
        says("a head that does not end", "HTTP/1.1 200 OK\r\nx: y\r\n", bad(TimedOut)),
        ends("a close in a head", "HTTP/1.1 200 OK\r\nx: y\r\n", bad(Closed)),
        ends("a close in the status line", "HTTP/1.1 2", bad(Closed)),
        ends("a close before an answer", "", bad(Closed)),
        Case::new("a reset before an answer", vec![Read, Act::Reset], bad(Reset)),
        Case::new("silence", vec![Read, Hold], Bad(TimedOut, "first_byte")),
    ]);
}

#[test]
fn lengths() {
    let with = |lines: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{body}");
    let length = |length: &str| with(&format!("content-length: {length}"), "hello");
    visit(&[
        says("equal lengths twice", with("content-length: 5\r\ncontent-length: 5", "hello"), Good),
        says(
            "two lengths",
            with("content-length: 5\r\ncontent-length: 6", "hello"),
            bad(Malformed),
        ),
        says("a list of lengths", length("5, 6"), Bad(Malformed, "Content-Length")),
        says("a negative length", length("-5"), Bad(Malformed, "Content-Length")),
        says("a signed length", length("+5"), Bad(Malformed, "Content-Length")),
        says("a length in hex", length("0x5"), Bad(Malformed, "Content-Length")),
        says("a fractional length", length("5.0"), Bad(Malformed, "Content-Length")),
        says("an empty length", length(""), bad(Malformed)),
        says("more than announced", length("4"), Bad(Malformed, "more than the length")),
        ends("less than announced", length("6"), bad(Closed)),
        says("less, and silence", length("6"), bad(TimedOut)),
        says(
            "a second answer behind",
            length("5") + "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            Bad(Malformed, "more than the length"),
        ),
        says(
            "a body for HEAD",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            bad(Malformed),
        )
        .with_request("method = 'HEAD'"),
        says("a length for HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", Good)
            .with_request("method = 'HEAD'"),
        says("a body of 304", "HTTP/1.1 304 No\r\ncontent-length: 5\r\n\r\nhello", bad(Malformed)),
        says("a body of 204", "HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\nhello", bad(Malformed)),
        says(
            "more than may be read",
            with("content-length: 100000", &"x".repeat(100_000)),
            bad(Unexpected),
        )
        .with_request("expect = { max_body = '10 KiB' }"),
    ]);
}

#[test]
fn forms_of_a_length() {
    let with = |lines: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{body}");
    let length = |length: &str| with(&format!("content-length: {length}"), "hello");
    visit(&[
        says("leading zeros", length("0005"), Good),
        says("a length between tabs", length("\t5\t"), Good),
        says(
            "one length in two forms",
            with("content-length: 5\r\ncontent-length: 05", "hello"),
            Good,
        ),
        says("a length with a comma", length("5,"), bad(Malformed)),
        says("two lengths in a line", length("5 5"), bad(Malformed)),
        says("a length in other digits", length("\u{665}"), bad(Malformed)),
        says("a length of minus zero", length("-0"), bad(Malformed)),
        says("a folded length", with("content-length: 1\r\n 0", "hello"), bad(Malformed)),
        says("a length with a NUL", length("5\0"), bad(Malformed)),
        says("a length with a bare CR", length("5\r6"), bad(Malformed)),
        says("a length with a semicolon", length("5;a=b"), bad(Malformed)),
        says("a length in underscores", length("0_5"), bad(Malformed)),
        says("a length with an exponent", length("5e0"), bad(Malformed)),
        says("2^63", length("9223372036854775808"), bad(TimedOut)),
        says("2^64", length("18446744073709551616"), Bad(Malformed, "Content-Length")),
        says("100 digits", length(&"9".repeat(100)), bad(Malformed)),
        ends("1 EiB", with("content-length: 1152921504606846976", "x"), bad(Closed)),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn transfer_encodings() {
    let coded =
        |coding: &str| format!("HTTP/1.1 200 OK\r\n{coding}\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    let length = "transfer-encoding: chunked\r\ncontent-length: 3";
    let more_than_once = Bad(Malformed, "more than once");
    let (after, unknown) = (Bad(Malformed, "after `chunked`"), Bad(Malformed, "does not exist"));
    visit(&[
        says("chunked and a length", coded(length), Good),
        says(
            "a length and chunked",
            coded("content-length: 0\r\ntransfer-encoding: chunked"),
            Good,
        ),
        says("chunked twice", coded("transfer-encoding: chunked, chunked"), more_than_once),
        says(
            "chunked twice in two lines",
            coded("transfer-encoding: chunked\r\nTransfer-Encoding: Chunked"),
            more_than_once,
        ),
        says("chunked, then gzip", coded("transfer-encoding: chunked, gzip"), after),
        ends("chunked, then gzip, and a close", coded("transfer-encoding: chunked, gzip"), after),
        ends(
            "chunked, then identity",
            coded("transfer-encoding: chunked\r\ntransfer-encoding: identity"),
            after,
        ),
        ends("chunked, then another", coded("transfer-encoding: chunked, x"), unknown),
        ends("an unknown coding", coded("transfer-encoding: xchunked"), unknown),
        says("a parameter of chunked", coded("transfer-encoding: chunked;q=1"), unknown),
        says("chunked in quotes", coded("transfer-encoding: \"chunked\""), unknown),
        says("gzip, then chunked", coded("transfer-encoding: gzip, chunked"), Good),
        says("identity, then chunked", coded("transfer-encoding: identity, chunked"), Good),
        says("an empty element first", coded("transfer-encoding: ,chunked"), Good),
        says("an empty element last", coded("transfer-encoding: chunked,"), Bad(OwnLimit, "comma")),
        says("a space before the colon", coded("transfer-encoding : chunked"), Good),
        says("folded", coded("transfer-encoding:\r\n chunked"), Good),
        ends(
            "identity and a length",
            coded("transfer-encoding: identity\r\ncontent-length: 3"),
            Good,
        ),
        says(
            "chunked in 204",
            coded("transfer-encoding: chunked").replace("200", "204"),
            bad(Malformed),
        ),
        says(
            "chunked twice in 304 without a body",
            "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked, chunked\r\n\r\n",
            bad(Status),
        ),
        says(
            "chunked twice for HEAD",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n",
            Good,
        )
        .with_request("method = 'HEAD'"),
        says(
            "a coding and a length in HTTP/1.0",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: x\r\ncontent-length: 2\r\n\r\nok",
            Bad(Malformed, "HTTP/1.0"),
        ),
        ends(
            "chunked in HTTP/1.0",
            coded("transfer-encoding: chunked").replace("1.1", "1.0"),
            bad(Malformed),
        ),
        says("upper case", coded("Transfer-Encoding: CHUNKED"), Good),
        says("a tab before the coding", coded("transfer-encoding:\tchunked"), Good),
    ]);
}

#[test]
fn chunks() {
    visit(&[
        says("a size and blanks", chunked("5 \t\r\nhello\r\n0\r\n\r\n"), Good),
        says("a blank before a size", chunked(" 5\r\nhello\r\n0\r\n\r\n"), bad(Malformed)),
        says("a blank within a size", chunked("0 5\r\nhello\r\n0\r\n\r\n"), bad(Malformed)),
        says("a signed size", chunked("+5\r\nhello\r\n0\r\n\r\n"), bad(Malformed)),
        says("a size with an underscore", chunked("0_5\r\nhello\r\n0\r\n\r\n"), bad(Malformed)),
        says("a size and a bare LF", chunked("5\nhello\r\n0\r\n\r\n"), bad(Malformed)),
        says("a size and a bare CR", chunked("5\rhello\r\n0\r\n\r\n"), bad(Malformed)),
        says("a size and two CRs", chunked("5\r\r\nhello\r\n0\r\n\r\n"), bad(Malformed)),
        says("a size and a NUL", chunked("5\0\r\nhello\r\n0\r\n\r\n"), bad(Malformed)),
        says("data and a bare LF", chunked("5\r\nhello\n0\r\n\r\n"), bad(Malformed)),
        says("an extension with a bare LF", chunked("5;a\nhello\r\n0\r\n\r\n"), bad(Malformed)),
        says(
            "an extension with a bare CR",
            chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"),
            bad(Malformed),
        ),
        says("an end with a bare LF", chunked("5\r\nhello\r\n0\n\n"), bad(Malformed)),
        says("a trailer with a bare LF", chunked("0\r\nx: y\nz: w\r\n\r\n"), bad(Malformed)),
        says(
            "lengths and codings as trailers",
            chunked("5\r\nhello\r\n0\r\ncontent-length: 9\r\ntransfer-encoding: x\r\n\r\n"),
            Good,
        ),
        says(
            "bytes after the last chunk",
            chunked("5\r\nhello\r\n0\r\n\r\n0\r\n\r\n"),
            bad(Malformed),
        ),
        says(
            "a second answer after the last chunk",
            chunked("0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
            bad(Malformed),
        ),
        says("a size in no hex", chunked("five\r\nhello\r\n0\r\n\r\n"), bad(Malformed)),
        says("a negative size", chunked("-5\r\nhello\r\n0\r\n\r\n"), bad(Malformed)),
        says("a size with 0x", chunked("0x5\r\nhello\r\n0\r\n\r\n"), bad(Malformed)),
        says("no size", chunked("\r\nhello\r\n0\r\n\r\n"), bad(Malformed)),
        says("a size of 17 digits", chunked("10000000000000000\r\nx"), bad(Malformed)),
        says("a size of 16 digits", chunked("ffffffffffffffff\r\nx"), bad(TimedOut)),
        says("leading zeros", chunked("0005\r\nhello\r\n0\r\n\r\n"), Good),
        says("no line end after data", chunked("5\r\nhelloX0\r\n\r\n"), bad(Malformed)),
        says("too short a size", chunked("4\r\nhello\r\n0\r\n\r\n"), bad(Malformed)),
        says("too long a size", chunked("6\r\nhello\r\n0\r\n\r\n"), bad(Malformed)),
        says("an extension", chunked("5;a=b\r\nhello\r\n0\r\n\r\n"), Good),
        says("a trailer", chunked("5\r\nhello\r\n0\r\nx: y\r\n\r\n"), Good),
        says("a bad trailer", chunked("5\r\nhello\r\n0\r\nx y z\r\n\r\n"), bad(Malformed)),
        says("no end", chunked("5\r\nhello\r\n"), bad(TimedOut)),
        ends("a close before the last chunk", chunked("5\r\nhello\r\n"), bad(Closed)),
        ends("a close in a size", chunked("5"), bad(Closed)),
        ends("a close in a trailer", chunked("5\r\nhello\r\n0\r\nx: "), bad(Closed)),
    ]);
}

#[test]
fn interim_answers_and_other_bytes() {
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let urgent = vec![Read, Say(ok[..17].into()), SayUrgent(b'c'), Say(ok[18..].into()), Hold];
    let last =
        vec![Read, Say(ok.as_bytes()[..37].to_vec()), SayUrgent(b'\n'), Say(b"ok".to_vec()), Hold];
    let first =
        vec![Say(b"220 mail.example ESMTP\r\n".to_vec()), Wait(Duration::from_millis(300)), Hold];
    let upload = "method = 'POST'\nbody = 'a body'";
    visit(&[
        says("100 first", format!("HTTP/1.1 100 Continue\r\n\r\n{ok}"), Good),
        says("103 twice", format!("{0}{0}{ok}", "HTTP/1.1 103 Early\r\nlink: x\r\n\r\n"), Good),
        ends("only 100", "HTTP/1.1 100 Continue\r\n\r\n", bad(Closed)),
        says("100, then silence", "HTTP/1.1 100 Continue\r\n\r\n", bad(TimedOut)),
        says("199", format!("HTTP/1.1 199 Odd\r\n\r\n{ok}"), Good),
        says(
            "an upgrade that nobody asked for",
            "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
            bad(Status),
        ),
        Case::new("an urgent byte in a head", urgent, Good),
        Case::new("an urgent byte at its end", last, Good),
        Case::new("a target that speaks first", first, bad(Malformed)),
        ends("an answer before the upload", ok, Good).with_request(upload),
        ends(
            "an answer that says close and does",
            format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{ok}"),
            Good,
        ),
    ]);
}
