//! The outputs for CI systems and monitoring, and what becomes of a verdict if they fail.

pub(crate) mod code_host;
mod foreign_parsers;

use std::path::Path;
use std::process::{Command, Output};

use crate::bench::{Bench, recording_server, text, tollgate};
use code_host::FakeCodeHost;

/// One request, sent once, that the server answers with 200.
const ONCE: &str = "[[request]]\nname = \"page\"\npath = \"/\"\n";

/// A scenario that passes.
fn passing() -> Bench {
    Bench::new(&recording_server().0, "", ONCE)
}

/// A scenario that fails, also on a busy machine: its budget is in line 2.
fn failing() -> Bench {
    let rest = format!("{ONCE}[request.expect]\nstatus = 404\n");
    Bench::new(&recording_server().0, "budgets = [\"errors = 0\"]", &rest)
}

fn run(command: &mut Command, code: i32) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    output
}

#[test]
fn a_file_that_cannot_be_written_is_reported_before_anything_is_sent() {
    let (server, requests) = recording_server();
    let bench = Bench::new(&server, "", ONCE);
    let folder = bench.folder.path().to_str().unwrap().to_owned();
    let below_a_file = format!("{}/x", bench.scenario.display());
    let output = run(bench.command().args(["--junit", &folder, "--metrics", &below_a_file]), 2);
    let error = text(&output.stderr);
    assert!(error.contains("--junit: cannot write"), "{error}");
    assert!(error.contains("--metrics: cannot write"), "{error}");
    let same = run(bench.command().args(["--junit", "a.xml", "--metrics", "a.xml"]), 2);
    assert!(text(&same.stderr).contains("name the same file"), "{}", text(&same.stderr));
    assert!(requests.lock().unwrap().is_empty());
    let merge = run(tollgate().args(["merge", "nothing", "--junit", &folder]), 2);
    assert!(text(&merge.stderr).contains("--junit: cannot write"), "{}", text(&merge.stderr));
}

