//! How punctually does tollgate send?
//!
//! A server on core 1 stamps each request when it reads it. Clients on core 0 send 1,000 and then
//! 10,000 requests per second for 10 s, one client after another, in three interleaved rounds. The
//! stamps are compared with the ideal schedule of one request every 1 ms or 100 µs. Only the client
//! knows when its schedule began, so the schedule is assumed to begin as early as the most punctual
//! arrival allows. A client that sends nothing early cannot do better, and a constant delay of the
//! machine cancels out. The first row is a reference that spins on a whole core.
//!
//! The last table has 1,000 requests per second against a server that withholds its answers for 1
//! s.
//!
//! `cargo bench --bench punctual` exits with 1 if one of the printed bounds does not hold.
//! `-- --rounds 1 --seconds 5` makes it shorter.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it found")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "nanoseconds and ranks of one run"
)]

mod clients;
mod server;
mod spin;

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use clients::Client;

type Nanos = u64;
type Result<T> = std::result::Result<T, Box<dyn Error>>;

const CLIENT_CORE: usize = 0;
const SERVER_CORE: usize = 1;
/// Ticks per second of the processor time in `/proc`: `USER_HZ`, which is 100 on Linux.
const TICKS: f64 = 100.0;
/// How long a client needs after a freeze to send what waited.
const CATCHING_UP: Nanos = 200_000_000;

/// The load that each client sends.
#[derive(Debug, Clone, Copy)]
struct Load {
    rate: u64,
    seconds: u64,
    connections: u32,
}

impl Load {
    fn count(&self) -> u64 {
        self.rate * self.seconds
    }

