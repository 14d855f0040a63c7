//! How many requests per second for its 1 KiB page the rehearsal target answers on one core.
//!
//! `cargo bench --bench target_plain` pins the server to core 1 and drives it from core 0 with `wrk
//! -t1 -c50`, which must be installed. A bare server that parses no request and repeats one canned
//! answer goes first and last: wrk's rate against it is the upper limit of this machine at this
//! time. If wrk is the bottleneck, its rate says nothing about the server. So the bench also prints
//! the server's CPU time per request, and the rate that this allows on an otherwise idle core.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it found")]

use std::error::Error;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tollgate::target::{BackgroundTarget, TargetSettings};

const SERVER_CORE: usize = 1;
const CLIENT_CORE: &str = "0";
const SECONDS: &str = "5s";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    pin_to(SERVER_CORE)?;

    let bare = start_bare()?;
    let target = BackgroundTarget::start(&TargetSettings::from_flags(&[])?)?;
    let log = tempfile::NamedTempFile::new()?;
    let path = log.path().display().to_string();
    let logging = BackgroundTarget::start(&TargetSettings::from_flags(&["--arrival-log", &path])?)?;

    report("bare server", &format!("http://{bare}/plain"))?;
    report("target /plain", &format!("{}/plain", target.base_url()))?;
    report("target /plain with arrival log", &format!("{}/plain", logging.base_url()))?;
    report("bare server again", &format!("http://{bare}/plain"))?;
    logging.stop()?;
    Ok(target.stop()?)
}

#[cfg(target_os = "linux")]
fn pin_to(core: usize) -> Result<()> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

#[cfg(not(target_os = "linux"))]
fn pin_to(core: usize) -> Result<()> {
    Err(format!("this system cannot pin a process to core {core}; run it on Linux").into())
}

fn report(what: &str, url: &str) -> Result<()> {
    let before = cpu_time();
    let output = Command::new("taskset")
        .args(["-c", CLIENT_CORE, "wrk", "-t1", "-c50", "-d", SECONDS, "--latency", url])
        .output()
        .map_err(|error| {
            format!("cannot run `taskset -c {CLIENT_CORE} wrk`: {error}; install both")
        })?;
    let busy = cpu_time().saturating_sub(before);
    let printed = text(&output.stdout);
    println!("== {what}\n{printed}{}", text(&output.stderr));
    if let Some(requests) = answered(&printed) {
        let each = busy.as_secs_f64() / requests;
        println!(
            "server CPU: {:.2} µs/request, so at most {:.0} requests/s on one core\n",
            each * 1e6,
            1.0 / each
        );
    }
    Ok(())
}

/// CPU time of this process so far, of all its threads, in user and kernel; wrk is a separate
/// process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The number of requests in wrk's line `490123 requests in 5.00s, 560.00MB read`.
fn answered(printed: &str) -> Option<f64> {
    let line = printed.lines().find(|line| line.contains(" requests in "))?;
    line.split_whitespace().next()?.parse().ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Starts the bare server on a separate thread.
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
