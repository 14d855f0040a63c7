//! Opens a connection to a host that may have several addresses.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::{DatabaseAddress, PostgresTls};

/// How long an address may be silent before another one is tried: the *Connection Attempt Delay*
/// that RFC 8305 recommends.
const DELAY: Duration = Duration::from_millis(250);

/// Maximum number of a host's addresses that are tried.
const TRIED: usize = 8;

/// Opens a connection.
///
/// sqlx tries a host's addresses one after the other, and waits for a silent one as long as the
/// kernel does. If an address is silent while another one accepts connections, a second connection
/// is opened to that one, and the first to be ready wins. A connection that opens in time costs
/// nothing more.
pub(super) async fn open(address: &DatabaseAddress) -> Result<PgConnection, sqlx::Error> {
    let mut first = pin!(PgConnection::connect_with(address.options()));
    if let Ok(opened) = timeout(DELAY, &mut first).await {
        return opened;
    }
    let other = async {
        let options = options_for_another(address).await?;
        PgConnection::connect_with(&options).await.ok()
    };
    tokio::select! {
        opened = &mut first => opened,
        Some(opened) = other => Ok(opened),
    }
}

/// The options for another address than the silent one; `None` if none is needed or usable.
async fn options_for_another(address: &DatabaseAddress) -> Option<PgConnectOptions> {
    let options = address.options();
    // sqlx compares the certificate with the host, so an address cannot stand in for it.
    if address.tls() == PostgresTls::VerifyFull || options.get_socket().is_some() {
        return None;
    }
    let found = lookup_host((options.get_host(), options.get_port())).await.ok()?;
    let all: Vec<SocketAddr> = found.take(TRIED).collect();
    let other = another_address(&all).await?;
    Some(options.clone().host(&other.ip().to_string()))
}

/// An address that accepts connections, if another one is silent.
async fn another_address(all: &[SocketAddr]) -> Option<SocketAddr> {
    let (mut open, mut some_silent) = (None, false);
    for &address in all {
        match timeout(DELAY, TcpStream::connect(address)).await {
            Ok(Ok(_connected)) => open = open.or(Some(address)),
            Ok(Err(_refused)) => {}
            Err(_silent) => some_silent = true,
        }
    }
    open.filter(|_| some_silent)
}

#[cfg(all(test, target_os = "linux"))] // All of 127.0.0.0/8 is this machine.
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};

    #[tokio::test]
    async fn an_address_that_answers_is_used_only_if_another_one_is_silent() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let open = server.local_addr().unwrap();
        let [silent, refusing] =
            [9, 8].map(|last| SocketAddr::from(([127, 0, 0, last], open.port())));
        let hole = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        hole.bind(&silent.into()).unwrap();
        hole.listen(0).unwrap();
        let _in_its_queue = std::net::TcpStream::connect(silent).unwrap();
        assert_eq!(another_address(&[silent, refusing, open]).await, Some(open));
        assert_eq!(another_address(&[open, silent]).await, Some(open));
        assert_eq!(another_address(&[refusing, open]).await, None);
        assert_eq!(another_address(&[silent]).await, None);
        assert_eq!(another_address(&[]).await, None);
    }
}