    /// Nanoseconds between two requests.
    fn spacing(&self) -> Nanos {
        1_000_000_000 / self.rate
    }
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("--serve") => server::serve()?,
        Some("--spin") => spin::send(&arguments[2], arguments[3].parse()?, arguments[4].parse()?)?,
        // `cargo test --benches` asks for a list or a quick pass, and this takes minutes.
        _ if !arguments.iter().any(|argument| argument == "--bench") => {}
        _ => {
            return compare(
                number(&arguments, "--rounds", 3)?,
                number(&arguments, "--seconds", 10)?,
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn number(arguments: &[String], flag: &str, default: u64) -> Result<u64> {
    let at = arguments.iter().position(|argument| argument == flag);
    let value = at.and_then(|at| arguments.get(at + 1));
    value.map_or(Ok(default), |value| Ok(value.parse()?))
}

fn compare(rounds: u64, seconds: u64) -> Result<ExitCode> {
    let bench = Bench::start()?;
    let thousand = bench.table(&Load { rate: 1_000, seconds, connections: 50 }, rounds)?;
    let ten_thousand = bench.table(&Load { rate: 10_000, seconds, connections: 50 }, rounds)?;
    bench.freeze()?;
    println!();
    let bounds = [
        Bound::new("p50 at 1,000/s, µs", thousand.p50, 60.0),
        Bound::new("p99 at 1,000/s, times the spin's", thousand.times_the_spin, 1.5),
        Bound::new("processor time at 1,000/s, % of a core", thousand.busy, 20.0),
        Bound::new("p99 at 10,000/s, times the spin's", ten_thousand.times_the_spin, 3.0),
    ];
    bounds.iter().for_each(Bound::print);
    Ok(if bounds.iter().all(Bound::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Bound {
    what: &'static str,
    is: f64,
    at_most: f64,
}

impl Bound {
    fn new(what: &'static str, is: f64, at_most: f64) -> Self {
        Self { what, is, at_most }
    }

    fn holds(&self) -> bool {
        self.is <= self.at_most
    }

    fn print(&self) {
        let word = if self.holds() { "holds" } else { "BROKEN" };
        println!("- {}: {:.2}, at most {}: {word}", self.what, self.is, self.at_most);
    }
}

/// The figures of one client in one round, or their medians over its rounds.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    arrivals: f64,
    /// Deviations in microseconds.
    p50: f64,
    p99: f64,
    max: f64,
    /// How much later the last tenth arrived than the first, at the median.
    drift: f64,
    /// Processor time while it was sending, in per cent of a core.
    busy: f64,
    times_the_spin: f64,
}

impl Row {
    fn of(stamps: &[Nanos], load: &Load, busy: f64) -> Self {
        let deviations = deviations(stamps, load.spacing());
        let tenth = deviations.len().div_ceil(10);
        let last = &deviations[deviations.len() - tenth..];
        Self {
            arrivals: deviations.len() as f64,
            p50: quantile(&deviations, 0.50),
            p99: quantile(&deviations, 0.99),
            max: quantile(&deviations, 1.0),
            drift: quantile(last, 0.5) - quantile(&deviations[..tenth], 0.5),
            busy,
            times_the_spin: 1.0,
        }
    }

    fn medians(rounds: &[Self]) -> Self {
        let median = |of: fn(&Self) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self {
            arrivals: median(|row| row.arrivals),
            p50: median(|row| row.p50),
            p99: median(|row| row.p99),
            max: median(|row| row.max),
            drift: median(|row| row.drift),
            busy: median(|row| row.busy),
            times_the_spin: median(|row| row.times_the_spin),
        }
    }

    fn print(&self, name: &str) {
        let Self { arrivals, p50, p99, max, drift, busy, times_the_spin } = self;
        println!(
            "| {name} | {arrivals} | {p50:.0} | {p99:.0} | {times_the_spin:.2} | {max:.0} | {drift:+.0} | {busy:.0} % |"
        );
    }
}

/// The server, and a folder for the files that clients need.
struct Bench {
    server: Child,
    address: String,
    folder: tempfile::TempDir,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ended = self.server.kill();
        let _reaped = self.server.wait();
    }
}

impl Bench {
    fn start() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut server = on_core(SERVER_CORE, command.arg("--serve").stdout(Stdio::piped()))?;
        let mut address = String::new();
        BufReader::new(server.stdout.take().ok_or("a pipe")?).read_line(&mut address)?;
        Ok(Self { server, address: address.trim().to_owned(), folder: tempfile::tempdir()? })
    }

    /// Runs every client in interleaved rounds, prints the table, and returns tollgate's row.
    fn table(&self, load: &Load, rounds: u64) -> Result<Row> {
        let clients = Client::all();
        let mut rows = vec![Vec::new(); clients.len()];
        for _ in 0..rounds {
            for (rows, client) in rows.iter_mut().zip(&clients) {
                rows.push(self.round(*client, load)?);
            }
            let spin = rows[0].last().map_or(f64::NAN, |spin: &Row| spin.p99);
            rows.iter_mut()
                .filter_map(|rows| rows.last_mut())
                .for_each(|row| row.times_the_spin = row.p99 / spin);
        }
        let Load { rate, seconds, connections } = load;
        println!(
            "\n{rate} arrivals per second for {seconds} s over {connections} connections, medians of {rounds} rounds\n"
        );
        println!(
            "| client | arrivals | p50, µs | p99, µs | p99 ÷ spin | max, µs | drift, µs | of a core |"
        );
        println!("|---|--:|--:|--:|--:|--:|--:|--:|");
        let rows: Vec<Row> = rows.iter().map(|rows| Row::medians(rows)).collect();
        clients.iter().zip(&rows).for_each(|(client, row)| row.print(client.name()));
        let at = clients
            .iter()
            .position(|client| *client == Client::Tollgate)
            .ok_or("tollgate is among them")?;
        Ok(rows[at])
    }

    fn round(&self, client: Client, load: &Load) -> Result<Row> {
        let child =
            on_core(CLIENT_CORE, &mut client.command(load, &self.address, self.folder.path())?)?;
        let samples = watch(child)?;
        let (_, stamps) = self.log()?;
        let stamps = planned_stamps(&stamps, client, load)
            .ok_or_else(|| format!("{}: no arrivals", client.name()))?;
        Ok(Row::of(stamps, load, busy(&samples, stamps)))
    }

    /// Sends 1,000 arrivals per second over 400 connections while the server withholds its answers
    /// for a second.
    fn freeze(&self) -> Result<()> {
        let load = Load { rate: 1_000, seconds: 10, connections: 400 };
        println!("\n1000 arrivals per second over 400 connections; no answer from 3 s to 4 s\n");
        println!(
            "| client | due | arrivals | p50, µs | p99, µs | max, µs |\n|---|---|--:|--:|--:|--:|"
        );
        for client in Client::all().into_iter().filter(|client| *client != Client::Spin) {
            // The first request starts the clock of the freeze; it belongs to the warm-up.
            self.ask("/freeze")?;
            let child = on_core(
                CLIENT_CORE,
                &mut client.command(&load, &self.address, self.folder.path())?,
            )?;
            watch(child)?;
            let ((from, until), stamps) = self.log()?;
            let Some(stamps) = planned_stamps(&stamps, client, &load) else { continue };
            print_freeze(client, stamps, &load, (from, until));
        }
        Ok(())
    }

    fn ask(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// When the freeze began and ended, and the server's stamps.
    fn log(&self) -> Result<((Nanos, Nanos), Vec<Nanos>)> {
        let log = self.ask("/log")?;
        let mut lines = log.lines();
        let (from, until) =
            lines.next().and_then(|line| line.split_once(' ')).ok_or("the log's first line")?;
        let stamps = lines.map(str::parse).collect::<std::result::Result<_, _>>()?;
        Ok(((from.parse()?, until.parse()?), stamps))
    }
}

/// The stamps of the planned requests, without those of the warm-up.
fn planned_stamps<'a>(stamps: &'a [Nanos], client: Client, load: &Load) -> Option<&'a [Nanos]> {
    let planned = load.count() as usize;
    let of_warmup = match client {
        Client::Tollgate | Client::TollgateWithoutSpin => stamps.len().saturating_sub(planned),
        Client::Spin | Client::Peer(_) => 0,
    };
    let rest = &stamps[of_warmup..];
    (rest.len() > 1).then(|| &rest[..rest.len().min(planned)])
}

/// How much later than in the ideal schedule each request arrived, in microseconds.
fn deviations(stamps: &[Nanos], spacing: Nanos) -> Vec<f64> {
    let offsets = stamps.iter().enumerate().map(|(index, stamp)| stamp - index as u64 * spacing);
    let offsets: Vec<Nanos> = offsets.collect();
    let start = offsets.iter().copied().min().unwrap_or(0);
    offsets.iter().map(|offset| (offset - start) as f64 / 1e3).collect()
}

fn print_freeze(client: Client, stamps: &[Nanos], load: &Load, (from, until): (Nanos, Nanos)) {
    let deviations = deviations(stamps, load.spacing());
    let punctual = stamps.iter().zip(&deviations).map(|(at, off)| *at - (off * 1e3) as Nanos);
    let due: Vec<(Nanos, f64)> = punctual.zip(deviations.iter().copied()).collect();
    let of = |range: std::ops::Range<Nanos>| -> Vec<f64> {
        due.iter().filter(|(due, _)| range.contains(due)).map(|(_, off)| *off).collect()
    };
    let during = of(from..until);
    let (at_once, waited) = during.split_at(during.len().min(load.connections as usize));
    for (when, deviations) in [
        ("before the freeze", of(0..from)),
        ("during the freeze, a connection free", at_once.to_vec()),
        ("during the freeze, no connection free", waited.to_vec()),
        ("while the backlog is sent (200 ms)", of(until..until + CATCHING_UP)),
        ("afterwards", of(until + CATCHING_UP..Nanos::MAX)),
    ] {
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| quantile(&deviations, share));
        println!(
            "| {} | {when} | {} | {p50:.0} | {p99:.0} | {max:.0} |",
            client.name(),
            deviations.len()
        );
    }
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

/// Starts a process that is pinned to one core.
fn on_core(core: usize, command: &mut Command) -> Result<Child> {
    pin_to(core)?;
    let child = command
        .spawn()
        .map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()));
    pin_to(SERVER_CORE)?;
    Ok(child?)
}

