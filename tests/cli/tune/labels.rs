//! What a session's record says about the requests and the machines that answered them.

use serde_json::Value;

use super::bench::{AS_IT_IS, FAST, LARGER, ONE, TWO, TuneBench, assert_exit, files_below};
use crate::bench::words;

/// The label of each request of an attempt.
fn heats(attempt: &Value) -> Vec<&str> {
    let samples = ["first", "curve"].map(|stage| attempt[stage].as_array().unwrap());
    samples.into_iter().flatten().map(|sample| sample["heat"].as_str().unwrap()).collect()
}

#[test]
fn every_request_is_labelled_and_the_machine_that_answered_is_named() {
    let bench = TuneBench::new(FAST, ONE, AS_IT_IS);
    assert_exit(&bench.run(&["--allow-downtime"]), 0);
    let record = bench.record();
    let attempt = &record["attempts"][0];
    let labels = heats(attempt);
    assert!(labels.len() > 10 && labels.iter().all(|label| *label == "cold"), "{labels:?}");
    assert_eq!(attempt["machine"], bench.machine_id(0));
    let shown = bench.tune(&["show", "latest", "--output", "markdown"]).output().unwrap();
    let shown = words(&shown.stdout);
    assert!(shown.contains(&format!("{} cold", labels.len())), "{shown}");
    assert!(shown.contains("ms are the machine's; no size changes the rest"), "{shown}");
}

#[test]
fn with_several_machines_the_one_that_answered_and_the_labels_are_unknown() {
    let bench = TuneBench::new(FAST, TWO, AS_IT_IS);
    assert_exit(&bench.run(&["--allow-downtime"]), 0);
    let record = bench.record();
    let attempt = &record["attempts"][0];
    assert_eq!((&attempt["machine"], &attempt["start"]), (&Value::Null, &"unknown".into()));
    assert!(heats(attempt).iter().all(|label| *label == "unknown"), "{attempt}");
}

/// Writes a script that makes a machine like the app's first one, as `fly machine clone` does.
fn cloning_script(bench: &TuneBench) -> String {
    let (host, port) =
        bench.target.base_url.strip_prefix("http://").unwrap().split_once(':').unwrap();
    let machine = bench.api("GET", &format!("/{}", bench.machine_id(0)), "");
    let body = serde_json::json!({ "config": machine["config"] }).to_string();
    let script = format!(
        "body='{body}'\nexec 3<>/dev/tcp/{host}/{port}\n\
         printf 'POST /v1/apps/rehearsal/machines HTTP/1.1\\r\\nhost: a\\r\\nconnection: close\\r\\n\
         authorization: Bearer %s\\r\\ncontent-length: %s\\r\\n\\r\\n%s' \
         \"$FLY_API_TOKEN\" \"${{#body}}\" \"$body\" >&3\ncat <&3 >/dev/null\n"
    );
    let path = bench.path("clone.sh");
    std::fs::write(&path, script).unwrap();
    format!(
        "[[configuration]]\nname = \"one more\"\ncommand = [\"bash\", \"{}\"]\n",
        path.display()
    )
}

#[test]
fn a_machine_that_a_command_added_is_left_alone_and_named() {
    let bench = TuneBench::new(FAST, ONE, "");
    let cloning = cloning_script(&bench);
    bench.plan("app = \"rehearsal\"\ncold = \"stop\"\nrounds = 1\n", &cloning);
    let output = bench.run(&["--allow-downtime"]);
    assert_exit(&output, 0);
    assert_eq!(bench.machines().len(), 2);
    let added = bench.machine_id(1);
    let record = bench.record();
    assert_eq!(record["added_machines"][0]["id"], added);
    assert_eq!(record["attempts"][0]["machine"], Value::Null, "either may have answered");
    let (said, shown) = (words(&output.stderr), words(&output.stdout));
    let named = format!("machine {added} (ord) was added by the command of `one more`");
    assert!(said.contains(&named), "{said}");
    let remedy = format!("`fly machine destroy --force --app rehearsal {added}` removes it");
    assert!(said.contains(&remedy) && shown.contains(&remedy), "{said}\n{shown}");
}

#[test]
fn a_resumed_session_says_that_it_cannot_see_changes_of_hidden_values() {
    let secret =
        "[[configuration]]\nname = \"debug\"\nmachine = { env = { LEVEL = \"canary-7f3a\" } }\n";
    let bench = TuneBench::new(FAST, ONE, &(LARGER.to_owned() + secret));
    let first = bench.run(&["--allow-downtime"]);
    assert_exit(&first, 0);
    assert!(!words(&first.stderr).contains("does not hold the values"));
    let again = bench.run(&["--allow-downtime", "--resume", "latest"]);
    assert_exit(&again, 0);
    let said = words(&again.stderr);
    assert!(said.contains("does not hold the values of `env`"), "{said}");
    assert!(said.contains("in `debug`; go on only if they are the same"), "{said}");
    for path in files_below(&bench.session_folder()) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("canary-7f3a"), "{}", path.display());
    }
}
