//! Servers that break Postgres' protocol: each command ends in time, with a typed outcome, in
//! little memory and without a panic, and a run keeps the scenarios that have nothing to do with
//! them.

mod cases;
pub(crate) mod fake_postgres;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tollgate::postgres::{
    DatabaseAddress, PgError, PgErrorKind, PgSession, SqlStatement, TransactionMode,
};
use tollgate::record::{Decision, Failure, RequestMeasurement};

use crate::bench::{output_text, record, tollgate};
use crate::peak_memory;
use crate::runs::{self, SMALL};
use crate::status_server::StatusServer;
use cases::Case;
use fake_postgres::{Dialogue, Step, Then, notice, ready};

/// More memory than any command may take, in kB.
const MEMORY: u64 = 400 << 10;

/// Writes a scenario for each case and a healthy one; returns their files.
fn write_scenarios(folder: &Path, all: &[Case], page: &str) -> Vec<PathBuf> {
    let load = "[load]\narrival_rate = \"4/s\"\nduration = \"1s\"\n[warmup]\nrequests = 0\n";
    let mut texts: Vec<_> = all
        .iter()
        .enumerate()
        .map(|(at, case)| {
            let url = fake_postgres::start(&case.dialogue);
            format!(
                "name = \"case {at}\"\nbudgets = [\"errors = 0\"]\n[target]\ntimeout = \"2s\"\n[databases]\nmain = \"{url}\"\n\
                 [[request]]\nname = \"one\"\nsql = \"select 1 as n\"\n{load}"
            )
        })
        .collect();
    texts.push(format!(
        "name = \"healthy\"\nbudgets = [\"errors = 0\"]\n[target]\nbase_url = \"{page}\"\n\
         [[request]]\nname = \"page\"\npath = \"/\"\n{load}"
    ));
    let write = |(at, text): (usize, &String)| {
        let path = folder.join(format!("{at}.toml"));
        std::fs::write(&path, text).unwrap();
        path
    };
    texts.iter().enumerate().map(write).collect()
}

/// Runs a command to its end; returns its output, how long it took, and its peak memory in kB.
fn watched(command: &mut Command) -> (Output, Duration, u64) {
    let begun = Instant::now();
    let (out, err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    let pipes = (out.try_clone().unwrap(), err.try_clone().unwrap());
    let mut child = command.stdin(Stdio::null()).stdout(pipes.0).stderr(pipes.1).spawn().unwrap();
    let peak = peak_memory::watch(&mut child).unwrap();
    let status = child.wait().unwrap();
    let text = |mut file: std::fs::File| {
        let mut bytes = Vec::new();
        std::io::Seek::rewind(&mut file).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    };
    (Output { status, stdout: text(out), stderr: text(err) }, begun.elapsed(), peak)
}

/// What is wrong with the outcome of one case in a run, if anything.
fn objection(case: &Case, request: &RequestMeasurement) -> Option<String> {
    let evidence = request.measured.evidence.by_count();
    let seen: Vec<_> =
        evidence.iter().map(|evidence| (evidence.failure, evidence.seen.as_str())).collect();
    let is_right = match case.failure {
        None => seen.is_empty(),
        Some(failure) => {
            !seen.is_empty()
                && seen.iter().all(|(of, text)| {
                    // A busy machine makes the prober stand still while it waits.
                    let is_excused = failure == Failure::TimedOut && *of == Failure::Prober;
                    is_excused || (*of == failure && text.contains(case.says))
                })
        }
    };
    (!is_right).then(|| format!("{}: {seen:?}", case.name))
}

/// Runs these cases and a healthy scenario at the same time.
fn run_names(all: &[Case]) {
    let (folder, page) = (tempfile::tempdir().unwrap(), StatusServer::start());
    let files = write_scenarios(folder.path(), all, &page.base_url);
    let runs = folder.path().join("runs");
    let (output, elapsed, peak) =
        watched(tollgate().arg("run").args(&files).arg("--runs-dir").arg(&runs));
    let text = output_text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    assert!(elapsed < Duration::from_mins(2) && peak < MEMORY, "{elapsed:?}, {peak} kB");
    let run = std::fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let record = record(&run);
    assert_eq!(record.measurement.scenarios.len(), all.len() + 1, "{text}");
    let wrong: Vec<_> = (all.iter().zip(&record.measurement.scenarios))
        .filter_map(|(case, scenario)| objection(case, &scenario.requests[0]))
        .collect();
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    let healthy = record.verdict.scenarios.last().unwrap();
    assert_ne!(healthy.decision, Decision::Fail, "{text}");
    assert!(record.measurement.scenarios.last().unwrap().requests[0].measured.tally.answered() > 0);
}

#[test]
fn a_run_names_each_hostile_server_and_keeps_the_healthy_scenario() {
    let (endless, others): (Vec<_>, Vec<_>) =
        cases::all().into_iter().partition(|case| case.dialogue.then == Then::Again);
    run_names(&others);
    run_names(&endless);
}

#[test]
fn doctor_names_what_no_session_can_be_opened_with() {
    let folder = tempfile::tempdir().unwrap();
    let (all, page) = (cases::all(), StatusServer::start());
    let files = write_scenarios(folder.path(), &all, &page.base_url);
    let (output, elapsed, peak) = watched(tollgate().arg("doctor").args(&files));
    let text = output_text(&output);
    assert!(!text.contains("panicked"), "{text}");
    assert!(elapsed < Duration::from_mins(2) && peak < MEMORY, "{elapsed:?}, {peak} kB");
    let unopened = all.iter().filter(|case| [Step::Tls, Step::Login].contains(&case.dialogue.at));
    let unopened =
        unopened.filter(|case| case.failure.is_some() && case.says.starts_with("is not"));
    let named = text.matches("is not a PostgreSQL server").count();
    assert_eq!(named, unopened.count(), "{text}");
}

/// Runs a command against every hostile server, some at a time.
fn against_all(command: impl Fn(&str) -> Command + Sync) {
    // A statement may take half a minute, so a server that is silent then is waited for.
    let is_awaited = |case: &Case| {
        case.failure == Some(Failure::TimedOut)
            && !matches!(case.dialogue.at, Step::Tls | Step::Login | Step::Begin)
    };
    let all: Vec<_> = cases::all().into_iter().filter(|case| !is_awaited(case)).collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let objections = std::sync::Mutex::new(Vec::new());
    let work = || {
        while let Some(case) = all.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            let url = fake_postgres::start(&case.dialogue);
            let (output, elapsed, peak) = watched(&mut command(&url));
            let text = output_text(&output);
            let is_named = ["is not", "floods"].iter().any(|words| case.says.starts_with(words));
            let is_right = matches!(output.status.code(), Some(1 | 2 | 4))
                && !text.contains("panicked")
                && !text.contains("defect")
                && (!is_named || text.contains(case.says))
                && elapsed < Duration::from_mins(1)
                && peak < MEMORY;
            if !is_right {
                let what =
                    format!("{}: {:?}, {elapsed:?}, {peak} kB, {text}", case.name, output.status);
                objections.lock().unwrap().push(what);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(work);
        }
    });
    let objections = objections.into_inner().unwrap();
    assert!(objections.is_empty(), "{}", objections.join("\n"));
}

