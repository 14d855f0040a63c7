//! Runs the prober against every fault of a target: none hangs, none counts as ok, and none affects
//! the exchange after it.
//!
//! Each row is a scenario of two requests in one arrival: the fault, and `/plain` right after it.
//! All rows are one run.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

#[path = "support/whole_run.rs"]
mod whole_run;

#[path = "faults/further.rs"]
mod further;
#[path = "faults/http2.rs"]
mod http2;

use std::time::Duration;

use clap::ValueEnum;
use tollgate::record::{Dimension, Failure, Measurement, StageMeasurement};
use tollgate::scenario::Scenario;
use tollgate::target::{BackgroundTarget, TargetSettings, TlsFault};
use whole_run::{is_disturbed, measure};

/// Timeout of a run of all rows: far above what it needs, so that only a hang reaches it.
const BOUND: Duration = Duration::from_mins(2);

/// Timeout of the rows whose target sends nothing: long compared with the time that a busy machine
/// needs to start all rows at once.
const SHORT: &str = "timeout = \"3s\"";
/// Timeout of all others, which even a slow machine does not reach.
const LONG: &str = "timeout = \"30s\"";

/// Bytes of an upload that exceeds HTTP/2's initial window.
const TWICE_THE_WINDOW: usize = 128 << 10;

/// The expected outcome of an exchange.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Ok,
    /// Failed, in this phase if the failure has one.
    Failed(Failure, Option<Dimension>),
    /// Failed, in any phase.
    InAnyPhase(Failure),
}

use Dimension::{Body, FirstByte, Tls};
use Outcome::{Failed, Ok as Good};

/// One fault or page, its request, and the expected outcome.
struct Row {
    /// Further keys of `[target]`, in addition to the base URL and the certificates.
    target: &'static str,
    /// The path, and further keys of the request.
    request: &'static str,
    /// Flags of the target; rows with the same share one.
    flags: &'static [&'static str],
    outcome: Outcome,
}

const fn row(request: &'static str, outcome: Outcome) -> Row {
    Row { target: LONG, request, flags: &[], outcome }
}

const fn slow(request: &'static str, phase: Dimension) -> Row {
    Row { target: SHORT, request, flags: &[], outcome: Failed(Failure::TimedOut, Some(phase)) }
}

const HTTP1: [Row; 31] = [
    row("path = '/fault/reset'", Failed(Failure::Reset, Some(FirstByte))),
    row("path = '/fault/reset-body'", Failed(Failure::Reset, Some(Body))),
    row("path = '/fault/close'", Failed(Failure::Closed, Some(FirstByte))),
    row("path = '/fault/truncated'", Failed(Failure::Closed, Some(Body))),
    row("path = '/fault/short'", Failed(Failure::Closed, Some(Body))),
    // The answer is complete at its announced length. The request after it shows that the surplus
    // is not read as the next answer.
    row("path = '/fault/long'", Failed(Failure::Malformed, Some(Body))),
    slow("path = '/fault/hang'", FirstByte),
    slow("path = '/fault/slow-headers'", Body),
    slow("path = '/fault/slow-body'", Body),
    slow("path = '/fault/endless?every=10ms'", Body),
    row("path = '/fault/slow-headers?every=1ms'", Good),
    row("path = '/fault/slow-body?bytes=5&every=1ms'", Good),
    row(
        "path = '/fault/endless'\nexpect = { max_body = '64 KiB' }",
        Failed(Failure::Unexpected, None),
    ),
    row("path = '/fault/endless-headers'", Failed(Failure::Flood, Some(Body))),
    row("path = '/fault/garbage'", Failed(Failure::Malformed, Some(Body))),
    row("path = '/fault/two-lengths'", Failed(Failure::Malformed, Some(Body))),
    row("path = '/fault/wrong-status'", Failed(Failure::Status, None)),
    row("path = '/fault/redirect-loop'", Failed(Failure::Redirected, None)),
    row("path = '/fault/redirect-away'", Failed(Failure::Redirected, None)),
    row("path = '/redirect'", Failed(Failure::Redirected, None)),
    row("path = '/redirect?n=0'\nexpect = { body_contains = ['arrived'] }", Good),
    row("path = '/chunked'\nexpect = { body_contains = ['one, two, three'] }", Good),
    row("path = '/chunked'\nmethod = 'HEAD'", Good),
    row("path = '/plain'\nmethod = 'HEAD'", Good),
    row("path = '/until-close'\nexpect = { body_contains = ['until the connection ends'] }", Good),
    row("path = '/early-hints'\nexpect = { body_contains = ['and a 200'] }", Good),
    row("path = '/trailers'\nexpect = { body_contains = ['and a trailer'] }", Good),
    row("path = '/no-content'", Good),
    row("path = '/goodbye'\nexpect = { body_contains = ['bye'] }", Good),
    row("path = '/gzip'", Good),
    row("path = '/fault/no-window'", Failed(Failure::Status, None)),
];

