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
        (&["--method", "PUT"][..], "--method describes the request to a URL, and none is named"),
        (&["--print-scenario"], "--print-scenario describes the request to a URL"),
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
    for (words, expected) in [
        (&["http://127.0.0.1:1/x"][..], "tip: write `tollgate run http://127.0.0.1:1/x`"),
        (&["shop.toml", "--rate", "9/s"], "tip: write `tollgate run shop.toml`"),
        (&["run", "ws://u:hunter2@h/x"], "opens no WebSockets"),
        (&["run", "http://127.0.0.1:1", "-q", "100"], "--rate 100/s"),
        (&["run", "http://127.0.0.1:1", "--budget", "p(95)<300"], "write `p95 < 300ms`"),
    ] {
        let output = tollgate().args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let message = text(&output.stderr);
        assert!(message.contains(expected) && !message.contains("hunter2"), "{message}");
    }
    let output = tollgate().args(["check", "http://127.0.0.1:1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--print-scenario"), "{}", text(&output.stderr));
}

/// A scenario against a port where nothing listens, which needs no target to be checked.
fn checked(rest: &str, flags: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let base_url = "http://shop.example";
    let bench = Bench::new(base_url, "budgets = [\"p95 < 1s\"]", rest);
    let mut command = tollgate();
    command.arg("check").arg(&bench.scenario).args(flags).envs(variables.iter().copied());
    let output = command.output().unwrap();
    (output.status.code(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

const SLOW: &str = "[[request]]\nname = \"plain\"\npath = \"/plain\"\n\
                    [load]\narrival_rate = \"20/s\"\nduration = \"60s\"\nconnections = 32\n";

#[test]
fn a_flag_or_a_variable_overrides_a_file_and_says_what_it_replaces() {
    for (flags, variables, expected) in [
        (
            &["--rate", "30/s"][..],
            &[][..],
            "`--rate` sets `arrival_rate` to 30/s; the file has 20/s",
        ),
        (
            &[],
            &[("TOLLGATE_RATE", "30/s")],
            "`TOLLGATE_RATE` sets `arrival_rate` to 30/s; the file has 20/s",
        ),
        (
            &[],
            &[("TOLLGATE_BUDGET", "p99 < 1s")],
            "`TOLLGATE_BUDGET` sets the budgets to `p99 < 1s`; the file has `p95 < 1s`",
        ),
        (&["--duration", "90s"], &[], "`--duration` sets `duration` to 1m 30s; the file has 1m"),
    ] {
        let (code, said) = checked(SLOW, flags, variables);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(expected), "{expected} in {said}");
    }
    let (_, said) = checked(SLOW, &["--rate", "30/s"], &[]);
    assert!(said.contains("trial: open, 30/s constant for 1m"), "{said}");
}

#[test]
fn an_override_stands_in_the_record_and_in_the_report() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"errors < 50%\"]", PLAIN).with_reports();
    let other = Bench::new(&target.base_url, "budgets = [\"errors < 60%\"]", PLAIN);
    let second = other.folder.path().join("second.toml");
    let text_of_second = std::fs::read_to_string(&other.scenario).unwrap();
    std::fs::write(&second, text_of_second.replace("\"trial\"", "\"second\"")).unwrap();
    let mut command = bench.command();
    command.arg(&second).args(["--rate", "40/s"]).env("TOLLGATE_BUDGET", "errors = 0");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = [
        "`--rate` sets `arrival_rate` to 40/s; the file has 100/s",
        "`TOLLGATE_BUDGET` sets the budgets to `errors = 0`; the file has `errors < 50%`",
    ];
    let record = bench.record();
    assert_eq!(record.plan[0].caveats, said);
    assert_eq!(record.plan.len(), 2);
    assert!(record.plan.iter().all(|plan| plan.load.contains("40/s")), "{:?}", record.plan);
    let report = std::fs::read_to_string(bench.run_folder().join("report.md")).unwrap();
    assert!(report.contains("the file has 100/s"), "{report}");
    assert!(text(&output.stderr).contains("WARNING: trial: `--rate` sets"));
}

#[test]
fn an_override_that_is_not_defined_is_refused_by_run_and_check_alike() {
    let ramp = "[[request]]\nname = \"a\"\npath = \"/\"\n\
                [load]\nstages = [{ duration = \"9s\", rate = \"9/s\" }]\n";
    let (code, said) = checked(ramp, &[], &[("TOLLGATE_RATE", "9/s")]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("`TOLLGATE_RATE` cannot change this scenario: its `stages`"), "{said}");
    let bench = Bench::new("http://127.0.0.1:1", "budgets = [\"p95 < 1s\"]", ramp);
    let output = bench.command().args(["--rate", "9/s"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("`--rate` cannot change this scenario"));
    assert!(!bench.runs().exists());
    let page = "[[request]]\nname = \"a\"\npath = \"/\"\n";
    let bad_proxy = [("HTTP_PROXY", "ftp://127.0.0.1:1")];
    let (code, said) = checked(page, &["--proxy-from-env"], &bad_proxy);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("correct HTTP_PROXY"), "{said}");
}

#[test]
fn check_refuses_the_load_on_a_foreign_host_that_run_refuses() {
    let consent = "add --yes-load-this-host";
    for (flags, code) in [
        (&["--rate", "200/s"][..], Some(2)),
        (&["--rate", "200/s", "--yes-load-this-host"], Some(0)),
        (&["--rate", "200/s", "--resolve", "shop.example:80:127.0.0.1"], Some(0)),
        (&[], Some(0)),
    ] {
        let (actual, said) = checked(SLOW, flags, &[]);
        assert_eq!((actual, said.contains(consent)), (code, code == Some(2)), "{flags:?}: {said}");
    }
}

#[test]
fn a_variable_that_no_flag_reads_is_never_silently_ignored() {
    let (code, said) = checked(SLOW, &[], &[("TOLLGATE_DURATON", "9s")]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("`TOLLGATE_DURATON`: did you mean `TOLLGATE_DURATION`?"), "{said}");
    let (code, said) = checked(SLOW, &[], &[("TOLLGATE_METHOD", "PUT")]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("TOLLGATE_METHOD describes the request to a URL"), "{said}");
    let (code, said) = checked(SLOW, &[], &[("TOLLGATE_SHOP_NUMBER", "9")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("reads the variable `TOLLGATE_SHOP_NUMBER`"), "{said}");
    let used = SLOW.replace("/plain\"", "/plain?shop=${TOLLGATE_SHOP_NUMBER}\"");
    let (code, said) = checked(&used, &[], &[("TOLLGATE_SHOP_NUMBER", "number-9")]);
    assert!(code == Some(0) && !said.contains("reads the variable"), "{said}");
    let (code, said) = checked(SLOW, &[], &[("HTTPS_PROXY", "http://127.0.0.1:1")]);
    assert_eq!(code, Some(0));
    assert_eq!(said.matches("NOTE: HTTPS_PROXY is set").count(), 1, "{said}");
}