#[test]
fn history_names_each_hostile_server() {
    against_all(|url| {
        let mut command = tollgate();
        command.arg("history").env("DATABASE_URL", url);
        command
    });
}

#[test]
fn db_status_names_each_hostile_server() {
    against_all(|url| {
        let mut command = tollgate();
        command.args(["db", "status"]).env("DATABASE_URL", url);
        command
    });
}

#[test]
fn sync_names_each_hostile_server() {
    let folder = tempfile::tempdir().unwrap();
    runs::write(folder.path(), 1, SMALL);
    against_all(|url| crate::bench::sync(folder.path(), url));
}

/// A session with one statement, as a step has it.
async fn hold_session(address: &DatabaseAddress) -> Result<usize, PgError> {
    let mut session = PgSession::connect(address).await?;
    let statement = SqlStatement::parse_reading("select 1 as n").unwrap();
    let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
    let rows = transaction.fetch_documents(&statement, &[]).await?.parse()?;
    transaction.commit().await?;
    Ok(rows.len())
}

#[test]
fn an_error_that_ends_the_connection_abandons_the_session() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (severity, is_abandoned) in [("FATAL", true), ("ERROR", false)] {
        let fields = [(b'S', severity), (b'V', severity), (b'C', "57014"), (b'M', "ended")];
        let sends = [notice(b'E', &fields), ready(b'E')].concat();
        let dialogue = Dialogue { at: Step::Rows, sends, then: Then::Wait, cut: usize::MAX };
        let address = DatabaseAddress::parse(&fake_postgres::start(&dialogue)).unwrap();
        runtime.block_on(async {
            let mut session = PgSession::connect(&address).await.unwrap();
            let statement = SqlStatement::parse_reading("select 1 as n").unwrap();
            let mut transaction = session.begin(TransactionMode::ReadOnly).await.unwrap();
            let error = transaction.fetch_documents(&statement, &[]).await.unwrap_err();
            assert_eq!(error.kind, PgErrorKind::GivenUp, "{error}");
            assert_eq!(session.is_abandoned(), is_abandoned, "{severity}");
        });
    }
}

#[test]
fn a_dialogue_that_is_cut_off_at_any_byte_is_a_lost_connection() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut cut = 0;
    loop {
        let dialogue = Dialogue { at: Step::Login, sends: Vec::new(), then: Then::GoOn, cut };
        let address = DatabaseAddress::parse(&fake_postgres::start(&dialogue)).unwrap();
        match runtime.block_on(hold_session(&address)) {
            Ok(rows) => break assert_eq!(rows, 1),
            Err(error) => assert_eq!(error.kind, PgErrorKind::Lost, "{cut}: {error}"),
        }
        cut += 1;
    }
    assert!(cut > 200, "{cut}");
}
