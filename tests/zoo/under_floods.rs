//! The real program while targets flood it: it serves a healthy target in time, ends its requests
//! and itself, and spends little on a flood.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tollgate::record::{Failure, RunEnding, RunRecord, ScenarioMeasurement};

use crate::floods::{http_1_floods, http_2_floods};
use crate::http2_frames::{
    CONTINUATION, DATA, HEADERS, OK, PING, PRIORITY, RESET, SETTINGS, WINDOW_UPDATE, body, head,
    http2_acts, of_connection, of_request,
};
use crate::keeper::Act::{Drip, Read, Repeat, Say};
use crate::keeper::Outcome::Good;
use crate::keeper::{Case, TRIES, healthy_text, scenario_text};
use crate::program::tollgate;
use crate::tls::{over_tls, updates_keys};

/// How long a request may take. Its timeout is 3 s; the rest is for a busy machine.
const LONGEST: Duration = Duration::from_secs(10);
/// How long the program may take to end after a signal once no request is in progress: a moment,
/// but more on a busy machine.
const END: Duration = Duration::from_secs(10);
/// How much processor time an unoptimized program may spend on one flood, including its share of
/// everything else.
const COST: Duration = Duration::from_millis(150);

/// What the targets of a run saw of the connections to them.
#[derive(Default)]
struct Watch {
    begun: AtomicUsize,
    ended: Mutex<Vec<(&'static str, Duration)>>,
}

impl Watch {
    fn longest(&self) -> (&'static str, Duration) {
        self.ended.lock().unwrap().iter().copied().max_by_key(|one| one.1).unwrap_or_default()
    }
}

/// The same case, twice a second for longer than any test, each time on a connection that is
/// watched.
fn watched(case: &Case, watch: &Arc<Watch>) -> Case {
    let (target, watch, name) = (Arc::clone(&case.target), Arc::clone(watch), case.name);
    let keys = format!(
        "{}\n[load]\narrival_rate = '2/s'\nduration = '60s'\nconnections = 'fresh'\n",
        case.keys
    );
    let target = Arc::new(move |stream| {
        watch.begun.fetch_add(1, Ordering::Relaxed);
        let begun = Instant::now();
        target(stream);
        watch.ended.lock().unwrap().push((name, begun.elapsed()));
    });
    Case { target, keys, ..*case }
}

/// The program; it ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The processor time of a process so far, in ticks of 10 ms.
fn processor_time(child: &Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(10 * ticks)
}

/// What a run under floods did.
struct Flooded {
    /// Those of the cases, and then the healthy one.
    scenarios: Vec<ScenarioMeasurement>,
    /// Processor time for each flood.
    cost: Duration,
    /// From the signal to the end.
    ending: Duration,
}

/// Runs the program for three seconds, and interrupts it.
fn interrupted_run(cases: &[Case], watch: &Watch) -> Flooded {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tollgate();
    command.arg("run");
    let texts = cases.iter().enumerate().map(scenario_text).chain([healthy_text("60s")]);
    for (number, text) in texts.enumerate() {
        let path = folder.path().join(format!("{number}.toml"));
        std::fs::write(&path, text).unwrap();
        command.arg(path);
    }
    let runs = folder.path().join("runs");
    let errors = folder.path().join("errors");
    command.arg("--runs-dir").arg(&runs).stdout(Stdio::null());
    command.stderr(std::fs::File::create(&errors).unwrap());
    let mut program = Program(command.spawn().unwrap());
    let begun = Instant::now();
    while watch.begun.load(Ordering::Relaxed) < 6 * cases.len() {
        assert!(begun.elapsed() < Duration::from_mins(1), "the load does not begin");
        assert_eq!(program.0.try_wait().unwrap(), None, "the program ended");
        std::thread::sleep(Duration::from_millis(50));
    }
    let spent = processor_time(&program.0);
    let floods = u32::try_from(watch.begun.load(Ordering::Relaxed)).unwrap();
    let signalled = Instant::now();
    kill_process(Pid::from_child(&program.0), Signal::INT).unwrap();
    let status = program.0.wait().unwrap();
    let ending = signalled.elapsed();
    // Some floods prove a fail by then.
    let is_verdict = status.code().is_some_and(|code| [1, 3].contains(&code));
    assert!(is_verdict, "{status}: {}", std::fs::read_to_string(&errors).unwrap());
    let run = std::fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let record: RunRecord =
        serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap();
    assert_eq!(record.measurement.ending, RunEnding::Interrupted);
    Flooded { scenarios: record.measurement.scenarios, cost: spent / floods, ending }
}

/// What went wrong in a run under floods; `None` if nothing did.
fn fault(cases: &[Case], watch: &Watch, bounds: &Bounds) -> Option<String> {
    let Flooded { scenarios, cost, ending } = interrupted_run(cases, watch);
    let (healthy, flooded) = scenarios.split_last().unwrap();
    let stage = &healthy.requests[0].measured;
    let (name, longest) = watch.longest();
    if stage.tally.failed() > 0 || !stage.evidence.by_count().is_empty() || stage.tally.ok == 0 {
        return Some(format!("the healthy target: {:?} {:?}", stage.tally, stage.evidence));
    }
    if longest > LONGEST {
        return Some(format!("{name}: a request took {longest:?}"));
    }
    let is_flood = |scenario: &&ScenarioMeasurement| {
        scenario.requests[0].measured.tally.failed_by(Failure::Flood) > 0
    };
    let by_case = || cases.iter().zip(flooded);
    if !bounds.are_exceeded
        && let Some((case, _)) = by_case().find(|(_, scenario)| is_flood(scenario))
    {
        return Some(format!("{}: a flood", case.name));
    }
    if ending > bounds.rest + END {
        return Some(format!("{ending:?} to end after a signal"));
    }
    (cost > COST).then(|| format!("{cost:?} of processor time for each flood"))
}

/// What the cases of a run do to the bounds of a flood.
struct Bounds {
    are_exceeded: bool,
    /// What requests in progress may take once the program is interrupted.
    rest: Duration,
}

/// They exceed them, which ends the requests.
const EXCEEDED: Bounds = Bounds { are_exceeded: true, rest: Duration::ZERO };
/// They stay below, and the requests time out.
const KEPT: Bounds = Bounds { are_exceeded: false, rest: LONGEST };

/// Runs the program against floods; again if the machine may have been too busy.
fn endure(make: impl Fn() -> Vec<Case>, bounds: &Bounds) {
    let mut faults = Vec::new();
    for _ in 0..TRIES {
        let watch = Arc::default();
        let cases: Vec<_> = make().iter().map(|case| watched(case, &watch)).collect();
        let Some(fault) = fault(&cases, &watch, bounds) else { return };
        faults.push(fault);
    }
    panic!("{}", faults.join("\n"));
}

/// Every `of`-th flood, from number `part` on.
fn part(floods: Vec<Case>, (part, of): (usize, usize)) -> Vec<Case> {
    floods.into_iter().skip(part).step_by(of).collect()
}

#[test]
fn of_http_2_frames_1() {
    endure(|| part(http_2_floods(), (0, 2)), &EXCEEDED);
}

#[test]
fn of_http_2_frames_2() {
    endure(|| part(http_2_floods(), (1, 2)), &EXCEEDED);
}

#[test]
fn of_http_1_bytes() {
    // A body of 200 MiB that is read is not a flood.
    let is_flood = |case: &Case| case.request.is_empty();
    endure(|| http_1_floods().into_iter().filter(is_flood).collect(), &EXCEEDED);
}

#[test]
fn over_tls_and_of_tls() {
    let repeats = |name, frame: Vec<u8>| {
        over_tls(Case::new(name, Vec::new(), Good), &[b"h2"], http2_acts(&[], Repeat(frame)))
    };
    let http_1 = |name, first: &str, then: &str| {
        let acts = vec![Read, Say(first.into()), Repeat(then.into())];
        over_tls(Case::new(name, Vec::new(), Good), &[], acts)
    };
    endure(
        || {
            vec![
                repeats("PRIORITY", of_request(PRIORITY, 0, [0, 0, 0, 0, 15])),
                repeats("unknown frames", of_connection(0xfa, b"")),
                repeats("WINDOW_UPDATE", of_connection(WINDOW_UPDATE, [0, 0, 0, 1])),
                repeats("PING", of_connection(PING, [7; 8])),
                repeats("SETTINGS", of_connection(SETTINGS, b"")),
                repeats("103", head([&[8, 3][..], b"103"].concat())),
                http_1("103 over HTTP/1.1", "", "HTTP/1.1 103 Early\r\nlink: x\r\n\r\n"),
                http_1("a header line", "HTTP/1.1 200 OK\r\nx: ", "y"),
                updates_keys("key updates without end"),
            ]
        },
        &EXCEEDED,
    );
}

/// Just below the bound of a flood, 256 KiB a second. A frame costs 64 bytes more than its payload
/// has, HEADERS 512, and an interim answer over HTTP/1.1 512 more than it has.
#[test]
fn that_stay_below_every_bound() {
    const BOUND: u32 = 256 << 10;
    let drips = |name, first: &[Vec<u8>], frame: Vec<u8>, cost: u32| {
        let acts = http2_acts(first, Drip(frame, BOUND / cost));
        Case::new(name, acts, Good).with_keys("http = '2'")
    };
    let http_1 = |name, first: &str, then: &str, extra: u32| {
        let per_second = BOUND / (u32::try_from(then.len()).unwrap() + extra);
        Case::new(name, vec![Read, Say(first.into()), Drip(then.into(), per_second)], Good)
    };
    let interim = [&[8, 3][..], b"103"].concat();
    let ok = "HTTP/1.1 200 OK\r\n";
    let chunked = format!("{ok}transfer-encoding: chunked\r\n\r\n");
    endure(
        || {
            vec![
                drips("PRIORITY", &[], of_request(PRIORITY, 0, [0, 0, 0, 0, 15]), 69),
                drips("unknown frames", &[], of_connection(0xfa, b""), 64),
                drips("WINDOW_UPDATE", &[], of_connection(WINDOW_UPDATE, [0, 0, 0, 1]), 68),
                drips("PING", &[], of_connection(PING, [7; 8]), 72),
                drips("SETTINGS", &[], of_connection(SETTINGS, b""), 64),
                drips("103", &[], head(&interim), 512),
                drips("empty DATA", &[head(OK)], of_request(DATA, 0, b""), 64),
                drips("DATA of a byte", &[head(OK)], of_request(DATA, 0, b"x"), 64),
                drips("RST_STREAM", &[head(OK), body()], of_request(RESET, 0, [0; 4]), 68),
                drips(
                    "empty CONTINUATION",
                    &[of_request(HEADERS, 0, OK)],
                    of_request(CONTINUATION, 0, b""),
                    64,
                ),
                http_1("103 over HTTP/1.1", "", "HTTP/1.1 103 Early\r\nlink: x\r\n\r\n", 512),
                // They belong to the head, which may have 400 KiB until the request times out.
                http_1("empty lines", "", "\r\n", 3),
                http_1("chunks of a byte", &chunked, "1\r\nx\r\n", 0),
                http_1("zeros of a chunk size", &chunked, "0", 0),
            ]
        },
        &KEPT,
    );
}
