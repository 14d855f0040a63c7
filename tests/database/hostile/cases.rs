//! Servers that break Postgres' protocol, and what each of them is called.

mod answers;

use tollgate::record::Failure;

use super::fake_postgres::{Dialogue, Step, Then, login, message, notice, ready, row, with_length};
use answers::{answers, rows};

/// A hostile server and its typed outcome.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) dialogue: Dialogue,
    /// The failure of a step that queries it; `None` if nothing is wrong.
    pub(super) failure: Option<Failure>,
    /// A part of what is reported.
    pub(super) says: &'static str,
}

fn case(
    name: &'static str,
    (at, sends, then): (Step, Vec<u8>, Then),
    failure: impl Into<Option<Failure>>,
    says: &'static str,
) -> Case {
    let dialogue = Dialogue { at, sends, then, cut: usize::MAX };
    Case { name, dialogue, failure: failure.into(), says }
}

const NO_POSTGRES: &str = "is not a PostgreSQL server";
const BROKEN: &str = "broke PostgreSQL's protocol";
const FLOODS: &str = "floods the connection";
const LARGE: &str = "sent more than tollgate reads";
const LOST: &str = "broke off the connection";
const LATE: &str = "no answer of the database within";

/// Every hostile server.
pub(super) fn all() -> Vec<Case> {
    [before_login(), logins(), lengths(), floods(), answers(), rows(), lawful()]
        .into_iter()
        .flatten()
        .collect()
}

fn before_login() -> Vec<Case> {
    use Failure::{Closed, Session, TimedOut, Tls};
    use Step::Tls as AtTls;
    let noise: Vec<u8> =
        (0..4_096_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[1]).collect();
    vec![
        case("tls: closed", (AtTls, vec![], Then::Close), Closed, LOST),
        case("tls: silent", (AtTls, vec![], Then::Wait), TimedOut, "did not answer in time"),
        case("tls: X", (AtTls, b"X".to_vec(), Then::Wait), Session, NO_POSTGRES),
        case("tls: an error", (AtTls, notice(b'E', &[(b'M', "no")]), Then::Wait), Closed, LOST),
        case(
            "tls: HTTP",
            (AtTls, b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Then::Close),
            Session,
            NO_POSTGRES,
        ),
        case(
            "tls: data after N",
            (AtTls, [b"N".to_vec(), login(0, &[]), ready(b'I')].concat(), Then::Wait),
            Session,
            NO_POSTGRES,
        ),
        case(
            "tls: noise after S",
            (AtTls, [b"S".to_vec(), noise.clone()].concat(), Then::Wait),
            Tls,
            "TLS",
        ),
        case("tls: closed after S", (AtTls, b"S".to_vec(), Then::Close), Closed, LOST),
        case("login: noise", (Step::Login, noise, Then::Close), Session, NO_POSTGRES),
        case(
            "login: HTTP",
            (Step::Login, b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Then::Close),
            Session,
            NO_POSTGRES,
        ),
        case(
            "login: SSH",
            (Step::Login, b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), Then::Close),
            Session,
            NO_POSTGRES,
        ),
        case("login: zeros", (Step::Login, vec![0; 64], Then::Again), Session, NO_POSTGRES),
        case("login: closed", (Step::Login, vec![], Then::Close), Closed, LOST),
        case(
            "login: silent",
            (Step::Login, vec![], Then::Wait),
            TimedOut,
            "did not answer in time",
        ),
        case("login: a row", (Step::Login, row(&[b"{}"]), Then::Wait), Session, NO_POSTGRES),
    ]
}

