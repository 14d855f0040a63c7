//! What the fuzzers run: ordinary functions over bytes that nobody has to trust.
//!
//! None of them may panic, hang, or take much more memory than its input. `tests/fuzz.rs` runs the
//! same functions on the seeds, on every crash that was found, and on mutations of both.
#![allow(missing_docs, clippy::unwrap_used, reason = "a fixed input of a fuzzer is valid")]

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tollgate::expect::{ResponseView, server_timings};
use tollgate::hlog::{HdrLogLine, HdrLogTag};
use tollgate::import::{ImportedArtifact, ImportedLog, LogImportOptions};
use tollgate::plan::{Environment, Plan, PlanOverrides, RequestPlan};
use tollgate::record::{Interval, RunRecord};
use tollgate::report::{ReportModel, html, markdown};
use tollgate::scenario::Scenario;
use tollgate::units::ByteSize;
use tollgate::verdict::{ComparisonSettings, compare, judge};
use url::Url;

/// A function that the fuzzers run, with the name of its seeds.
pub type FuzzTarget = (&'static str, fn(&[u8]));

pub const TARGETS: [FuzzTarget; 8] = [
    ("scenario", scenario),
    ("record", record),
    ("intervals", intervals),
    ("log", log),
    ("artifact", artifact),
    ("answer", answer),
    ("server_timing", server_timing),
    ("expectations", expectations),
];

/// A scenario file: it is read and resolved, and its mistakes are shown.
pub fn scenario(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let resolved = Scenario::parse("fuzzed.toml", text).and_then(|scenario| {
        // Files that a scenario names are the machine's.
        let needs_files = !scenario.attached_files().is_empty();
        let environment = Environment::default();
        if needs_files {
            return Ok(());
        }
        Plan::resolve(&[scenario], &environment, &PlanOverrides::default()).map(drop)
    });
    if let Err(errors) = resolved {
        errors.render(true);
    }
}

/// A run's record: it is judged, reported and compared with itself.
pub fn record(bytes: &[u8]) {
    let Ok(record) = serde_json::from_slice::<RunRecord>(bytes) else { return };
    judge(&record.plan, &record.measurement);
    let model = ReportModel::new(&record, std::iter::empty::<Interval>());
    markdown(&model);
    html(&model);
    compare(&record, &record, &ComparisonSettings::default());
    serde_json::to_vec(&record).unwrap();
}

/// The intervals of a run, one a line: they are added up.
pub fn intervals(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n');
    let mut sum: Option<Interval> = None;
    for interval in lines.filter_map(|line| serde_json::from_slice::<Interval>(line).ok()) {
        match &mut sum {
            Some(sum) => sum.merge(&interval),
            None => sum = Some(interval),
        }
    }
}

/// A log of `HdrHistogram`, of ours or of another tool: it is read by lines and imported.
pub fn log(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        if let Some(HdrLogLine::Interval(fields)) = HdrLogLine::parse(line) {
            fields.tag.and_then(HdrLogTag::parse);
            let _either = fields.counts();
        }
    }
    let options = LogImportOptions {
        scenario: "fuzzed".to_owned(),
        request: "request".to_owned(),
        unit: None,
        budgets: vec!["p95 < 300ms".parse().unwrap()],
    };
    if let Ok(log) = ImportedLog::read(bytes, &options) {
        log.intervals(bytes).into_iter().flatten().for_each(drop);
    }
}

/// An artifact of the older check: it becomes a run.
pub fn artifact(bytes: &[u8]) {
    if let Ok(artifact) = ImportedArtifact::read(bytes) {
        artifact.run();
    }
}

/// An answer's status, headers and body, as in HTTP/1.1, with every kind of expectation.
pub fn answer(bytes: &[u8]) {
    let (head, body) = split(bytes, b"\n\n");
    let mut lines = head.split(|byte| *byte == b'\n');
    let status = lines.next().and_then(|line| StatusCode::from_bytes(line).ok());
    let fields = lines.filter_map(|line| {
        let (name, value) = split(line, b":");
        Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
    });
    let view = ResponseView {
        status: status.unwrap_or(StatusCode::OK),
        url: &URL,
        headers: &fields.collect::<HeaderMap>(),
        body,
    };
    let _either = REQUEST.expectations.judge(&view);
    let _either = REQUEST.captures.extract(&view, ByteSize(1 << 20));
}

/// The value of a `Server-Timing` header.
pub fn server_timing(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let headers = HeaderMap::from_iter([(HeaderName::from_static("server-timing"), value)]);
    server_timings(&headers).for_each(drop);
}

/// The expectations of a request, as written in a scenario, over a fixed answer.
pub fn expectations(bytes: &[u8]) {
    let Ok(written) = std::str::from_utf8(bytes) else { return };
    let Ok(request) = request(written) else { return };
    let headers =
        HeaderMap::from_iter([(HeaderName::from_static("x-a"), HeaderValue::from_static("1"))]);
    let body = br#"{"items":[{"id":1,"name":"a"},{"id":2.5,"name":null}],"at":"2026-01-01"}"#;
    let view = ResponseView { status: StatusCode::OK, url: &URL, headers: &headers, body };
    let _either = request.expectations.judge(&view);
    let _either = request.captures.extract(&view, ByteSize(1 << 20));
}

static URL: LazyLock<Url> = LazyLock::new(|| Url::parse("http://localhost/a").unwrap());

static REQUEST: LazyLock<RequestPlan> = LazyLock::new(|| request(EXPECTATIONS).unwrap());

/// One expectation of each kind, and captures.
const EXPECTATIONS: &str = include_str!("../seeds/expectations/every_kind.toml");

/// A request with these keys.
fn request(written: &str) -> Result<RequestPlan, String> {
    let text = format!(
        "name = \"fuzzed\"\n[target]\nbase_url = \"http://localhost\"\n\
         [[request]]\nname = \"request\"\npath = \"/a\"\n{written}\n"
    );
    let scenario = Scenario::parse("fuzzed.toml", &text).map_err(|errors| errors.render(false))?;
    if !scenario.attached_files().is_empty() {
        return Err("it names a file".to_owned());
    }
    let environment = Environment::default();
    let resolved = Plan::resolve(&[scenario], &environment, &PlanOverrides::default());
    let (plan, _) = resolved.map_err(|errors| errors.render(false))?;
    let scenario = plan.scenarios.into_iter().next();
    scenario.and_then(|scenario| scenario.requests.into_iter().next()).ok_or_else(String::new)
}

/// The bytes before and after the first separator.
fn split<'a>(bytes: &'a [u8], separator: &[u8]) -> (&'a [u8], &'a [u8]) {
    let place = bytes.windows(separator.len()).position(|window| window == separator);
    place.map_or((bytes, &[]), |at| (&bytes[..at], &bytes[at + separator.len()..]))
}
