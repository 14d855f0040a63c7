//! The matrix: what a cell's scenario says, and when its arrivals are due.

use std::path::Path;
use std::time::Duration;

use tollgate::plan::{Schedule, Shard};
use tollgate::units::Rate;

use crate::processes::{HEADER, PATH};
use crate::truth::Millis;

/// Arrivals a second, on average over a run.
pub(crate) const RATE: u32 = 200;
/// Length of a run.
pub(crate) const SECONDS: u32 = 40;

const FIRST_RATE: u32 = 50;
const LAST_RATE: u32 = 350;
const SEED: u64 = 7;

/// When arrivals are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrivals {
    Constant,
    Poisson,
    Ramping,
}

/// What one run is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) arrivals: Arrivals,
    pub(crate) connections: usize,
    /// Exchanges at once on each connection.
    pub(crate) streams: usize,
    pub(crate) http: &'static str,
    pub(crate) tls: bool,
}

/// Schedule × connections × version of HTTP × TLS, and beside that HTTP/2 with all streams on one connection.
pub(crate) fn all() -> Vec<Cell> {
    let mut cells = Vec::new();
    for (http, tls) in [("1.1", false), ("1.1", true), ("2", false), ("2", true)] {
        for arrivals in [Arrivals::Constant, Arrivals::Poisson, Arrivals::Ramping] {
            for connections in [8, 50, 400] {
                cells.push(Cell { arrivals, connections, streams: 1, http, tls });
            }
        }
        if http == "2" {
            cells.push(Cell {
                arrivals: Arrivals::Constant,
                connections: 1,
                streams: 50,
                http,
                tls,
            });
        }
    }
    cells
}

impl Cell {
    /// `poisson-50-http2-tls`; `constant-1x50-http2-plain` for streams.
    pub(crate) fn name(&self) -> String {
        let arrivals = self.arrivals.word();
        let tls = if self.tls { "tls" } else { "plain" };
        format!("{arrivals}-{}-http{}-{tls}", self.limit(), self.http.trim_end_matches(".1"))
    }

    /// The connections, and the streams of each where there are several: `50`, `1x50`.
    pub(crate) fn limit(&self) -> String {
        let Self { connections, streams, .. } = self;
        if *streams == 1 { connections.to_string() } else { format!("{connections}x{streams}") }
    }

    /// Exchanges that may be under way at once.
    pub(crate) fn places(&self) -> usize {
        self.connections * self.streams
    }

    /// Requests before the measured ones: one a connection.
    pub(crate) fn warmup(&self) -> usize {
        self.connections
    }

    /// The scenario file; `ca` is the certificate to trust where there is TLS.
    pub(crate) fn scenario(&self, base_url: &str, ca: &Path) -> String {
        let Self { connections, streams, http, .. } = self;
        let trust =
            if self.tls { format!("tls_ca = \"{}\"\n", ca.display()) } else { String::new() };
        let (header, value) = HEADER;
        let streams = if *streams == 1 { String::new() } else { format!("streams = {streams}\n") };
        let (load, warmup) = (self.arrivals.toml(), self.warmup());
        format!(
            "name = \"oracle\"\nbudgets = [\"p50 < 100ms\"]\n\
             [target]\nbase_url = \"{base_url}\"\nhttp = \"{http}\"\n{trust}\
             [headers]\n{header} = \"{value}\"\n\
             [[request]]\nname = \"page\"\npath = \"{PATH}\"\n\
             [load]\n{load}\nconnections = {connections}\n{streams}\
             [warmup]\nconnections = {connections}\nrequests = {warmup}\n"
        )
    }

    /// When each arrival is due, in ms from the first instant of the measured phase.
    pub(crate) fn due(&self) -> Vec<Millis> {
        let count = RATE * SECONDS;
        match self.arrivals {
            Arrivals::Constant => {
                (0..count).map(|i| f64::from(i) * 1e3 / f64::from(RATE)).collect()
            }
            Arrivals::Ramping => (0..count).map(|i| ramped(f64::from(i))).collect(),
            Arrivals::Poisson => drawn(),
        }
    }
}

impl Arrivals {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
            Self::Ramping => "ramping",
        }
    }

    fn toml(self) -> String {
        let constant = format!("arrival_rate = \"{RATE}/s\"\nduration = \"{SECONDS}s\"");
        match self {
            Self::Constant => constant,
            Self::Poisson => format!("{constant}\npoisson = {{ seed = {SEED} }}"),
            Self::Ramping => format!(
                "start_rate = \"{FIRST_RATE}/s\"\nstages = [{{ duration = \"{SECONDS}s\", rate = \"{LAST_RATE}/s\" }}]"
            ),
        }
    }
}

/// Where the integral of a rate that rises in a straight line, `a·t + b·t²/2`, reaches `count`.
fn ramped(count: f64) -> Millis {
    let a = f64::from(FIRST_RATE);
    let b = f64::from(LAST_RATE - FIRST_RATE) / f64::from(SECONDS);
    ((a * a + 2.0 * b * count).sqrt() - a) / b * 1e3
}

/// The library's own draw: what is random cannot be had otherwise.
fn drawn() -> Vec<Millis> {
    let Ok(rate) = Rate::per_second(f64::from(RATE)) else { return Vec::new() };
    let constant = Schedule::constant(rate, Duration::from_secs(SECONDS.into()));
    let arrivals = Schedule::poisson(SEED, &constant).arrivals(Shard::WHOLE);
    arrivals.map(|(_, due)| due.as_secs_f64() * 1e3).collect()
}
