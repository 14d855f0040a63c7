//! Compares the check with one under the same contract that uses the `fetch` of Node.js.

use std::path::Path;
use std::process::Stdio;

use super::*;

/// Whether a variable skips the comparison. Otherwise panics if Node.js is missing or too old.
fn skips_node() -> bool {
    if std::env::var_os("TOLLGATE_TESTS_WITHOUT_NODE").is_some_and(|value| !value.is_empty()) {
        return true;
    }
    let version = Command::new("node").arg("--version").stderr(Stdio::inherit()).output();
    let version = version.unwrap_or_else(|error| {
        panic!(
            "no node ({error}); ./test.sh installs it, TOLLGATE_TESTS_WITHOUT_NODE=1 goes without"
        )
    });
    let version = text(&version.stdout);
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    assert!(major >= Some(18), "node {version} has no fetch; 18 or later is needed");
    false
}

#[test]
fn status_exit_code_and_schema_agree_with_those_of_the_node_check() {
    if skips_node() {
        return;
    }
    let contract = target(&["--mock-latency", "constant:30ms"]);
    let today = target(&["--auth", "today"]);
    let at = |target: &Target, path: &str| format!("{}{path}", target.base_url);
    let broken = answering("HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n");
    let cut = answering("HTTP/1.1 200 x\r\ncontent-length: 99\r\n\r\nhalf");
    let circle = answering(
        "HTTP/1.1 302 x\r\nlocation: /again\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    );
    let script =
        answering("HTTP/1.1 302 x\r\nlocation: javascript:alert(1)\r\ncontent-length: 0\r\n\r\n");
    let chunked = "HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n";
    let endless_hop = "HTTP/1.1 302 x\r\nlocation: /there\r\ntransfer-encoding: chunked\r\n\r\n";
    let slow_hop = "HTTP/1.1 307 x\r\nlocation: /there\r\ncontent-length: 99\r\n\r\nhalf";
    for (url, more, exit) in [
        (at(&contract, "/app?mock=1"), None, 0),
        (at(&contract, "/app?mock=0"), None, 0),
        (at(&contract, "/app?mock=1"), Some(("SYNTHETIC_CHECK_BUDGET_MS", "1")), 1),
        (at(&contract, "/app?mock=1"), Some(("SYNTHETIC_CHECK_USER_AGENT", "curl/8.5.0")), 1),
        (at(&today, "/app?mock=0"), None, 0),
        (at(&today, "/app?mock=0"), Some(("SYNTHETIC_CHECK_TOKEN", "wrong")), 0),
        (broken, None, 1),
        (cut, None, 0),
        (circle, None, 1),
        (script, None, 1),
        (without_end(endless_hop, "1\r\nx\r\n"), None, 0),
        (without_end(slow_hop, ""), None, 0),
        (without_end(chunked, "1\r\nx\r\n"), None, 0),
        (without_end(chunked, "") + "/app?mock=0", None, 0),
        (nowhere(), None, 1),
        (at(&today, "/fault/reset"), None, 1),
        (String::new(), None, 1),
    ] {
        assert_agreement(&url, more, exit);
    }
}

/// Redirects to other origins, and budgets whose notation JavaScript reads in a special way.
#[test]
fn redirects_and_odd_budgets_agree_with_those_of_the_node_check() {
    if skips_node() {
        return;
    }
    let plain = target(&[]);
    let url = format!("{}/plain", plain.base_url);
    let budget = |text| Some(("SYNTHETIC_CHECK_BUDGET_MS", text));
    let redirect =
        |to: &str| format!("HTTP/1.1 302 x\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
    for (url, more, exit) in [
        (answering(redirect(&url)), None, 0),
        (url.clone(), budget("0xFFFFF"), 0),
        (url.clone(), budget("100000000"), 0),
        (url.clone(), budget("Infinity"), 0),
        (url.clone(), budget(" 2e4\u{feff}"), 0),
        (url.clone(), budget("abc"), 0),
        (url.clone(), budget("300ms"), 0),
        (url, budget(""), 1),
    ] {
        assert_agreement(&url, more, exit);
    }
}

/// Runs both checks, and compares their exit codes, lines and artifacts.
fn assert_agreement(url: &str, more: Option<(&str, &str)>, exit: i32) {
    let budget = ("SYNTHETIC_CHECK_BUDGET_MS", "20000");
    let variables: Vec<_> =
        [("SYNTHETIC_CHECK_URL", url), budget].into_iter().chain(more).collect();
    let (ours, theirs) = (Place::new(), Place::new());
    let output = ours.check(&[], &variables);
    let beside = by_node(&theirs, &variables);
    assert_eq!(
        (code(&output), code(&beside)),
        (exit, exit),
        "{url} {more:?}: {}",
        text(&output.stderr)
    );
    assert_eq!(masked(&output.stdout), masked(&beside.stdout), "{url} {more:?}");
    let written =
        |place: &Place| place.artifacts().iter().map(|path| shape(path)).collect::<Vec<_>>();
    assert_eq!(written(&ours), written(&theirs), "{url} {more:?}");
    assert_eq!(written(&ours).len(), usize::from(!url.is_empty()), "{url}");
}

fn by_node(place: &Place, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new("node");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/synthetic-check.mjs"));
    for (name, _) in tollgate().get_envs() {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).current_dir(place.0.path()).output().unwrap()
}

/// A line with every number after the status replaced by `9`.
fn masked(line: &[u8]) -> String {
    let line = text(line);
    let (status, rest) = line.split_once(" duration=").unwrap_or((&line, ""));
    let mut masked = String::new();
    for c in rest.chars().map(|c| if c.is_ascii_digit() || c == '.' { '9' } else { c }) {
        if c != '9' || !masked.ends_with('9') {
            masked.push(c);
        }
    }
    format!("{status} duration={masked}")
}

/// An artifact's text without its time and duration, and without tollgate's own field.
fn shape(path: &Path) -> Vec<String> {
    let artifact = std::fs::read_to_string(path).unwrap();
    let tool = format!(",\n  \"tool\": \"tollgate {}\"", env!("CARGO_PKG_VERSION"));
    let artifact = artifact.replace(&tool, "");
    let differs = |line: &str| line.contains("\"timestamp\"") || line.contains("\"durationMs\"");
    let comparable =
        |line: &str| if differs(line) { line.split(": ").next().unwrap() } else { line }.to_owned();
    artifact.split('\n').map(comparable).collect()
}
