//! A server, or a pooler in front of it, that sends more than the query requests.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use tollgate::postgres::{DatabaseAddress, PgErrorKind, PgSession, SqlStatement, TransactionMode};

use crate::hostile::fake_postgres::{columns, message, ready, row};

/// Reads a message of the client; the first has no kind.
fn read_message(stream: &mut TcpStream, has_kind: bool) -> io::Result<(u8, Vec<u8>)> {
    let (mut kind, mut length) = ([0], [0; 4]);
    if has_kind {
        stream.read_exact(&mut kind)?;
    }
    stream.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut body)?;
    Ok((kind[0], body))
}

/// Answers every query with the same row repeatedly, until the client closes the connection.
fn serve(stream: &mut TcpStream, text: &[u8]) -> io::Result<()> {
    read_message(stream, false)?;
    stream.write_all(&[message(b'R', &[0; 4]), ready(b'I')].concat())?;
    let row = row(&[text]);
    loop {
        let (kind, body) = read_message(stream, true)?;
        let done = || message(b'C', b"DONE\0");
        match kind {
            b'Q' => {
                let statements =
                    body.split(|&byte| byte == b';').map(|_| done()).collect::<Vec<_>>();
                stream.write_all(&[statements.concat(), ready(b'T')].concat())?;
            }
            b'S' => {
                let [parsed, bound] = [b'1', b'2'].map(|kind| message(kind, &[]));
                stream.write_all(
                    &[parsed, bound, message(b't', &[0, 0]), columns(&[b"document"])].concat(),
                )?;
                loop {
                    stream.write_all(&row)?;
                }
            }
            _ => {}
        }
    }
}

/// Starts a server that floods every client; returns its URL.
fn flooding(text: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _gone = serve(&mut stream, &text);
        }
    });
    format!("postgresql://u:p@{address}/x?sslmode=disable")
}

#[test]
fn statements_with_endless_rows_end_at_the_limit_and_so_does_their_session() {
    let large = [b"\"", "x".repeat(1 << 20).as_bytes(), b"\""].concat();
    for (text, message) in [(b"{}".to_vec(), "more than 10000 rows"), (large, "more than 16 MiB")] {
        let address = DatabaseAddress::parse(&flooding(text)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut session = PgSession::connect(&address).await.unwrap();
            let statement = SqlStatement::parse_reading("select 1 as n").unwrap();
            let mut transaction = session.begin(TransactionMode::ReadOnly).await.unwrap();
            let error = transaction.fetch_documents(&statement, &[]).await.unwrap_err();
            assert_eq!((error.kind, error.message.as_str()), (PgErrorKind::TooMuch, message));
            transaction.rollback().await.unwrap();
            assert!(session.is_abandoned());
            let error = session.begin(TransactionMode::ReadOnly).await.unwrap_err();
            assert_eq!(error.kind, PgErrorKind::Lost, "{error}");
        });
    }
}
