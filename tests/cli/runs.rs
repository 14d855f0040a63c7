//! `tollgate run FILE`, `check` and `show`: verdicts, folders, signals.

use std::process::{Command, Stdio};

use tollgate::record::{Decision, RunEnding, RunRecord};

use crate::bench::{
    Bench, PLAIN, Target, signal, text, tollgate, tollgate_with_reports, wait_for_intervals, words,
};
use crate::closed_port::ClosedPort;

#[test]
fn a_target_within_its_budget_passes_and_the_run_is_written() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN).with_reports();
    let output = bench.run();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("PASS"), "{}", text(&output.stdout));
    for file in ["run.json", "intervals.jsonl", "intervals.hlog", "report.html", "report.md"] {
        assert!(bench.run_folder().join(file).metadata().unwrap().len() > 0, "{file}");
    }
    assert!(!bench.run_folder().join("run.partial.json").exists());
    let record = bench.record();
    assert_eq!(record.measurement.ending, RunEnding::Complete);
    assert_eq!(record.measurement.scenarios[0].requests[0].measured.tally.ok, 100);
}

#[test]
fn too_few_requests_are_inconclusive() {
    let target = Target::start(&[]);
    let rest = PLAIN.replace("100/s", "20/s");
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", &rest);
    let output = bench.run();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("INCONCLUSIVE"));
}

#[test]
fn a_slow_target_fails() {
    let target = Target::start(&["--mock-latency", "constant:60ms"]);
    let rest = PLAIN.replace("/plain", "/app?mock=1");
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 50ms\"]", &rest);
    let output = bench.run();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("FAIL"));
}

#[test]
fn a_comparison_is_advised_from_the_second_run_on_and_its_command_works() {
    let target = Target::start(&["--mock-latency", "constant:60ms"]);
    let rest = PLAIN.replace("/plain", "/app?mock=1");
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 50ms\"]", &rest);
    let first = words(&bench.run().stdout);
    assert!(!first.contains("tollgate compare"), "{first}");
    assert!(first.contains("the target itself reports "), "{first}");
    let second = words(&bench.run().stdout);
    let (_, command) = second.split_once("`tollgate compare ").unwrap();
    let (arguments, _) = command.split_once('`').unwrap();
    let compared = tollgate().arg("compare").args(arguments.split(' ')).output().unwrap();
    assert_eq!(compared.status.code(), Some(0), "{arguments}: {}", text(&compared.stderr));
}

#[test]
fn a_live_page_behind_a_login_is_reported_as_exactly_that() {
    let target = Target::start(&["--auth", "today"]);
    let rest = PLAIN.replace("/plain", "/app?mock=0");
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", &rest);
    let output = bench.run();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("302 redirect to /auth/login"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn a_target_that_is_down_fails_and_the_run_stops_early() {
    let closed = ClosedPort::new();
    let rest = PLAIN.replace("\"1s\"", "\"300s\"");
    let bench = Bench::new(&format!("http://{closed}"), "budgets = [\"p95 < 1s\"]", &rest);
    let output = bench.run();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let expected = format!("connection refused in connect, {closed}: ");
    assert!(words(&output.stdout).contains(&expected), "{}", text(&output.stdout));
    assert!(matches!(bench.record().measurement.ending, RunEnding::TargetDown(_)));
}

#[test]
fn a_wrong_scenario_is_refused_with_its_location_and_nothing_is_written() {
    let bench = Bench::new("http://127.0.0.1:1", "budgets = [\"p999 < 1s\"]", PLAIN);
    let output = bench.run();
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("scenario.toml:2:") && message.contains("p99.9"), "{message}");
    assert!(!bench.runs().exists());
}

#[test]
fn a_missing_variable_is_an_error_on_run_and_a_warning_on_check() {
    let bench = Bench::new("${TOLLGATE_TARGET}", "budgets = [\"p95 < 1s\"]", PLAIN);
    let run = bench.run();
    assert_eq!(run.status.code(), Some(2));
    assert!(text(&run.stderr).contains("TOLLGATE_TARGET"), "{}", text(&run.stderr));
    let check = tollgate().arg("check").arg(&bench.scenario).output().unwrap();
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stderr));
    assert!(text(&check.stderr).contains("TOLLGATE_TARGET"));
}

#[test]
fn json_output_is_the_run_record_alone() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN);
    let output = bench.command().args(["--output", "json"]).output().unwrap();
    let record: RunRecord = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record, bench.record());
    assert_eq!(record.verdict.decision, Decision::Pass);
    assert!(text(&output.stderr).contains("PASS"));
}