fn pin_to(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)
        .map_err(|error| format!("core {core}: {error}; two are needed").into())
}

/// Waits for a process to end and samples its processor time, in ticks.
fn watch(mut child: Child) -> Result<Vec<(Nanos, f64)>> {
    let stat = format!("/proc/{}/stat", child.id());
    let mut samples = Vec::new();
    while child.try_wait()?.is_none() {
        if let Some(ticks) = std::fs::read_to_string(&stat).ok().as_deref().and_then(ticks) {
            samples.push((now(), ticks));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(samples)
}

/// User and system time: fields 14 and 15 of `/proc/PID/stat`. Field 2 may contain spaces and ends
/// with a parenthesis.
fn ticks(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?)
}

/// Per cent of a core between the first and the last arrival, which leaves out start-up and
/// reporting.
fn busy(samples: &[(Nanos, f64)], stamps: &[Nanos]) -> f64 {
    let (Some(first), Some(last)) = (stamps.first(), stamps.last()) else { return f64::NAN };
    let mut while_sending = samples.iter().filter(|(at, _)| (first..=last).contains(&at));
    let (Some((from, before)), Some((until, after))) =
        (while_sending.next(), while_sending.next_back())
    else {
        return f64::NAN;
    };
    100.0 * (after - before) / TICKS / ((until - from) as f64 / 1e9)
}

/// The monotonic clock, which is the same for all processes of a machine.
fn now() -> Nanos {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as Nanos * 1_000_000_000 + now.tv_nsec as Nanos
}
