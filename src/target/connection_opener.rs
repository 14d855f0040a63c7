//! A connection before HTTP: the TLS handshake, if there is one, and the choice of the HTTP
//! version.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::settings::{HttpVersions, TlsFault};
use super::socket_script::{SocketAction, SocketEnd, SocketScript, run_socket_script};

/// The start of HTTP/2's first line (RFC 9113, section 3.4); no method of HTTP/1.1 does.
const PREFACE: &[u8] = b"PRI ";

/// Timeout for a client to reveal its HTTP version.
const FIRST_LINE: Duration = Duration::from_secs(5);

/// Pause before checking again a first line that is still shorter.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Opens connections up to the start of HTTP.
#[derive(Clone)]
pub(super) struct ConnectionOpener {
    pub(super) http: HttpVersions,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) tls_fault: Option<TlsFault>,
}

/// A stream that is ready for HTTP.
pub(super) enum HttpStream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireVersion {
    Http1,
    Http2,
}

impl ConnectionOpener {
    /// Opens a connection up to the start of HTTP; `None` if that fails.
    pub(super) async fn open(&self, mut stream: TcpStream) -> Option<(HttpStream, WireVersion)> {
        stream.set_nodelay(true).ok()?;
        let Some(acceptor) = &self.tls else {
            // Without the timeout, a client that sends half a preface would be polled forever.
            let spoken =
                tokio::time::timeout(FIRST_LINE, self.first_line(&stream)).await.ok()??;
            return Some((HttpStream::Plain(stream), spoken));
        };
        if let Some(instead) = self.tls_fault.and_then(instead_of_handshake) {
            read_hello(&mut stream).await?;
            run_socket_script(&mut stream, instead).await;
            return None;
        }
        let stream = acceptor.accept(stream).await.ok()?;
        let spoken = self.negotiated(stream.get_ref().1.alpn_protocol());
        Some((HttpStream::Tls(Box::new(stream)), spoken))
    }

    /// The HTTP version of a plain connection: if both are allowed, its first bytes decide.
    async fn first_line(&self, stream: &TcpStream) -> Option<WireVersion> {
        match self.http {
            HttpVersions::Http1 => return Some(WireVersion::Http1),
            HttpVersions::Http2 => return Some(WireVersion::Http2),
            HttpVersions::Both => {}
        }
        let mut first = [0; PREFACE.len()];
        loop {
            let length = stream.peek(&mut first).await.ok()?;
            match &first[..length] {
                b"" => return None,
                PREFACE => return Some(WireVersion::Http2),
                begun if PREFACE.starts_with(begun) => tokio::time::sleep(LOOK_AGAIN).await,
                _ => return Some(WireVersion::Http1),
            }
        }
    }

    /// The HTTP version of a TLS connection. A client that offers no protocol gets HTTP/1.1 if that
    /// is allowed.
    fn negotiated(&self, alpn: Option<&[u8]>) -> WireVersion {
        match (alpn, self.http) {
            (Some(b"h2"), _) | (None, HttpVersions::Http2) => WireVersion::Http2,
            _ => WireVersion::Http1,
        }
    }
}

/// Reads the client's hello, which is one segment: unread bytes would turn a close into a reset.
async fn read_hello(stream: &mut TcpStream) -> Option<()> {
    stream.read(&mut vec![0; 16 << 10]).await.ok().filter(|read| *read > 0).map(drop)
}

/// What the server does instead of its part of the handshake.
fn instead_of_handshake(fault: TlsFault) -> Option<SocketScript> {
    let (acts, end) = match fault {
        TlsFault::HandshakeClose => (Vec::new(), SocketEnd::Close),
        TlsFault::HandshakeReset => (Vec::new(), SocketEnd::Reset),
        TlsFault::HandshakeHang => (Vec::new(), SocketEnd::Hang),
        TlsFault::OldVersion => (vec![SocketAction::Send(old_hello())], SocketEnd::Hang),
        _ => return None,
    };
    Some(SocketScript { acts, end })
}

/// The hello of a server that supports nothing newer than TLS 1.0 (RFC 2246, section 7.4.1.3).
fn old_hello() -> Bytes {
    const TLS_1_0: [u8; 2] = [3, 1];
    const RSA_WITH_AES_128_CBC_SHA: [u8; 2] = [0x00, 0x2f];
    let mut hello = TLS_1_0.to_vec();
    hello.extend([7; 32]);
    hello.push(0);
    hello.extend(RSA_WITH_AES_128_CBC_SHA);
    hello.push(0);
    let length = u8::try_from(hello.len()).unwrap_or_default();
    let handshake = [&[22][..], &TLS_1_0, &[0, length + 4], &[2, 0, 0, length], &hello].concat();
    Bytes::from(handshake)
}
