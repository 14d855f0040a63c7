//! Sessions that come to their end.

use serde_json::Value;

use super::bench::{
    AS_IT_IS, FAST, LARGER, ONE, SCENARIO, TOKEN, TWO, TuneBench, assert_exit, files_below,
};
use crate::bench::{Target, text, tollgate, words};

const TWO_ROUNDS: &str = "app = \"rehearsal\"\ncold = \"stop\"\nrounds = 2\nseed = 7\n";

fn attempts(record: &Value) -> &Vec<Value> {
    record["attempts"].as_array().unwrap()
}

fn length(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

#[test]
fn a_whole_session_records_every_step_and_leaves_the_machines_as_they_were() {
    let bench = TuneBench::new(FAST, ONE, &(AS_IT_IS.to_owned() + LARGER));
    bench.plan(TWO_ROUNDS, &(AS_IT_IS.to_owned() + LARGER));
    let before = bench.machines();
    let output = bench.run(&["--allow-downtime"]);
    assert_exit(&output, 0);
    assert_eq!(bench.machines(), before);
    let record = bench.record();
    assert_eq!(record["ending"]["ended"], "complete");
    assert_eq!(attempts(&record).len(), 4);
    for attempt in attempts(&record) {
        let memory = if attempt["configuration"] == 0 { 1024 } else { 2048 };
        assert_eq!(attempt["machines_before"][0]["memory_mb"], memory, "{attempt}");
        assert_eq!(attempt["machines_after"][0]["state"], "started", "{attempt}");
        assert_eq!((&attempt["start"], &attempt["problem"]), (&"booted".into(), &Value::Null));
        assert!(length(&attempt["first"]) >= 1 && length(&attempt["curve"]) >= 15, "{attempt}");
        assert!(attempt["steady"]["exchanges"].as_u64() >= Some(10), "{}", attempt["steady"]);
        assert_eq!(attempt["quota"]["known"], "known", "{}", attempt["quota"]);
    }
    let conclusion = &record["conclusion"];
    assert_eq!(conclusion["configurations"][1]["restarts"], 2);
    assert!(length(&conclusion["headline"]) >= 1, "{conclusion}");
    let folder = bench.session_folder();
    assert!(folder.join("session.html").exists() && !folder.join("restore.json").exists());
    assert_eq!(std::fs::read_dir(bench.path("runs")).unwrap().count(), 4);
    let again = bench.restore();
    assert_exit(&again, 0);
    assert!(words(&again.stdout).contains("Nothing to restore"));
}

#[test]
fn a_pinned_machine_is_used_and_the_other_one_is_left_alone() {
    let bench = TuneBench::new(FAST, "[[machine]]\ncount = 2\n", LARGER);
    let (first, second) = (bench.machine_id(0), bench.machine_id(1));
    let before = (bench.machines(), bench.api("GET", &format!("/{first}"), ""));
    // The other machine runs, so that the app stays up.
    assert_exit(&bench.run(&["--machine", &second]), 0);
    assert_eq!(bench.machines(), before.0);
    assert_eq!(bench.api("GET", &format!("/{first}"), ""), before.1, "no event, no version");
    let record = bench.record();
    let attempt = &attempts(&record)[0];
    assert_eq!((&attempt["machine"], &attempt["start"]), (&second.into(), &"booted".into()));
    assert_eq!(length(&attempt["machines_before"]), 1);
}

#[test]
fn an_api_that_fails_now_and_then_and_waits_slowly_does_not_end_a_session() {
    let faults = "error_rate = \"20%\"\nslow_wait = \"5s\"\n";
    let bench = TuneBench::with_faults(FAST, &format!("seed = 3\n{ONE}"), LARGER, faults);
    let memory = |bench: &TuneBench| bench.record()["attempts"][0]["machines_before"].clone();
    let output = bench.run(&["--allow-downtime"]);
    assert_exit(&output, 0);
    assert_eq!(memory(&bench)[0]["memory_mb"], 2048);
    assert!(!bench.session_folder().join("restore.json").exists());
}

#[test]
fn the_token_is_in_no_file_and_in_no_output() {
    // The command echoes what it is given, as a careless tool does.
    let leaking = format!("[[configuration]]\nname = \"c\"\ncommand = [\"echo\", \"{TOKEN}\"]\n");
    let bench = TuneBench::new(FAST, ONE, &leaking);
    let output = bench.run(&["--allow-downtime", "--log-format", "pino"]);
    assert_exit(&output, 0);
    assert!(!text(&output.stdout).contains(TOKEN));
    let own_output = |line: &&str| line.starts_with('{');
    let stderr = text(&output.stderr);
    assert!(!stderr.lines().filter(own_output).any(|line| line.contains(TOKEN)), "{stderr}");
    for root in ["sessions", "runs"] {
        for file in files_below(&bench.path(root)) {
            let bytes = std::fs::read(&file).unwrap();
            assert!(!text(&bytes).contains(TOKEN), "{}", file.display());
        }
    }
}

#[test]
fn without_an_app_a_session_needs_no_fly_at_all() {
    let target = Target::start(&["--mock-latency", "constant:1ms"]);
    let bench = TuneBench::new(FAST, ONE, "");
    bench.plan("cold = \"none\"\nrounds = 1\n", "");
    let mut command = tollgate();
    command.arg("tune").arg(bench.path("tune.toml")).env("TOLLGATE_TARGET", &target.base_url);
    command.arg("--sessions-dir").arg(bench.path("sessions"));
    command.arg("--runs-dir").arg(bench.path("runs"));
    assert_exit(&command.output().unwrap(), 0);
    let record = bench.record();
    let attempt = &attempts(&record)[0];
    assert_eq!((&attempt["quota"]["known"], length(&attempt["first"])), (&"not_known".into(), 1));
}

#[test]
fn a_command_that_fails_is_reported_and_the_session_goes_on() {
    let failing = "[[configuration]]\nname = \"refused\"\ncommand = [\"false\"]\n\
                   [[configuration]]\nname = \"absent\"\ncommand = [\"no-such-program\"]\n";
    let bench = TuneBench::new(FAST, ONE, &(AS_IT_IS.to_owned() + failing));
    let before = bench.machines();
    let output = bench.run(&["--allow-downtime"]);
    assert_exit(&output, 3);
    let said = words(&output.stderr);
    assert!(said.contains("no result: `false` failed"), "{said}");
    assert!(said.contains("`no-such-program` cannot be started"), "{said}");
    let record = bench.record();
    let results = attempts(&record).iter().filter(|one| one["problem"].is_null());
    assert_eq!((attempts(&record).len(), results.count()), (3, 1));
    assert_eq!(bench.machines(), before);
}

#[test]
fn every_attempt_gets_an_entry_in_the_evidence_with_or_without_a_result() {
    let failing = "[[configuration]]\nname = \"refused\"\ncommand = [\"false\"]\n";
    let bench = TuneBench::new(FAST, ONE, &(AS_IT_IS.to_owned() + failing));
    let log = bench.path("log.md");
    let note = ["--evidence-note", "night shift"];
    let output =
        bench.session(&["--allow-downtime"]).arg("--evidence").arg(&log).args(note).output();
    assert_exit(&output.unwrap(), 3);
    let log = std::fs::read_to_string(log).unwrap();
    let entries: Vec<&str> = log.split("## [").skip(1).collect();
    assert_eq!(entries.len(), attempts(&bench.record()).len(), "{log}");
    for attempt in attempts(&bench.record()) {
        let index = attempt["configuration"].as_u64();
        let (name, outcome) =
            [("as it is", "completed: first answer"), ("refused", "not completed: ")]
                [usize::try_from(index.unwrap()).unwrap()];
        let heading = format!("t, attempt {}: {name}\n", attempt["number"]);
        let entry = entries.iter().find(|entry| entry.contains(&heading));
        let entry = entry.unwrap_or_else(|| panic!("no {heading} in {log}"));
        assert!(entry.contains("- Outcome: ") && entry.contains(outcome), "{entry}");
        assert!(entry.contains("night shift"), "{entry}");
    }
}

#[test]
fn a_setup_that_fails_leaves_no_result_and_the_machines_are_restored() {
    let bench = TuneBench::new(FAST, ONE, LARGER);
    let setup = "[[setup]]\nname = \"log in\"\npath = \"/none\"\n";
    bench.write("scenario.toml", &(SCENARIO.to_owned() + setup));
    let before = bench.machines();
    let output = bench.run(&["--allow-downtime", "--first-limit", "500ms"]);
    assert_exit(&output, 3);
    let said = words(&output.stderr);
    assert!(said.contains("no result: a step of [[setup]] failed"), "{said}");
    let printed = words(&output.stdout);
    assert!(printed.contains("No attempt was completed"), "{printed}");
    let record = bench.record();
    assert_eq!(
        (length(&attempts(&record)[0]["curve"]), &record["ending"]["ended"]),
        (0, &"complete".into())
    );
    assert_eq!(bench.machines(), before);
    assert!(!bench.path("runs").exists());
}

#[test]
fn a_configuration_that_the_quota_holds_back_is_named() {
    let heavy = "[[configuration]]\nname = \"heavy\"\nmachine = { env = { HEAVY = \"1\" } }\n";
    let tables = "[[machine]]\nbalance = \"300ms\"\n\
                  [[effect]]\nenv = { HEAVY = \"1\" }\nrequest_cpu = \"200ms\"\n";
    let bench = TuneBench::new(FAST, tables, &(AS_IT_IS.to_owned() + heavy));
    let output = bench.run(&["--allow-downtime"]);
    assert_exit(&output, 0);
    let record = bench.record();
    let throttle = |index: usize| &record["conclusion"]["configurations"][index]["throttle"];
    assert_eq!(throttle(1)["quota"], "throttled", "{}", throttle(1));
    assert_eq!(throttle(1)["attempts"], 1);
    let printed = words(&output.stdout);
    assert!(printed.contains("throttled in 1 of 1"), "{printed}");
}

#[test]
fn suspended_and_stopped_machines_are_suspended_and_stopped_again() {
    let machines = format!("{TWO}[[machine]]\nstate = \"stopped\"\n");
    let bench = TuneBench::new(FAST, &machines, LARGER);
    let before = bench.machines();
    assert_exit(&bench.run(&["--allow-downtime"]), 0);
    assert_eq!(bench.machines(), before);
}