fn logins() -> Vec<Case> {
    use Failure::{OwnLimit, Session};
    let at = |sends: Vec<u8>| (Step::Login, sends, Then::Wait);
    let scram = |first: &[u8]| [login(10, b"SCRAM-SHA-256\0\0"), login(11, first)].concat();
    vec![
        case("login: unknown method", at(login(99, &[])), OwnLimit, "asks for what"),
        case("login: no method", at(message(b'R', &[0, 0])), Session, NO_POSTGRES),
        case("login: salt of one byte", at(login(5, &[1])), Session, NO_POSTGRES),
        case("login: list without end", at(login(10, b"SCRAM-SHA-256")), Session, NO_POSTGRES),
        case("login: no known list", at(login(10, b"NONE\0\0")), OwnLimit, "asks for what"),
        case("login: final before first", at(login(12, b"v=AAAA")), Session, NO_POSTGRES),
        case("login: SCRAM without rounds", at(scram(b"r=abc,s=QUJD")), Session, NO_POSTGRES),
        case(
            "login: 4 billion rounds",
            at(scram(b"r=abc,s=QUJD,i=4294967295")),
            Session,
            NO_POSTGRES,
        ),
        case(
            "login: rounds that are no number",
            at(scram(b"r=abc,s=QUJD,i=many")),
            Session,
            NO_POSTGRES,
        ),
        case(
            "login: key of two bytes",
            at([login(0, &[]), message(b'K', &[0, 1])].concat()),
            Session,
            NO_POSTGRES,
        ),
        case("login: state X", at([login(0, &[]), ready(b'X')].concat()), Session, NO_POSTGRES),
        case(
            "login: no state",
            at([login(0, &[]), message(b'Z', &[])].concat()),
            Session,
            NO_POSTGRES,
        ),
        case("login: an error that says nothing", at(message(b'E', &[0])), Session, NO_POSTGRES),
        case("login: an error without end", at(message(b'E', b"SFATAL")), Session, NO_POSTGRES),
        case(
            "login: an error that is not UTF-8",
            at(message(b'E', b"M\xff\xfe\0\0")),
            Session,
            NO_POSTGRES,
        ),
        case(
            "login: wrong password",
            at(notice(b'E', &[(b'S', "FATAL"), (b'C', "28P01"), (b'M', "no")])),
            Session,
            "rejects the user name or password",
        ),
        case(
            "login: accepted without end",
            (Step::Login, login(0, &[]), Then::Again),
            Session,
            NO_POSTGRES,
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn lengths() -> Vec<Case> {
    use Failure::{OwnLimit, Query, Session, TimedOut};
    let mut cases = vec![
        case(
            "login: length 0",
            (Step::Login, with_length(b'R', 0, &[0; 8]), Then::Wait),
            Session,
            NO_POSTGRES,
        ),
        case(
            "login: length 3",
            (Step::Login, with_length(b'R', 3, &[0; 8]), Then::Wait),
            Session,
            NO_POSTGRES,
        ),
        case(
            "login: length -1",
            (Step::Login, with_length(b'R', -1, &[0; 8]), Then::Wait),
            Session,
            NO_POSTGRES,
        ),
        case(
            "login: 2 GiB",
            (Step::Login, with_length(b'R', i32::MAX, &[0; 65_536]), Then::Again),
            Session,
            NO_POSTGRES,
        ),
        case(
            "rows: 2 GiB",
            (Step::Rows, with_length(b'D', i32::MAX, &[0; 65_536]), Then::Again),
            Query,
            BROKEN,
        ),
        case(
            "rows: 512 MiB",
            (Step::Rows, with_length(b'D', 512 << 20, &[0; 65_536]), Then::Again),
            OwnLimit,
            LARGE,
        ),
        case(
            "rows: 2 GiB of a column",
            (Step::Rows, with_length(b'D', 60 << 20, &[0, 1, 127, 255, 255, 255]), Then::Close),
            Query,
            BROKEN,
        ),
        case(
            "rows: 64 MiB that never come",
            (Step::Rows, with_length(b'D', 64 << 20, &[0, 1, 0, 16, 0, 0]), Then::Wait),
            TimedOut,
            LATE,
        ),
        case(
            "begin: a tag of 512 MiB",
            (Step::Begin, with_length(b'C', 512 << 20, &[b'x'; 65_536]), Then::Again),
            OwnLimit,
            LARGE,
        ),
    ];
    cases.extend([0, 1, 2, 3, -1, i32::MIN].map(|length| {
        case(
            "rows: impossible length",
            (Step::Rows, with_length(b'D', length, &[0; 8]), Then::Wait),
            Query,
            BROKEN,
        )
    }));
    cases.extend([Step::Begin, Step::Describe, Step::Commit].map(|at| {
        case("a step: length 2", (at, with_length(b'C', 2, &[0; 8]), Then::Wait), Query, BROKEN)
    }));
    cases
}

fn floods() -> Vec<Case> {
    use Failure::Session;
    let notices = notice(b'N', &[(b'S', "NOTICE"), (b'C', "00000"), (b'M', "again")]).repeat(1_000);
    let setting = message(b'S', b"application_name\0again\0").repeat(1_000);
    let notification = message(b'A', b"\0\0\0\x01channel\0again\0").repeat(1_000);
    let large = notice(b'N', &[(b'M', &"x".repeat(1 << 19))]);
    vec![
        case(
            "login: endless notices",
            (Step::Login, notices.clone(), Then::Again),
            Session,
            NO_POSTGRES,
        ),
        case(
            "login: endless settings",
            (Step::Login, setting.clone(), Then::Again),
            Session,
            NO_POSTGRES,
        ),
        case(
            "begin: endless notices",
            (Step::Begin, notices.clone(), Then::Again),
            Failure::Flood,
            FLOODS,
        ),
        case(
            "describe: endless settings",
            (Step::Describe, setting.clone(), Then::Again),
            Failure::Flood,
            FLOODS,
        ),
        case("rows: endless notices", (Step::Rows, notices, Then::Again), Failure::Flood, FLOODS),
        case("rows: endless settings", (Step::Rows, setting, Then::Again), Failure::Flood, FLOODS),
        case(
            "rows: endless notifications",
            (Step::Rows, notification, Then::Again),
            Failure::Flood,
            FLOODS,
        ),
        case(
            "rows: endless large notices",
            (Step::Rows, large, Then::Again),
            Failure::Flood,
            FLOODS,
        ),
    ]
}

/// What looks odd and is allowed.
fn lawful() -> Vec<Case> {
    let notices = notice(b'N', &[(b'S', "NOTICE"), (b'M', "x")]).repeat(9_000);
    let settings = message(b'S', b"TimeZone\0UTC\0").repeat(9_000);
    vec![
        case("good", (Step::Login, vec![], Then::GoOn), None, ""),
        case("rows: 9,000 notices", (Step::Rows, notices, Then::GoOn), None, ""),
        case("begin: 9,000 settings", (Step::Begin, settings, Then::GoOn), None, ""),
        case(
            "rows: a notification",
            (Step::Rows, message(b'A', b"\0\0\0\x01c\0p\0"), Then::GoOn),
            None,
            "",
        ),
    ]
}