#[test]
fn results_that_cannot_be_written_end_with_4_before_anything_is_sent() {
    let bench = Bench::new("http://127.0.0.1:1", "budgets = [\"p95 < 1s\"]", PLAIN);
    std::fs::write(bench.runs(), "a file where a folder should be").unwrap();
    let output = bench.run();
    assert_eq!(output.status.code(), Some(4));
    let error = text(&output.stderr);
    assert!(error.contains("cannot write"), "{error}");
    assert!(error.contains("nothing was sent; name a writable folder with --runs-dir"), "{error}");
}

#[test]
fn results_that_cannot_be_printed_end_with_4_but_are_written() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN);
    let full = std::fs::File::options().write(true).open("/dev/full");
    let Ok(full) = full else { return };
    let status = bench
        .command()
        .args(["--output", "json"])
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(4));
    assert_eq!(bench.record().verdict.decision, Decision::Pass);
}

#[test]
fn heavy_load_on_a_foreign_host_needs_a_flag() {
    let closed = PLAIN.replace("arrival_rate = \"100/s\"\n", "");
    let warm = format!("{PLAIN}[warmup]\nconnections = 4\nrequests = 101\n");
    let tried = PLAIN.replace("/plain\"\n", "/plain\"\nretry = { times = 100, after = \"0s\" }\n");
    let polled =
        PLAIN.replace("/plain\"\n", "/plain\"\npoll = { every = \"10ms\", within = \"1s\" }\n");
    for rest in [&PLAIN.replace("100/s", "101/s"), &closed, &warm, &tried, &polled] {
        let bench = Bench::new("http://192.0.2.1", "budgets = [\"p95 < 1s\"]", rest);
        let output = bench.run();
        assert_eq!(output.status.code(), Some(2), "{rest}");
        assert!(text(&output.stderr).contains("--yes-load-this-host"), "{}", text(&output.stderr));
        assert!(!bench.runs().exists());
    }
}

#[test]
fn too_few_file_descriptors_are_reported_before_the_run_and_not_blamed_on_the_target() {
    let rest = PLAIN.replace("connections = 4", "connections = 200");
    let bench = Bench::new("http://127.0.0.1:1", "budgets = [\"p95 < 1s\"]", &rest);
    let limited = format!(
        "ulimit -n 100 && exec {} run {}",
        env!("CARGO_BIN_EXE_tollgate"),
        bench.scenario.display()
    );
    let output = Command::new("sh").args(["-c", &limited]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("ulimit -n 264"), "{}", text(&output.stderr));
}

#[cfg(target_os = "linux")]
#[test]
fn a_possible_lack_of_ports_is_reported_with_its_remedy_before_anything_is_sent() {
    let rest = PLAIN.replace("100/s", "70000/s").replace("\"1s\"", "\"2m\"");
    let rest = rest.replace("connections = 4", "connections = \"fresh\"");
    let bench = Bench::new("http://192.0.2.1", "budgets = [\"p95 < 1s\"]", &rest);
    let output = bench.run();
    // So much load on a foreign host is refused, so nothing was sent.
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let message = text(&output.stderr);
    assert!(message.contains("connections to 192.0.2.1:80 are closed within"), "{message}");
    assert!(message.contains("net.ipv4.ip_local_port_range"), "{message}");
}

#[test]
fn sigterm_drains_the_run_writes_its_results_and_is_inconclusive() {
    let target = Target::start(&[]);
    let rest = PLAIN.replace("\"1s\"", "\"60s\"");
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", &rest);
    let child = bench.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_intervals(&bench, 2);
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    let record = bench.record();
    assert_eq!(record.measurement.ending, RunEnding::Interrupted);
    let scenario = &record.measurement.scenarios[0];
    assert_eq!(scenario.requests[0].measured.tally.ok, scenario.released);
}

#[test]
fn a_killed_run_is_recovered_from_the_intervals_it_wrote() {
    let target = Target::start(&[]);
    let rest = PLAIN.replace("\"1s\"", "\"60s\"");
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", &rest);
    let mut child = bench.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_intervals(&bench, 2);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(bench.run_folder().join("run.partial.json").exists());

    let show = tollgate_with_reports().arg("show").arg(bench.run_folder()).output().unwrap();
    assert_eq!(show.status.code(), Some(3), "{}", text(&show.stderr));
    assert!(text(&show.stderr).contains("was interrupted"));
    assert!(bench.run_folder().join("report.html").exists());
    let record = bench.record();
    assert_eq!(record.measurement.ending, RunEnding::Recovered);
    assert!(record.verdict.rule.starts_with("blocks of time"), "{}", record.verdict.rule);
    assert!(record.measurement.scenarios[0].requests[0].measured.tally.ok >= 100);
}

