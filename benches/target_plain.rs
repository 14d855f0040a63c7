//! How many requests for its 1 KiB page the rehearsal target answers in a second on one core.
//!
//! `cargo bench --bench target_plain` pins the server to core 1 and drives it from core 0 with `wrk -t1 -c50`, which
//! has to be installed. A bare server that reads no request and repeats one canned answer goes first and last: what
//! wrk reaches against it is the floor of this machine at this hour.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it found")]

use std::error::Error;
use std::net::SocketAddr;
use std::process::Command;

use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tollgate::target::{Background, Settings};

const SERVER_CORE: usize = 1;
const CLIENT_CORE: &str = "0";
const SECONDS: &str = "5s";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut core = CpuSet::new();
    core.set(SERVER_CORE);
    sched_setaffinity(None, &core)?;

    let bare = start_bare()?;
    let target = Background::start(&Settings::from_flags(&[])?)?;
    let log = tempfile::NamedTempFile::new()?;
    let path = log.path().display().to_string();
    let logging = Background::start(&Settings::from_flags(&["--arrival-log", &path])?)?;

    report("bare server", &format!("http://{bare}/plain"))?;
    report("target /plain", &format!("{}/plain", target.base_url()))?;
    report("target /plain with arrival log", &format!("{}/plain", logging.base_url()))?;
    report("bare server again", &format!("http://{bare}/plain"))?;
    logging.stop()?;
    Ok(target.stop()?)
}

fn report(what: &str, url: &str) -> Result<()> {
    let output = Command::new("taskset")
        .args(["-c", CLIENT_CORE, "wrk", "-t1", "-c50", "-d", SECONDS, "--latency", url])
        .output()
        .map_err(|error| format!("cannot run `taskset -c {CLIENT_CORE} wrk`: {error}; install both"))?;
    println!("== {what}\n{}{}", text(&output.stdout), text(&output.stderr));
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Starts the bare server on a thread of its own.
fn start_bare() -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    std::thread::spawn(move || runtime.block_on(accept_bare(listener)));
    Ok(address)
}

async fn accept_bare(listener: std::net::TcpListener) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(repeat(stream));
    }
}

async fn repeat(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1024\r\n\r\n{}", ".".repeat(1024));
    let mut request = vec![0; 8192];
    while stream.read(&mut request).await? > 0 {
        stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}
