//! Reads every output with the parsers of other projects. `test.sh` installs them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::code_host::FakeCodeHost;
use super::run;
use crate::bench::{Bench, PLAIN, Target, recording_server, text};

/// A file of this folder.
fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/outputs").join(name)
}

/// What `read_outputs.py` finds in a file; `None` if the parsers are not installed.
fn read_output(kind: &str, files: &[&Path]) -> Option<Value> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/parsers/bin/python");
    if !python.exists() {
        return None;
    }
    let output =
        Command::new(python).arg(beside("read_outputs.py")).arg(kind).args(files).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// A run whose names need every kind of escape.
#[test]
fn other_projects_parsers_read_every_output() {
    let target = Target::start(&[]);
    let name = r#"name = "a \"b\" <c> & \\d 100 %""#;
    let bench = Bench::new(&target.base_url, "budgets = [\"p90 < 1s\", \"max < 1us\"]", PLAIN);
    let scenario = std::fs::read_to_string(&bench.scenario).unwrap();
    std::fs::write(&bench.scenario, scenario.replacen("name = \"trial\"", name, 1)).unwrap();
    let [junit, metrics] = ["j.xml", "m.prom"].map(|name| bench.folder.path().join(name));
    let collector = FakeCodeHost::start(200);
    let mut command = bench.command();
    command
        .arg("--junit")
        .arg(&junit)
        .arg("--metrics")
        .arg(&metrics)
        .args(["--otlp", &collector.url]);
    run(&mut command, 1);
    let message = bench.folder.path().join("otlp.bin");
    std::fs::write(&message, &collector.bodies()[0]).unwrap();

    let schema = beside("junit.xsd");
    let Some(cases) = read_output("junit", &[&schema, &junit]) else { return };
    let failed = |case: &&Value| case[1] == "max < 1us" && case[2][0] == "failure";
    assert!(cases.as_array().unwrap().iter().any(|case| failed(&case)), "{cases}");

    let samples = read_output("metrics", &[&metrics]).unwrap();
    let ok = |sample: &&Value| {
        sample[0] == "tollgate_exchanges"
            && sample[1]["scenario"] == "a \"b\" <c> & \\d 100 %"
            && sample[2] == 100.0
    };
    assert!(samples.as_array().unwrap().iter().any(|sample| ok(&sample)), "{samples}");

    let request = read_output("otlp", &[&message]).unwrap();
    let metrics = &request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
    let named = |metric: &&Value| metric["name"] == "tollgate.duration";
    let duration = metrics.as_array().unwrap().iter().find(named).unwrap();
    assert_eq!(duration["unit"], "s");
    assert!(!duration["exponentialHistogram"]["dataPoints"].as_array().unwrap().is_empty());
}

/// A run that never reached its target has no histogram to speak of.
#[test]
fn other_projects_parsers_read_a_run_without_data() {
    let (server, _) = recording_server();
    let rest = "[[setup]]\nname = \"login\"\npath = \"/\"\nexpect = { status = 404 }\n\
                [[request]]\nname = \"page\"\npath = \"/\"\n";
    let bench = Bench::new(&server, "budgets = [\"p90 < 1s\"]", rest);
    let [junit, metrics] = ["j.xml", "m.prom"].map(|name| bench.folder.path().join(name));
    run(bench.command().arg("--junit").arg(&junit).arg("--metrics").arg(&metrics), 1);
    let schema = beside("junit.xsd");
    let Some(cases) = read_output("junit", &[&schema, &junit]) else { return };
    let setup = |case: &&Value| case[1] == "setup" && case[2][0] == "failure";
    assert!(cases.as_array().unwrap().iter().any(|case| setup(&case)), "{cases}");
    read_output("metrics", &[&metrics]).unwrap();
}
