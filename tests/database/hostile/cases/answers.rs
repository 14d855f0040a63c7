//! Hostile answers to statements, and hostile rows in them.

use tollgate::record::Failure;

use super::super::fake_postgres::{Step, Then, columns, message, notice, ready, row};
use super::{BROKEN, Case, LATE, LOST, case};

const REJECTED: &str = "rejected the statement";

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn answers() -> Vec<Case> {
    use Failure::{Closed, Query, TimedOut};
    let wrong = || notice(b'E', &[(b'S', "ERROR"), (b'C', "22012"), (b'M', "division by zero")]);
    let unknown = || message(b'y', b"what");
    let mut cases = vec![
        case("rows: an unknown state", (Step::Rows, ready(b'?'), Then::Wait), Query, BROKEN),
        case(
            "rows: a state of two bytes",
            (Step::Rows, message(b'Z', b"TT"), Then::Wait),
            Query,
            BROKEN,
        ),
        case(
            "rows: copy in",
            (Step::Rows, message(b'G', &[0, 0, 0]), Then::Again),
            Failure::OwnLimit,
            "asks for what",
        ),
        case(
            "rows: copy out",
            (Step::Rows, message(b'H', &[0, 0, 0]), Then::Again),
            Failure::OwnLimit,
            "asks for what",
        ),
        case(
            "rows: nothing but ready",
            (Step::Rows, ready(b'T').repeat(9), Then::Wait),
            Query,
            BROKEN,
        ),
        case(
            "rows: an error",
            (Step::Rows, [wrong(), ready(b'E')].concat(), Then::Next),
            Query,
            REJECTED,
        ),
        case(
            "describe: an error",
            (Step::Describe, [wrong(), ready(b'E')].concat(), Then::Next),
            Query,
            REJECTED,
        ),
        case(
            "describe: a description cut off",
            (Step::Describe, message(b'T', &[0, 9, b'a', 0]), Then::Wait),
            Query,
            BROKEN,
        ),
        case(
            "describe: 65,535 columns",
            (Step::Describe, message(b'T', &[255, 255]), Then::Wait),
            Query,
            BROKEN,
        ),
        case(
            "describe: a column that is not UTF-8",
            (Step::Describe, columns(&[b"\xff\xfe"]), Then::Wait),
            Query,
            BROKEN,
        ),
        case(
            "describe: types cut off",
            (
                Step::Describe,
                [message(b'1', &[]), message(b't', &[255, 255, 0])].concat(),
                Then::Wait,
            ),
            Query,
            BROKEN,
        ),
        case(
            "begin: a tag without end",
            (Step::Begin, message(b'C', b"BEGIN"), Then::Wait),
            Query,
            BROKEN,
        ),
        case(
            "begin: a tag that is not UTF-8",
            (Step::Begin, message(b'C', b"\xff\0"), Then::Wait),
            Query,
            BROKEN,
        ),
    ];
    for at in [Step::Begin, Step::Describe, Step::Rows, Step::Commit] {
        cases.push(case("a step: closed", (at, vec![], Then::Close), Closed, LOST));
        cases.push(case("a step: silent", (at, vec![], Then::Wait), TimedOut, LATE));
        cases.push(case("a step: unknown message", (at, unknown(), Then::Wait), Query, BROKEN));
    }
    cases
}

pub(super) fn rows() -> Vec<Case> {
    use Failure::Query;
    let at = |row: Vec<u8>| {
        let rest = [message(b'C', b"SELECT 1\0"), ready(b'T')].concat();
        (Step::Rows, [row, rest].concat(), Then::Next)
    };
    vec![
        case("rows: no column", at(row(&[])), Query, BROKEN),
        case("rows: two columns instead of one", at(row(&[b"{}", b"{}"])), Query, BROKEN),
        case("rows: 65,535 columns", at(message(b'D', &[255, 255])), Query, BROKEN),
        case(
            "rows: a column beyond the row",
            at(message(b'D', &[0, 1, 0, 0, 0, 9, b'x'])),
            Query,
            BROKEN,
        ),
        case(
            "rows: a negative column",
            at(message(b'D', &[0, 1, 255, 255, 255, 254])),
            Query,
            BROKEN,
        ),
        case(
            "rows: bytes after the row",
            at(message(b'D', &[0, 1, 0, 0, 0, 1, b'x', b'y'])),
            Query,
            BROKEN,
        ),
        case("rows: not even a count", at(message(b'D', &[0])), Query, BROKEN),
        case("rows: text that is not UTF-8", at(row(&[b"\xff\xfe"])), Query, BROKEN),
        case(
            "rows: text that is not JSON",
            at(row(&[b"{"])),
            Failure::OwnLimit,
            "row 1 is not JSON",
        ),
    ]
}