const fn flagged(flags: &'static [&'static str], request: &'static str, outcome: Outcome) -> Row {
    Row { target: LONG, request, flags, outcome }
}

/// Faults of the tile loader's pages, and connections that end by themselves.
const FLAGS: [Row; 4] = [
    flagged(&["--fault", "reset"], "path = '/app?mock=1'", Failed(Failure::Reset, Some(FirstByte))),
    flagged(&["--fault", "truncated"], "path = '/app?mock=1'", Failed(Failure::Closed, Some(Body))),
    flagged(&["--close-every", "1"], "path = '/app?mock=1'", Good),
    flagged(&["--close-every", "1", "--close-silently"], "path = '/app?mock=1'", Good),
];

const fn shaken(fault: &'static [&'static str], outcome: Outcome) -> Row {
    Row { target: LONG, request: "path = '/plain'", flags: fault, outcome }
}

const NO_TLS: Outcome = Failed(Failure::Tls, Some(Tls));

/// TLS failures; the request after one fails in the same way, as the fault affects every
/// connection.
const TLS: [Row; 12] = [
    shaken(&["--tls", "--tls-fault", "expired"], NO_TLS),
    shaken(&["--tls", "--tls-fault", "not-yet-valid"], NO_TLS),
    shaken(&["--tls", "--tls-fault", "wrong-name"], NO_TLS),
    shaken(&["--tls", "--tls-fault", "untrusted"], NO_TLS),
    shaken(&["--tls", "--tls-fault", "handshake-close"], NO_TLS),
    shaken(&["--tls", "--tls-fault", "handshake-reset"], NO_TLS),
    Row {
        target: SHORT,
        request: "path = '/plain'",
        flags: &["--tls", "--tls-fault", "handshake-hang"],
        outcome: Failed(Failure::TimedOut, Some(Tls)),
    },
    shaken(&["--tls", "--tls-fault", "old-version"], NO_TLS),
    shaken(&["--tls", "--tls-fault", "other-alpn"], Failed(Failure::Protocol, Some(Tls))),
    shaken(&["--tls", "--tls-fault", "no-alpn"], Good),
    shaken(&["--tls"], Good),
    // Under TLS 1.3 the client's handshake ends before the target notices the missing certificate.
    shaken(&["--tls", "--tls-client-out"], Failed(Failure::Tls, Some(FirstByte))),
];

/// The targets that the rows need, one for each set of flags, and the folder of their certificates.
struct Targets {
    folder: tempfile::TempDir,
    started: Vec<(&'static [&'static str], BackgroundTarget)>,
}

impl Targets {
    fn start(rows: &[Row]) -> Self {
        let mut targets = Self { folder: tempfile::tempdir().unwrap(), started: Vec::new() };
        for row in rows {
            if targets.position(row).is_none() {
                let flags = targets.flags(row);
                let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
                let target =
                    BackgroundTarget::start(&TargetSettings::from_flags(&flags).unwrap()).unwrap();
                targets.started.push((row.flags, target));
            }
        }
        targets
    }

    fn position(&self, row: &Row) -> Option<usize> {
        self.started.iter().position(|(flags, _)| *flags == row.flags)
    }

    /// The row's flags, with files for the certificates that they write.
    fn flags(&self, row: &Row) -> Vec<String> {
        let mut flags: Vec<String> = ["--mock-latency", "constant:0ms"].map(str::to_owned).into();
        for flag in row.flags {
            flags.push((*flag).to_owned());
            if *flag == "--tls" {
                flags.extend(["--tls-ca-out".to_owned(), self.file(self.started.len(), "ca")]);
            }
            if *flag == "--tls-client-out" {
                flags.push(self.file(self.started.len(), "client"));
            }
        }
        flags
    }

    fn file(&self, target: usize, name: &str) -> String {
        self.folder.path().join(format!("{name}-{target}.pem")).display().to_string()
    }

