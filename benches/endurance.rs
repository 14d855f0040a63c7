//! How much memory does a run need? Checks that it does not grow with the number of requests, and
//! that it is bounded for many connections.
//!
//! The bench runs the real program against its own servers on the loopback interface and reads its
//! peak resident size (`VmHWM`), up to the end of measuring and for the whole process. First, 32
//! connections carry 10 million requests as fast as they are answered, then 100,000 in the same
//! way. Then 100,000 requests are spread over as much time as the millions took, so that the plots
//! show the same number of seconds. Measuring must need the same memory each time. Drawing needs
//! memory for what it draws, at most 300 columns of a few hundred values per request: that must
//! stay small. Finally the warm-up opens 10,000 connections for each HTTP version, plain and over
//! TLS; each case must fit into 400 MiB.
//!
//! `cargo bench --bench endurance` takes about ten minutes. `cargo bench --bench endurance --
//! 1000000` sends one million requests instead of ten. The bench prints markdown and exits with 1
//! if a bound is broken. It runs on Linux only.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it found")]

use std::error::Error;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const FEW: u64 = 100_000;
const MANY: u64 = 10_000_000;
/// How much higher the peak of measuring may be for many requests than for few.
const MEASURING_MIB: f64 = 2.0;
/// How much higher the peak of drawing may be for many different values than for few.
const DRAWING_MIB: f64 = 16.0;

const CONNECTIONS: u64 = 10_000;
/// Memory that [`CONNECTIONS`] may need.
const BOUND_MIB: f64 = 400.0;

/// How often the peak is read. The kernel keeps it, so only growth after the last reading is lost.
const SAMPLE_EVERY: Duration = Duration::from_millis(10);

fn main() -> Result<ExitCode> {
    // `cargo test --benches` asks for a list or a quick pass, and this takes minutes.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(ExitCode::SUCCESS);
    }
    let many = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(MANY);
    let folder = tempfile::tempdir()?;
    let requests = few_and_many(folder.path(), many)?;
    let connections = connections(folder.path())?;
    Ok(if requests && connections { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns whether many requests need no more memory than few.
fn few_and_many(folder: &Path, many: u64) -> Result<bool> {
    let server = start_bare()?;
    println!(
        "| requests over 32 connections | took, s | peak of measuring, MiB | peak, MiB |\n|---|--:|--:|--:|"
    );
    let measure = |requests: u64, load: &str| -> Result<RunFigures> {
        let load = format!("connections = 32\n{load}\n");
        let run =
            run_scenario(folder, &scenario(&format!("http://{server}"), "", &load), requests)?;
        let Peaks { measuring, whole } = run.peaks_mib;
        println!("| {requests} | {:.0} | {measuring:.1} | {whole:.1} |", run.took.as_secs_f64());
        Ok(run)
    };
    let many = measure(many, &format!("iterations = {many}"))?;
    let few = measure(FEW, &format!("iterations = {FEW}"))?;
    let rate = FEW.div_ceil(many.took.as_secs().max(1));
    let seconds = FEW / rate;
    let spread = format!("arrival_rate = \"{rate}/s\"\nduration = \"{seconds}s\"");
    let spread = measure(rate * seconds, &spread)?;
    let least = few.peaks_mib.measuring.min(spread.peaks_mib.measuring);
    let measuring = many.peaks_mib.measuring - least;
    let whole = many.peaks_mib.whole - spread.peaks_mib.whole;
    println!(
        "\nWith many requests, measuring took {measuring:+.1} MiB more ({MEASURING_MIB} allowed), and drawing a run of \
         the same length {whole:+.1} MiB more ({DRAWING_MIB} allowed).\n"
    );
    Ok(measuring <= MEASURING_MIB && whole <= DRAWING_MIB)
}

/// Returns whether [`CONNECTIONS`] fit into the bound for every protocol.
fn connections(folder: &Path) -> Result<bool> {
    println!("| {CONNECTIONS} connections | peak, MiB | KiB each |\n|---|--:|--:|");
    let mut fit = true;
    for (version, tls) in [("1.1", false), ("1.1", true), ("2", false), ("2", true)] {
        let (target, authority) = Target::start(folder, tls)?;
        let terms = format!("http = \"{version}\"\ntimeout = \"60s\"\n{authority}");
        let load =
            format!("arrival_rate = \"1000/s\"\nduration = \"10s\"\nconnections = {CONNECTIONS}\n");
        let run = run_scenario(folder, &scenario(&target.base_url, &terms, &load), CONNECTIONS)?;
        target.stop()?;
        let peak = run.peaks_mib.whole;
        let each = peak * 1024.0 / CONNECTIONS as f64;
        let over = if tls { " over TLS" } else { "" };
        println!("| HTTP/{version}{over} | {peak:.1} | {each:.1} |");
        fit &= peak <= BOUND_MIB;
        if run.opened != CONNECTIONS {
            return Err(format!("{} connections were opened", run.opened).into());
        }
    }
    println!("\n{BOUND_MIB} MiB are allowed.");
    Ok(fit)
}

fn scenario(base_url: &str, terms: &str, load: &str) -> String {
    format!(
        "name = \"endurance\"\nbudgets = [\"errors = 0\"]\n[target]\nbase_url = \"{base_url}\"\n{terms}\n\
         [[request]]\nname = \"plain\"\npath = \"/plain\"\n[load]\n{load}"
    )
}

/// The figures of one run.
struct RunFigures {
    took: Duration,
    peaks_mib: Peaks,
    opened: u64,
}

/// Peak resident sizes, in MiB.
#[derive(Clone, Copy, Default)]
struct Peaks {
    /// Up to the end of measuring.
    measuring: f64,
    /// Up to the end of the process, its reports written.
    whole: f64,
}

/// Runs a scenario with `requests` requests, all of which must succeed.
fn run_scenario(folder: &Path, scenario: &str, requests: u64) -> Result<RunFigures> {
    let runs = tempfile::tempdir_in(folder)?;
    let file = folder.join("endurance.toml");
    std::fs::write(&file, scenario)?;
    let mut prober =
        with_all_descriptors(&["run", "--output", "json", "--yes-load-this-host", "--runs-dir"])
            .arg(runs.path())
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
    let stdout = read_in_background(prober.stdout.take());
    let stderr = read_in_background(prober.stderr.take());
    let peaks_mib = watch(&mut prober, runs.path())?;
    let record = stdout.join().map_err(|_| "stdout was not read")?;
    let errors = || String::from_utf8_lossy(&stderr.join().unwrap_or_default()).into_owned();
    let Ok(record) = serde_json::from_slice::<Value>(&record) else {
        return Err(errors().into());
    };
    let measurement = &record["measurement"];
    let scenario = &measurement["scenarios"][0];
    let tally = &scenario["requests"][0]["measured"]["tally"];
    if tally["ok"] != requests {
        return Err(format!("not every request was answered: {tally}").into());
    }
    let took = measurement["elapsed_us"].as_u64().ok_or("no duration in the record")?;
    let opened =
        scenario["connections"]["opened"].as_u64().ok_or("no connections in the record")?;
    Ok(RunFigures { took: Duration::from_micros(took), peaks_mib, opened })
}

/// The program, with as many file descriptors as the system allows.
fn with_all_descriptors(arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_tollgate"),
    ]);
    command.args(arguments);
    command
}

