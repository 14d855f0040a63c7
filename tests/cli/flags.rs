//! Usage errors, help, and flags set in the environment.

use crate::bench::{Bench, PLAIN, Target, text, tollgate};

#[test]
fn usage_errors_end_with_2_and_help_with_0() {
    let code = |words: &[&str]| tollgate().args(words).output().unwrap().status.code();
    assert_eq!(code(&["run"]), Some(2));
    assert_eq!(code(&["run", "--no-such-flag", "x"]), Some(2));
    assert_eq!(code(&["run", "no-such-file.toml"]), Some(2));
    assert_eq!(code(&["show", "no-such-folder"]), Some(2));
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["run", "--help"]), Some(0));
}

#[test]
fn without_arguments_the_first_page_of_help_is_printed() {
    let output = tollgate().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let page = text(&output.stderr);
    for word in ["Measure:", "Write scenarios:", "tollgate run https://", "Exit codes:"] {
        assert!(page.contains(word), "{word} in {page}");
    }
}

#[test]
fn a_flag_is_set_in_the_environment_and_the_command_line_outranks_it() {
    let target = Target::start(&[]);
    let url = format!("{}/plain", target.base_url);
    let printed = |variables: &[(&str, &str)], flags: &[&str]| {
        let mut command = tollgate();
        command.args(["run", &url, "--print-scenario"]).args(flags).envs(variables.iter().copied());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let two =
        printed(&[("TOLLGATE_RATE", "7/s"), ("TOLLGATE_BUDGET", "p95 < 1s\nerrors = 0")], &[]);
    assert!(two.contains(r#"arrival_rate = "7/s""#), "{two}");
    assert!(two.contains(r#"budgets = ["p95 < 1s", "errors = 0"]"#), "{two}");
    let typed = printed(&[("TOLLGATE_RATE", "7/s")], &["--rate", "9/s"]);
    assert!(typed.contains(r#"arrival_rate = "9/s""#), "{typed}");
    // An empty variable counts as not set, and so does `0` for a switch. Otherwise `--closed` would
    // conflict with `--rate`.
    let unset = [("TOLLGATE_RATE", ""), ("TOLLGATE_CLOSED", "0"), ("TOLLGATE_DURATION", "")];
    assert_eq!(printed(&unset, &["--rate", "20/s"]), printed(&[], &[]));
    assert!(!printed(&[("TOLLGATE_CLOSED", "1")], &[]).contains("arrival_rate"));
}

#[test]
fn a_wrong_value_of_a_variable_is_reported_with_the_variables_name() {
    let message_of = |words: &[&str], (name, value): (&str, &str)| {
        let output = tollgate().args(words).env(name, value).output().unwrap();
        text(&output.stderr)
    };
    let check = ["synthetic-check", "http://127.0.0.1:1"];
    let samples = message_of(&check, ("TOLLGATE_SYNTHETIC_CHECK_SAMPLES", "x"));
    assert!(samples.contains("the variable `TOLLGATE_SYNTHETIC_CHECK_SAMPLES`"), "{samples}");
    let rate = message_of(&["run", "http://127.0.0.1:1"], ("TOLLGATE_RATE", "7"));
    assert!(rate.contains("the variable `TOLLGATE_RATE`"), "{rate}");
    let typed = message_of(&["run", "http://127.0.0.1:1", "--rate=x"], ("TOLLGATE_RATE", "7/s"));
    assert!(typed.contains("--rate") && !typed.contains("TOLLGATE_RATE`"), "{typed}");
    let hidden = message_of(&["run", "http://127.0.0.1:1"], ("TOLLGATE_HEADER", "canary 7f3a"));
    assert!(
        !hidden.contains("canary") && hidden.contains("the variable `TOLLGATE_HEADER`"),
        "{hidden}"
    );
}

#[test]
fn the_target_has_its_own_variables_and_an_empty_one_counts_as_not_set() {
    let command = |name: &str, value: &str| {
        let mut command = tollgate();
        command.args(["target", "--listen", "192.0.2.1:1"]).env(name, value);
        text(&command.output().unwrap().stderr)
    };
    assert!(command("TOLLGATE_TARGET_STALL", "1s").contains("--every"));
    assert!(command("TOLLGATE_TARGET_STALL", "").contains("--listen-anywhere"));
    assert!(command("TOLLGATE_EVERY", "nonsense").contains("--listen-anywhere"));
}

#[test]
fn a_flag_that_would_change_nothing_is_refused() {
    let bench = Bench::new("http://127.0.0.1:1", "budgets = [\"p95 < 1s\"]", PLAIN);
    for (flags, expected) in [
        (&["--rate", "9/s", "-H", "Accept: a"][..], "--rate, --header belong to URLs"),
        (&["--print-scenario"], "--print-scenario belongs to URLs"),
        (&["--times", "3"], "add --every"),
    ] {
        let output = bench.command().args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
        assert!(!bench.runs().exists());
    }
}

#[test]
fn a_flag_of_another_tool_gets_a_tip_with_the_right_one() {
    for (typed, expected) in
        [("--vus", "--closed --connections"), ("-z", "--duration"), ("-k", "--insecure")]
    {
        let output = tollgate().args(["run", "http://127.0.0.1:1", typed, "8"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{typed}");
        let message = text(&output.stderr);
        assert!(message.contains("tip: write") && message.contains(expected), "{message}");
    }
    let output = tollgate().args(["check", "http://127.0.0.1:1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--print-scenario"), "{}", text(&output.stderr));
}