    fn scenario(&self, number: usize, row: &Row) -> Scenario {
        let at = self.position(row).unwrap();
        let base_url = self.started[at].1.base_url();
        let ca = self.file(at, "ca");
        let believes = base_url.starts_with("https") && !row.target.contains("insecure");
        let trust = if believes { format!("tls_ca = '{ca}'\n") } else { String::new() };
        let target = row.target.replace("CLIENT", &self.file(at, "client"));
        let request = row.request.replace("LARGE", &"x".repeat(TWICE_THE_WINDOW));
        let text = format!(
            "name = 'row {number}'\n[target]\nbase_url = '{base_url}'\n{trust}{target}\n\
             [[request]]\nname = 'fault'\n{request}\n[[request]]\nname = 'after'\npath = '/plain'\n"
        );
        Scenario::parse("row.toml", &text).unwrap_or_else(|errors| panic!("{errors}"))
    }
}

/// How often the rows are run if the machine is so busy that the prober stalls.
const TRIES: usize = 25;

/// Runs all rows as one run. A run in which the prober stalled proves nothing about the target and
/// is repeated.
fn measure_undisturbed(rows: &[Row], targets: &Targets) -> Measurement {
    let tried = (0..TRIES).map(|_| {
        let rows = rows.iter().enumerate();
        let scenarios: Vec<_> = rows.map(|(number, row)| targets.scenario(number, row)).collect();
        measure(&scenarios, BOUND)
    });
    tried.into_iter().find(|measured| !is_disturbed(measured)).unwrap_or_else(|| {
        panic!("the machine is too busy: the prober stood still in {TRIES} runs")
    })
}

/// The outcome of an exchange, in the words of a row.
fn outcome_text(stage: &StageMeasurement) -> String {
    let evidence = stage.evidence.by_count();
    let limited = evidence.iter().any(|seen| seen.failure == Failure::OwnLimit);
    assert_eq!(stage.tally.exchanges, u64::from(!limited), "{stage:?}");
    match evidence[..] {
        [] if stage.tally.ok == 1 => "ok".to_owned(),
        [seen] => format!("{:?}, phase {:?}", seen.failure, seen.phase),
        _ => panic!("{stage:?}"),
    }
}

fn stated(outcome: Outcome) -> String {
    match outcome {
        Good => "ok".to_owned(),
        Failed(failure, phase) => format!("{failure:?}, phase {phase:?}"),
        Outcome::InAnyPhase(failure) => format!("{failure:?}, phase "),
    }
}

/// Runs the rows; `after` returns the expected outcome of the request after each.
fn hold(rows: &[Row], after: impl Fn(&Row) -> String) {
    let targets = Targets::start(rows);
    let measurement = measure_undisturbed(rows, &targets);
    let mut wrong = Vec::new();
    for (row, scenario) in rows.iter().zip(&measurement.scenarios) {
        let what = format!("{:?} {} {}", row.flags, row.target, row.request.replace('\n', ", "));
        let [fault, next] = ["fault", "after"].map(|name| {
            &scenario.requests.iter().find(|request| request.name == name).unwrap().measured
        });
        for (which, expected, stage) in
            [("", stated(row.outcome), fault), (", the request after it", after(row), next)]
        {
            let seen = outcome_text(stage);
            let any_phase = expected.ends_with("phase ") && seen.starts_with(&expected);
            if seen != expected && !any_phase {
                let details: Vec<&str> =
                    stage.evidence.by_count().iter().map(|seen| seen.seen.as_str()).collect();
                wrong.push(format!(
                    "{what}{which}: expected {expected}, came to {seen} {details:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

fn ok(_: &Row) -> String {
    stated(Good)
}

#[test]
fn over_http_1_every_fault_is_reported_as_what_it_is_and_the_next_exchange_is_ok() {
    hold(&HTTP1, ok);
}

#[test]
fn faults_by_flag_are_reported_and_connections_that_end_harm_nobody() {
    hold(&FLAGS, ok);
}

#[test]
fn every_broken_handshake_is_a_failure_of_tls() {
    hold(&TLS, |row| stated(row.outcome));
}

#[test]
fn every_way_to_break_a_handshake_is_in_the_table() {
    for fault in TlsFault::value_variants() {
        let name = fault.to_possible_value().unwrap();
        assert!(TLS.iter().any(|row| row.flags.contains(&name.get_name())), "{}", name.get_name());
    }
}