fn read_in_background(
    pipe: Option<impl Read + Send + 'static>,
) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // The bytes that were read before an error are still shown.
            let _cut = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// Watches a process until it ends and returns its peaks. Its run folder is in `runs`.
fn watch(process: &mut Child, runs: &Path) -> Result<Peaks> {
    let mut peaks = Peaks::default();
    while process.try_wait()?.is_none() {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: Option<f64> =
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peaks.whole = peaks.whole.max(kib.unwrap_or(0.0) / 1024.0);
        if !has_record(runs) {
            peaks.measuring = peaks.whole;
        }
        std::thread::sleep(SAMPLE_EVERY);
    }
    if peaks.measuring > 0.0 {
        Ok(peaks)
    } else {
        Err("this system does not report a process's peak memory; run the bench on Linux".into())
    }
}

/// Whether a run's record has been written, which ends measuring.
fn has_record(runs: &Path) -> bool {
    std::fs::read_dir(runs)
        .into_iter()
        .flatten()
        .flatten()
        .any(|run| run.path().join("run.json").exists())
}

/// A rehearsal target in a separate process, which ends when its standard input is closed.
struct Target {
    process: Child,
    held_open: Option<ChildStdin>,
    base_url: String,
}

impl Target {
    /// Starts the target. Also returns the scenario line that trusts its certificate.
    fn start(folder: &Path, tls: bool) -> Result<(Self, String)> {
        let authority = folder.join("ca.pem");
        let mut command = with_all_descriptors(&["target", "--with-stdin"]);
        if tls {
            command.args(["--tls", "--tls-ca-out"]).arg(&authority);
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;
        let base_url = line.trim().trim_start_matches("listening on ").to_owned();
        let trust =
            if tls { format!("tls_ca = \"{}\"\n", authority.display()) } else { String::new() };
        Ok((Self { held_open: process.stdin.take(), process, base_url }, trust))
    }

    fn stop(mut self) -> Result<()> {
        drop(self.held_open.take());
        self.process.wait()?;
        Ok(())
    }
}

/// Starts a server on its own thread that parses nothing and always sends the same answer.
fn start_bare() -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    std::thread::spawn(move || LocalSet::new().block_on(&runtime, accept(listener)));
    Ok(address)
}

async fn accept(listener: std::net::TcpListener) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::task::spawn_local(repeat(stream));
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
