use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::postgres::scripted_server::{done, message, session, session_of_reads};
use crate::postgres::{PgError, PgErrorKind};

#[expect(clippy::disallowed_methods, reason = "the server is a script")]
async fn run(wire: &mut Wire, sql: &str) -> Result<(), WireError> {
    let Wire { client, driver } = wire;
    driver.drive_until_answered(client.batch_execute(sql)).await
}

#[tokio::test]
async fn the_error_that_ended_a_connection_is_that_of_every_later_request() {
    let (mut wire, mut server) = session().await;
    let last = message(b'E', b"SFATAL\0C57P01\0Mit is shut down\0\0");
    server.write_all(&last).await.unwrap();
    drop(server);
    for _ in 0..2 {
        let error = PgError::of("u@h:5432/x", &run(&mut wire, "begin").await.unwrap_err());
        assert_eq!((error.kind, &*error.message), (PgErrorKind::Lost, "it is shut down"));
    }
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_leaves_no_answer_to_the_next() {
    let (mut wire, mut server) = session().await;
    let late = tokio::time::timeout(std::time::Duration::ZERO, run(&mut wire, "first")).await;
    assert!(late.is_err());
    let wrong = message(b'E', b"SERROR\0C22012\0Mof the first\0\0");
    server.write_all(&[wrong, message(b'Z', b"I")].concat()).await.unwrap();
    let answer = async {
        let (first, second) = (message(b'Q', b"first\0"), message(b'Q', b"second\0"));
        let mut asked = vec![0; first.len() + second.len()];
        server.read_exact(&mut asked).await.unwrap();
        assert_eq!(asked, [first, second].concat());
        server.write_all(&done("SECOND")).await.unwrap();
    };
    let (answered, ()) = tokio::join!(run(&mut wire, "second"), answer);
    answered.unwrap();
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_not_the_next_ones() {
    let (mut wire, mut server) = session().await;
    server.write_all(&done("SOMEONE ELSE'S")).await.unwrap();
    let error = PgError::of("u@h:5432/x", &run(&mut wire, "begin").await.unwrap_err());
    assert_eq!(error.kind, PgErrorKind::Broken, "{error}");
}

#[tokio::test]
async fn a_dropped_session_ends_its_connection() {
    let (wire, mut server) = session().await;
    drop(wire);
    assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
    let (wire, mut server) = session().await;
    wire.close().await;
    let mut rest = Vec::new();
    server.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, message(b'X', &[]));
}

#[tokio::test]
async fn a_panic_while_messages_are_read_is_a_defect_of_every_later_request() {
    let (mut wire, _server) = session_of_reads(1).await;
    for _ in 0..2 {
        let error = PgError::of("u@h:5432/x", &run(&mut wire, "begin").await.unwrap_err());
        assert_eq!(error.kind, PgErrorKind::Defect, "{error}");
        assert!(error.message.contains("src/postgres/scripted_server.rs"), "{error}");
    }
}
