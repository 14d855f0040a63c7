//! Runs cases, and compares what happened with what is stated.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};
use socket2::SockRef;
use tollgate::record::{Failure, Measurement, ScenarioMeasurement};
use tollgate::scenario::Scenario;

use crate::peak_memory::status_kb;
use crate::whole_run::{is_disturbed, measure};

/// How long a run of cases may take. Each exchange ends after [`TIMEOUT`] at the latest.
const BOUND: Duration = Duration::from_mins(1);
/// The timeout of each exchange.
const TIMEOUT: &str = "3s";
/// How much memory the process may use, its targets included, in kB.
const MEMORY: u64 = 300 << 10;
/// How often a run is repeated in which the machine was too busy to tell.
pub(crate) const TRIES: usize = 6;
/// How many cases run at a time.
const AT_ONCE: usize = 24;

/// What a target does next.
#[derive(Clone)]
pub(crate) enum Act {
    /// Reads until a request has arrived.
    Read,
    /// Reads this many bytes.
    Take(usize),
    Say(Vec<u8>),
    /// Sends a byte as urgent data.
    SayUrgent(u8),
    Wait(Duration),
    /// Sends the same until the client is gone.
    Repeat(Vec<u8>),
    /// Sends the same until the client is gone, this many times a second.
    Drip(Vec<u8>, u32),
    /// Closes its side, and reads what the client still sends.
    Close,
    /// Closes with a reset.
    Reset,
    /// Stays silent until the client is gone.
    Hold,
}

/// A connection of a target, plain or over TLS.
pub(crate) trait Wire: Read + Write {
    fn socket(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Wire for StreamOwned<ServerConnection, TcpStream> {
    fn socket(&self) -> &TcpStream {
        &self.sock
    }
}

/// What a target does with each connection.
pub(crate) type Keeper = Arc<dyn Fn(TcpStream) + Send + Sync>;

/// A target, and the outcome of an exchange with it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) target: Keeper,
    /// Keys of `[target]`.
    pub(crate) keys: String,
    /// Keys of the request.
    pub(crate) request: &'static str,
    pub(crate) scheme: &'static str,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Good,
    /// Failed, in words that contain these.
    Bad(Failure, &'static str),
}

impl Case {
    pub(crate) fn new(name: &'static str, acts: Vec<Act>, outcome: Outcome) -> Self {
        let target: Keeper = Arc::new(move |stream| {
            let _client_is_gone = perform(stream, &acts);
        });
        Self { name, target, keys: String::new(), request: "", scheme: "http", outcome }
    }

    pub(crate) fn with_request(self, request: &'static str) -> Self {
        Self { request, ..self }
    }

    pub(crate) fn with_keys(self, keys: &str) -> Self {
        Self { keys: keys.to_owned(), ..self }
    }
}

/// Acts until the client is gone.
pub(crate) fn perform(mut stream: impl Wire, acts: &[Act]) -> std::io::Result<()> {
    stream.socket().set_read_timeout(Some(BOUND))?;
    stream.socket().set_write_timeout(Some(BOUND))?;
    for act in acts {
        match act {
            Act::Read => read_request(&mut stream)?,
            Act::Take(bytes) => stream.read_exact(&mut vec![0; *bytes])?,
            Act::Say(bytes) => stream.write_all(bytes)?,
            Act::SayUrgent(byte) => {
                SockRef::from(stream.socket()).send_out_of_band(&[*byte])?;
            }
            Act::Wait(pause) => std::thread::sleep(*pause),
            Act::Repeat(bytes) => {
                let many = bytes.repeat((64 << 10) / bytes.len() + 1);
                loop {
                    stream.write_all(&many)?;
                }
            }
            Act::Drip(bytes, per_second) => drip(&mut stream, bytes, *per_second)?,
            Act::Close => {
                stream.socket().shutdown(Shutdown::Write)?;
                std::io::copy(&mut stream, &mut std::io::sink())?;
            }
            Act::Reset => {
                SockRef::from(stream.socket()).set_linger(Some(Duration::ZERO))?;
                return Ok(());
            }
            Act::Hold => {
                std::io::copy(&mut stream, &mut std::io::sink())?;
            }
        }
    }
    Ok(())
}

/// Sends the same this many times a second.
fn drip(stream: &mut impl Wire, bytes: &[u8], per_second: u32) -> std::io::Result<()> {
    let (begun, mut sent) = (Instant::now(), 0);
    loop {
        let due = begun.elapsed().as_millis() * u128::from(per_second) / 1_000;
        let due = usize::try_from(due).unwrap();
        stream.write_all(&bytes.repeat(due - sent))?;
        sent = due;
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Reads a request of HTTP/1.1 without a body, or the first HEADERS of HTTP/2.
fn read_request(stream: &mut impl Wire) -> std::io::Result<()> {
    let mut start = [0; 24];
    stream.read_exact(&mut start)?;
    if start.starts_with(b"PRI ") {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head)?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            stream.read_exact(&mut vec![0; length as usize])?;
            if head[3] == 1 {
                return Ok(());
            }
        }
    }
    let mut head = start.to_vec();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(())
}

/// Serves each connection on a thread of its own.
pub(crate) fn open(target: Keeper) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let target = Arc::clone(&target);
            std::thread::spawn(move || target(stream));
        }
    });
    address
}

