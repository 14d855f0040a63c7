use futures_util::TryStreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config, Row};

use super::*;
use crate::postgres::scripted_server::{log_in, message, session};
use crate::postgres::wire::{Wire, WireError};

const PROTOCOL: &str = "its answer does not follow PostgreSQL's protocol";

fn described(error: &WireError) -> (PgErrorKind, String) {
    match error {
        WireError::Library(error) => describe(error),
        WireError::Defect(defect) => panic!("{defect}"),
    }
}

/// The rows of a statement with one value, to which a server answers with these messages.
#[expect(clippy::disallowed_methods, reason = "the server is a script")]
async fn rows(
    answer: &[Vec<u8>],
    value: &(dyn ToSql + Sync),
    kind: Type,
) -> Result<Vec<Row>, WireError> {
    let (Wire { client, mut driver }, mut server) = session().await;
    let ask = async move {
        let request = async {
            client.query_typed_raw("select $1", [(value, kind)]).await?.try_collect().await
        };
        driver.drive_until_answered(request).await
    };
    let script = async move {
        // Nothing comes if the value cannot be sent.
        if server.read(&mut [0; 256]).await.unwrap() > 0 {
            server.write_all(&answer.concat()).await.unwrap();
        }
    };
    tokio::join!(ask, script).0
}

/// An answer of one column `n` of type text with these rows.
fn answer(rows: &[&[u8]]) -> Vec<Vec<u8>> {
    let of_text = [0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0];
    let columns = message(b'T', &[&[0, 1][..], b"n\0", &of_text].concat());
    let begun = [message(b'1', &[]), message(b'2', &[]), message(b't', &[0, 0]), columns];
    let ended = [message(b'C', b"SELECT 1\0"), message(b'Z', b"T")];
    let rows = rows.iter().map(|row| message(b'D', row));
    begun.into_iter().chain(rows).chain(ended).collect()
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_described() {
    let broken = || (PgErrorKind::Broken, PROTOCOL.to_owned());
    let lost = describe_socket(&io::ErrorKind::UnexpectedEof.into());
    assert_eq!(lost.0, PgErrorKind::Lost);
    for (sent, expected) in [
        (vec![], lost),
        (vec![message(b'V', &[])], broken()),
        (vec![message(b'n', &[]), message(b'I', &[]), message(b'1', &[])], broken()),
        (answer(&[&[0, 2, 255, 255, 255, 255, 255, 255, 255, 255]]), broken()),
        (vec![message(b'3', &[])], broken()),
    ] {
        let error = rows(&sent, &"x", Type::TEXT).await.unwrap_err();
        assert_eq!(described(&error), expected, "{sent:?}");
    }
}

#[tokio::test]
async fn a_column_that_is_not_the_expected_one_is_described() {
    let null = rows(&answer(&[&[0, 1, 255, 255, 255, 255]]), &"x", Type::TEXT).await.unwrap();
    let other = "a column has another type than expected, or is null";
    for (error, expected) in [
        (null[0].try_get::<_, &str>("Zebra").unwrap_err(), "the answer lacks a column"),
        (null[0].try_get::<_, i32>("n").unwrap_err(), other),
        (null[0].try_get::<_, &str>("n").unwrap_err(), other),
    ] {
        assert_eq!(describe(&error), (PgErrorKind::Broken, expected.to_owned()));
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_sent_and_an_unknown_error_are_described() {
    let error = rows(&[], &"Zebra7f3a", Type::INT4).await.unwrap_err();
    assert_eq!(described(&error), (PgErrorKind::Other, "a value could not be sent".to_owned()));
    let unknown = "Zebra7f3a=".parse::<Config>().unwrap_err();
    let expected = "the database library failed for a reason that tollgate does not know";
    assert_eq!(describe(&unknown), (PgErrorKind::Other, expected.to_owned()));
}

/// The error of a login by SCRAM whose server ends with this message.
async fn scram_error(last: &[u8]) -> WireError {
    let (here, mut server) = duplex(1 << 16);
    let request = |method: u8, rest: &[u8]| message(b'R', &[&[0, 0, 0, method], rest].concat());
    let script = async {
        let mut sent = [0; 512];
        assert!(server.read(&mut sent).await.unwrap() > 8);
        server.write_all(&request(10, b"SCRAM-SHA-256\0\0")).await.unwrap();
        let length = server.read(&mut sent).await.unwrap();
        let first = String::from_utf8_lossy(&sent[..length]).into_owned();
        let nonce = first.rsplit_once("r=").unwrap().1;
        let challenge = format!("r={nonce}more,s=QUJD,i=1");
        server.write_all(&request(11, challenge.as_bytes())).await.unwrap();
        assert!(server.read(&mut sent).await.unwrap() > 8);
        server.write_all(&request(12, last)).await.unwrap();
    };
    tokio::join!(log_in(here), script).0.unwrap_err()
}

#[tokio::test]
async fn a_server_that_does_not_know_the_password_is_not_trusted() {
    let of = |error| crate::postgres::PgError::of_login("u@h:5432/x", &error);
    let unproven = of(scram_error(b"v=QUJD").await);
    assert_eq!(unproven.kind, PgErrorKind::Unproven, "{unproven}");
    assert_eq!(unproven.message, "it could not prove that it knows the password");
    let malformed = of(scram_error(b"Zebra7f3a").await);
    assert_eq!(malformed.kind, PgErrorKind::NotPostgres, "{malformed}");
    let expected = "its part of the login does not follow PostgreSQL's protocol";
    assert_eq!(malformed.message, expected);
}