#[test]
fn missing_folders_are_made_and_each_run_replaces_the_files() {
    let bench = passing();
    let file = bench.folder.path().join("out/of/it/junit.xml");
    for _ in 0..2 {
        run(bench.command().arg("--junit").arg(&file), 0);
        let xml = std::fs::read_to_string(&file).unwrap();
        assert!(xml.contains("classname=\"trial.page\""), "{xml}");
        assert_eq!(xml.matches("<testsuite ").count(), 1);
    }
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_file_that_fails_after_the_run_is_an_internal_error() {
    if Path::new("/dev/full").exists() {
        let bench = passing();
        let output = run(bench.command().args(["--metrics", "/dev/full"]), 4);
        let error = text(&output.stderr);
        assert!(error.contains("WARNING: cannot write /dev/full"), "{error}");
    }
}

#[test]
fn a_job_of_github_gets_annotations_and_a_step_summary() {
    let bench = failing();
    let summary = bench.folder.path().join("summary.md");
    std::fs::write(&summary, "# earlier\n").unwrap();
    let job = |flags: &[&str]| {
        let mut command = bench.command();
        command.args(flags).env("GITHUB_ACTIONS", "true");
        command.env("GITHUB_WORKSPACE", bench.folder.path()).env("GITHUB_STEP_SUMMARY", &summary);
        run(&mut command, 1)
    };
    let output = job(&["--output", "json"]);
    let error = text(&output.stderr);
    let command = "::error file=scenario.toml,line=2,title=FAIL trial · page · errors = 0::";
    assert!(error.lines().any(|line| line.starts_with(command)), "{error}");
    assert!(serde_json::from_slice::<serde_json::Value>(&output.stdout).is_ok());
    let shown = std::fs::read_to_string(&summary).unwrap();
    assert!(shown.starts_with("# earlier\n\n## ❌ FAIL"), "{shown}");
    assert!(!shown.contains("]("), "{shown}");

    let length = shown.len();
    assert!(!text(&job(&["--ci", "none"]).stderr).contains("::error"));
    assert_eq!(std::fs::read_to_string(&summary).unwrap().len(), length);
    for line in text(&job(&["--log-format", "pino"]).stderr).lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn a_full_step_summary_takes_no_more_than_github_shows() {
    let bench = failing();
    let summary = bench.folder.path().join("summary.md");
    for used in [(1 << 20) - 700, 1 << 20, 2 << 20] {
        std::fs::write(&summary, "x".repeat(used)).unwrap();
        let mut command = bench.command();
        let output = run(command.args(["--ci", "github"]).env("GITHUB_STEP_SUMMARY", &summary), 1);
        let length = std::fs::metadata(&summary).unwrap().len();
        assert!(length <= (1 << 20).max(used as u64), "{length}");
        let is_full = text(&output.stderr).contains("WARNING: no step summary");
        assert_eq!(is_full, length == used as u64, "{used} {length}");
    }
}

/// The runner takes `##[name]` anywhere in a line for a command.
#[test]
fn a_text_that_looks_like_a_command_is_none_in_a_job_of_github() {
    let rest = "[[request]]\nname = \"##[add-mask]pass\"\npath = \"/\"\n\
                [request.expect]\nstatus = 404\n";
    let bench = Bench::new(&recording_server().0, "budgets = [\"errors = 0\"]", rest);
    for output in ["text", "json"] {
        let mut command = bench.command();
        let output = run(command.args(["--output", output]).env("GITHUB_ACTIONS", "true"), 1);
        let shown = text(&output.stderr) + &text(&output.stdout);
        assert!(shown.contains("## [add-mask]pass"), "{shown}");
        let mut lines = shown.lines().filter(|line| !line.starts_with("::error "));
        assert!(lines.all(|line| !line.contains("##[")), "{shown}");
    }
}

/// The variables of a job for a pull request on a fake code host.
fn comment_on(bench: &Bench, host: &FakeCodeHost, flags: &[&str], code: i32) -> String {
    let mut command = bench.command();
    command.args(["--comment"]).args(flags).envs([
        ("GITHUB_REPOSITORY", "shop/app"),
        ("GITHUB_REF", "refs/pull/7/merge"),
        ("GITHUB_TOKEN", "Zebra-7f3a9c51"),
        ("GITHUB_API_URL", host.url.as_str()),
    ]);
    text(&run(&mut command, code).stderr)
}

#[test]
fn a_comment_is_added_once_and_then_updated_in_place() {
    let host = FakeCodeHost::start(200);
    host.add_comments(230);
    let bench = failing();
    assert!(comment_on(&bench, &host, &[], 1).contains("Added a comment on shop/app#7"));
    assert!(comment_on(&bench, &host, &[], 1).contains("Updated a comment on shop/app#7"));
    assert!(comment_on(&bench, &host, &["--comment-name", "b -->"], 1).contains("Added"));
    let comments = host.comments();
    assert_eq!(comments.len(), 232);
    assert!(comments[230].starts_with("<!-- tollgate trial -->\n## ❌ FAIL"), "{}", comments[230]);
    assert!(comments[231].starts_with("<!-- tollgate b%20%2D%2D%3E -->\n"), "{}", comments[231]);
    let requests = host.requests();
    assert!(requests.iter().all(|request| request.contains("authorization: Bearer Zebra-")));
    let patched = "PATCH /repos/shop/app/issues/comments/231 ";
    assert_eq!(requests.iter().filter(|request| request.starts_with(patched)).count(), 1);
}

#[test]
fn a_merge_request_gets_a_note_that_is_updated_in_place() {
    let host = FakeCodeHost::start(200);
    let bench = passing();
    for done in ["Added a comment on shop/app!7", "Updated a comment on shop/app!7"] {
        let mut command = bench.command();
        command.arg("--comment").envs([
            ("GITLAB_CI", "true"),
            ("CI_API_V4_URL", host.url.as_str()),
            ("CI_PROJECT_ID", "42"),
            ("CI_PROJECT_PATH", "shop/app"),
            ("CI_MERGE_REQUEST_IID", "7"),
            ("GITLAB_TOKEN", "Zebra-7f3a9c51"),
        ]);
        assert!(text(&run(&mut command, 0).stderr).contains(done));
    }
    assert_eq!(host.comments().len(), 1);
    let requests = host.requests();
    assert!(requests.iter().all(|request| request.contains("private-token: Zebra-7f3a9c51")));
    let put = "PUT /projects/42/merge_requests/7/notes/1 ";
    assert_eq!(requests.iter().filter(|request| request.starts_with(put)).count(), 1);
}

#[test]
fn a_comment_that_is_refused_changes_no_verdict() {
    for (status, why) in
        [(403, "refuses it (403)"), (401, "(401)"), (404, "(404)"), (500, "answered 500")]
    {
        let host = FakeCodeHost::start(status);
        let error = comment_on(&passing(), &host, &[], 0);
        assert!(error.contains("WARNING: no comment on shop/app#7: ") && error.contains(why));
        assert!(error.contains("The verdict stands"), "{error}");
    }
}

#[test]
fn without_a_pull_request_there_is_no_comment_and_without_its_variables_no_run() {
    let host = FakeCodeHost::start(200);
    let bench = passing();
    let mut command = bench.command();
    command.arg("--comment").env("GITHUB_REPOSITORY", "shop/app").env("GITHUB_REF", "refs/heads/a");
    command.env("GITHUB_TOKEN", "Zebra-7f3a9c51").env("GITHUB_API_URL", &host.url);
    assert!(text(&run(&mut command, 0).stderr).contains("No comment"));
    assert!(host.requests().is_empty());
    let error = text(&run(bench.command().arg("--comment"), 2).stderr);
    assert!(error.contains("GITHUB_REPOSITORY") && error.contains("GITHUB_TOKEN"), "{error}");
    let error = text(&run(bench.command().args(["--comment-name", "a"]), 2).stderr);
    assert!(error.contains("--comment-name needs --comment"), "{error}");
}

#[test]
fn a_collector_that_fails_changes_no_verdict_and_a_wrong_url_stops_the_run() {
    let bench = passing();
    let error = text(&run(bench.command().args(["--otlp", "http://127.0.0.1:1"]), 0).stderr);
    assert!(error.contains("WARNING: metrics not sent to http://127.0.0.1:1/v1/metrics: "));
    let moved = FakeCodeHost::start(301);
    let error = text(&run(bench.command().args(["--otlp", &moved.url]), 0).stderr);
    assert!(error.contains("it redirects to "), "{error}");
    let host = FakeCodeHost::start(415);
    let error = text(&run(bench.command().args(["--otlp", &host.url]), 0).stderr);
    assert!(error.contains("takes no protobuf over HTTP (415)"), "{error}");
    for url in ["localhost:4318", "http://u:Zebra@127.0.0.1:1", "http://127.0.0.1:1/?k=Zebra"] {
        let error = text(&run(bench.command().args(["--otlp", url]), 2).stderr);
        assert!(error.contains("error: --otlp ") && !error.contains("Zebra"), "{error}");
    }
}