/// A scenario that asks the target of a case.
pub(crate) fn scenario_text((number, case): (usize, &Case)) -> String {
    let address = open(Arc::clone(&case.target));
    let (keys, request, scheme) = (&case.keys, case.request, case.scheme);
    format!(
        "name = 'case {number}'\n[target]\nbase_url = '{scheme}://{address}'\ntimeout = '{TIMEOUT}'\n{keys}\n\
         [[request]]\nname = 'fault'\npath = '/'\n{request}\n"
    )
}

pub(crate) fn scenario((number, case): (usize, &Case)) -> Scenario {
    let text = scenario_text((number, case));
    Scenario::parse("case.toml", &text).unwrap_or_else(|errors| panic!("{}: {errors}", case.name))
}

/// Asks a target without faults 40 times a second for this duration.
pub(crate) fn healthy_text(duration: &str) -> String {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec();
    let address = open(Arc::new(move |mut stream| {
        let is_asked = |stream: &mut TcpStream| read_request(stream).is_ok();
        while is_asked(&mut stream) && stream.write_all(&answer).is_ok() {}
    }));
    format!(
        "name = 'healthy'\n[target]\nbase_url = 'http://{address}'\ntimeout = '{TIMEOUT}'\n\
         [load]\narrival_rate = '40/s'\nduration = '{duration}'\nconnections = 4\n\
         [[request]]\nname = 'fault'\npath = '/'\n"
    )
}

fn healthy() -> Scenario {
    let text = healthy_text("1s");
    Scenario::parse("healthy.toml", &text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Runs the scenarios as one run, again while the machine is too busy.
pub(crate) fn run(scenarios: &[Scenario]) -> Measurement {
    let mut measured = measure(scenarios, BOUND);
    for _ in 1..TRIES {
        if !is_disturbed(&measured) {
            break;
        }
        measured = measure(scenarios, BOUND);
    }
    measured
}

/// What happened to a scenario's exchange, and in which words.
fn seen(scenario: &ScenarioMeasurement) -> (Option<Failure>, String) {
    let stage = &scenario.requests[0].measured;
    match stage.evidence.by_count()[..] {
        [] if stage.tally.ok == 1 => (None, "ok".to_owned()),
        [one] => (Some(one.failure), one.seen.clone()),
        _ => panic!("{stage:?}"),
    }
}

/// How a case ended otherwise than stated.
fn deviation(case: &Case, scenario: &ScenarioMeasurement) -> Option<String> {
    let (failure, words) = seen(scenario);
    let is_as_stated = match case.outcome {
        Outcome::Good => failure.is_none(),
        Outcome::Bad(stated, piece) => failure == Some(stated) && words.contains(piece),
    };
    (!is_as_stated)
        .then(|| format!("{}: {failure:?} {words:?} instead of {:?}", case.name, case.outcome))
}

/// Runs the cases next to a healthy target; fails with all that ended otherwise than stated.
pub(crate) fn visit(cases: &[Case]) {
    let mut wrong = Vec::new();
    for cases in cases.chunks(AT_ONCE) {
        let scenarios: Vec<_> = cases.iter().enumerate().map(scenario).chain([healthy()]).collect();
        let measured = run(&scenarios);
        let (healthy, rest) = measured.scenarios.split_last().unwrap();
        let tally = &healthy.requests[0].measured.tally;
        if (tally.ok, tally.failed()) != (40, 0) {
            wrong.push(format!("the healthy target: {:?}", healthy.requests[0].measured.evidence));
        }
        wrong.extend(cases.iter().zip(rest).filter_map(|(case, one)| deviation(case, one)));
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let peak = status_kb("self", "VmHWM").unwrap_or(0);
    assert!(peak < MEMORY, "the process used {peak} kB");
}
