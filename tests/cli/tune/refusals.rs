//! What a session refuses before it changes anything.

use super::bench::{AS_IT_IS, FAST, LARGER, ONE, TuneBench, assert_exit};
use crate::bench::words;

fn bench() -> TuneBench {
    TuneBench::new(FAST, ONE, LARGER)
}

#[test]
fn the_app_must_be_named_twice_and_be_the_same() {
    let bench = bench();
    let unnamed = bench.refused(&mut bench.session_of(&["--allow-downtime"]));
    assert!(unnamed.contains("add `--app rehearsal` to allow it"), "{unnamed}");
    let other = bench.refused(&mut bench.session_of(&["--app", "other"]));
    assert!(other.contains("the plan file is for app `rehearsal`"), "{other}");
    bench.plan("cold = \"none\"\n", "");
    let unplanned = bench.refused(&mut bench.session(&[]));
    assert!(unplanned.contains("add `app = \"rehearsal\"` to it"), "{unplanned}");
}

#[test]
fn the_last_running_machine_is_not_stopped_unasked() {
    let bench = TuneBench::new(FAST, "[[machine]]\n[[machine]]\nstate = \"stopped\"\n", AS_IT_IS);
    let first = bench.machine_id(0);
    for flags in [&[][..], &["--machine", &first]] {
        let refused = bench.refused(&mut bench.session(flags));
        assert!(refused.contains("is the only one that runs"), "{refused}");
        assert!(refused.contains("--allow-downtime"), "{refused}");
    }
    let absent = bench.refused(&mut bench.session(&["--machine", "0123456789abcd"]));
    assert!(absent.contains("has no machine 0123456789abcd; it has"), "{absent}");
}

#[test]
fn an_answer_of_another_app_is_no_result() {
    let (bench, other) = (bench(), bench());
    let mut command = bench.session(&["--allow-downtime", "--rounds", "1"]);
    let output = command.env("TOLLGATE_TARGET", &other.target.base_url).output().unwrap();
    let said = words(&output.stderr);
    assert_exit(&output, 3);
    assert!(said.contains("while no machine of app `rehearsal` ran"), "{said}");
    assert!(
        said.contains("is the target (often TOLLGATE_TARGET) the address of another"),
        "{said}"
    );
}

#[test]
fn a_token_that_is_wrong_or_absent_is_a_usage_error() {
    let bench = bench();
    let mut command = bench.session(&["--allow-downtime"]);
    let wrong = bench.refused(command.env("FLY_API_TOKEN", "another-token"));
    assert!(wrong.contains("FLY_API_TOKEN") && !wrong.contains("another-token"), "{wrong}");
    let absent = bench.refused(command.env_remove("FLY_API_TOKEN"));
    assert!(absent.contains("FLY_API_TOKEN is not set"), "{absent}");
}

#[test]
fn a_folder_that_cannot_be_written_is_found_before_the_first_change() {
    let bench = bench();
    let before = bench.api("GET", "", "");
    std::fs::write(bench.path("sessions"), "a file, not a folder").unwrap();
    let output = bench.run(&["--allow-downtime"]);
    let said = words(&output.stderr);
    assert!(matches!(output.status.code(), Some(2 | 4)), "{said}");
    assert!(said.contains("sessions") && said.contains("not a directory"), "{said}");
    assert_eq!(bench.api("GET", "", ""), before);
}

#[test]
fn a_machine_whose_lease_somebody_else_holds_is_not_changed() {
    let bench = bench();
    let lease = "{\"ttl\": 600, \"description\": \"deploy\"}";
    bench.api("POST", &format!("/{}/lease", bench.machine_id(0)), lease);
    let before = bench.machines();
    let output = bench.run(&["--allow-downtime"]);
    assert_exit(&output, 3);
    let said = words(&output.stderr);
    assert!(said.contains("holds the machine's lease until"), "{said}");
    assert_eq!(bench.machines(), before);
    assert!(!bench.session_folder().join("restore.json").exists());
}

#[test]
fn drift_of_an_app_without_machines_is_a_difference_that_names_the_app() {
    let bench = bench();
    bench.api("DELETE", &format!("/{}?force=true", bench.machine_id(0)), "");
    bench.write("fly.toml", "app = \"rehearsal\"\n[[vm]]\nmemory = \"1gb\"\n");
    let mut command = bench.tune_anywhere(&["drift", "--app", "rehearsal"]);
    let output = command.arg(bench.path("fly.toml")).output().unwrap();
    assert_exit(&output, 1);
    let printed = words(&output.stdout);
    assert!(printed.contains("of rehearsal"), "{printed}");
}

#[test]
fn a_session_goes_on_only_with_the_plan_that_it_began_with() {
    let bench = bench();
    assert_exit(&bench.run(&["--allow-downtime"]), 0);
    let plan = |top: &str| format!("app = \"rehearsal\"\ncold = \"stop\"\n{top}");
    let resume = ["--allow-downtime", "--resume", "latest"];
    for (top, configurations, difference) in [
        ("rounds = 1\nseed = 8\n", LARGER, "the seed was `0` and is `8`"),
        ("rounds = 1\n", AS_IT_IS, "the list of configurations was"),
    ] {
        bench.plan(&plan(top), configurations);
        let refused = bench.refused(&mut bench.session(&resume));
        assert!(refused.contains(difference), "{refused}");
        assert!(refused.contains("leave out --resume to begin a new session"), "{refused}");
    }
}