#[test]
fn a_run_is_shown_again_with_the_same_figures() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN).with_reports();
    let run = bench.run();
    let before = std::fs::read_to_string(bench.run_folder().join("report.html")).unwrap();
    let show = tollgate_with_reports().arg("show").arg(bench.run_folder()).output().unwrap();
    assert_eq!(show.status.code(), Some(0));
    assert_eq!(text(&show.stdout), text(&run.stdout));
    assert_eq!(std::fs::read_to_string(bench.run_folder().join("report.html")).unwrap(), before);
}

#[test]
fn a_run_has_the_reports_that_were_asked_for_and_names_no_other() {
    const DATA: [&str; 3] = ["run.json", "intervals.jsonl", "intervals.hlog"];
    let target = Target::start(&[]);
    for (selected, reports) in [("none", &[][..]), ("html", &["report.html"])] {
        let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN);
        let log = bench.folder.path().join("log.md");
        let mut command = bench.command();
        command.args(["--report", selected, "--evidence"]).arg(&log);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let mut expected = [reports, &DATA].concat();
        let printed = words(&output.stdout);
        assert!(printed.ends_with(&format!("/ {}", expected.join(" "))), "{printed}");
        let entry = std::fs::read_to_string(&log).unwrap();
        assert!(!entry.contains("cannot be read"), "{entry}");
        assert_eq!(entry.matches("report.").count(), reports.len(), "{entry}");
        expected.sort_unstable();
        assert_eq!(files(&bench), expected);

        let show = tollgate().arg("show").arg(bench.run_folder()).output().unwrap();
        assert!(!text(&show.stdout).contains("Wrote"), "{}", text(&show.stdout));
        assert_eq!(files(&bench), expected);
        let show = tollgate_with_reports().arg("show").arg(bench.run_folder()).output().unwrap();
        assert!(text(&show.stdout).contains("report.html  report.md  "), "{}", text(&show.stdout));
        assert!(files(&bench).len() > 6, "{:?}", files(&bench));
    }
}

#[test]
fn a_url_without_a_report_gets_no_advice_to_open_one() {
    let bench = Bench::new("http://127.0.0.1:1", "", "");
    let mut command = tollgate();
    command.args(["run", "http://127.0.0.1:1", "--duration", "50ms", "--runs-dir"]);
    let output = command.arg(bench.runs()).output().unwrap();
    let advice = text(&output.stderr);
    assert!(advice.contains("--print-scenario > ") && !advice.contains("  open "), "{advice}");
}

/// The names of the files in the only run folder, sorted.
fn files(bench: &Bench) -> Vec<String> {
    let files = std::fs::read_dir(bench.run_folder()).unwrap();
    let mut names: Vec<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_run_over_tls_trusts_the_named_certificate_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let target = Target::start(&["--tls", "--tls-ca-out", ca.to_str().unwrap()]);
    let trusting =
        format!("[target]\nbase_url = \"{}\"\ntls_ca = \"{}\"", target.base_url, ca.display());
    let mut bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN);
    let strict = bench.run();
    assert_eq!(strict.status.code(), Some(1), "{}", text(&strict.stdout));
    assert!(text(&strict.stdout).contains("TLS"), "{}", text(&strict.stdout));

    let written = std::fs::read_to_string(&bench.scenario).unwrap();
    let before = format!("[target]\nbase_url = \"{}\"", target.base_url);
    bench.folder = tempfile::tempdir().unwrap();
    bench.scenario = bench.folder.path().join("scenario.toml");
    std::fs::write(&bench.scenario, written.replace(&before, &trusting)).unwrap();
    let trusted = bench.run();
    assert_eq!(
        trusted.status.code(),
        Some(0),
        "{}{}",
        text(&trusted.stdout),
        text(&trusted.stderr)
    );
    let protocols = &bench.record().measurement.scenarios[0].protocols;
    assert_eq!(protocols, &["HTTP/2 over TLS 1.3"]);
}

#[test]
fn server_timings_are_in_the_record_and_the_report_over_both_http_versions() {
    let target = Target::start(&["--mock-latency", "constant:20ms"]);
    for flags in [["--http", "1.1"], ["--http", "2"]] {
        let bench = Bench::new(
            &target.base_url,
            "budgets = [\"p95 < 1s\"]",
            &PLAIN.replace("/plain", "/app?mock=1"),
        );
        let output = bench.command().args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let record = bench.record();
        let measured = &record.measurement.scenarios[0].requests[0].measured;
        let [("app", durations)] = measured.server_timings.iter().collect::<Vec<_>>()[..] else {
            panic!("one metric")
        };
        assert_eq!(durations.count(), 100);
        assert!(
            text(&output.stdout).contains("the target's Server-Timing report"),
            "{}",
            text(&output.stdout)
        );
        assert!(
            (20..1_000).contains(&durations.min().unwrap().as_millis()),
            "{:?}",
            durations.min()
        );
    }
}
