//! Scenario files as a user writes them: those in `scenarios/`, the examples of the documentation,
//! and invalid ones.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "scenarios/keys.rs"]
mod keys;
#[path = "scenarios/run_record.rs"]
mod run_record;
#[path = "scenarios/schema.rs"]
mod schema;
#[path = "scenarios/shipped.rs"]
mod shipped;
#[path = "scenarios/starter.rs"]
mod starter;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use tollgate::plan::{ConnectionReuse, Environment, Plan, PlanOverrides};
use tollgate::scenario::{
    OverrideValue, Scenario, ScenarioErrors, ScenarioOverrides, ScenarioWarning,
};

const CANARY: &str = "canary/7f3a \"q\"";

fn environment() -> Environment {
    let variables = [
        ("TOLLGATE_TARGET", "https://example.org"),
        ("SYNTHETIC_CHECK_TOKEN", CANARY),
        ("TOKEN", CANARY),
        ("SLACK_WEBHOOK", "https://hooks.example/canary"),
        ("PASSWORD", CANARY),
        ("EMPTY", ""),
        ("LINES", "one\ntwo"),
        ("REGION", "ord"),
        ("PASSWORD_URL", "https://user:canary@example.org"),
        ("NO_URL", "canary"),
        ("DATABASE_URL", "postgresql://user:canary-pw@db.example.org/app"),
    ];
    Environment::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

fn plan(scenario: Scenario) -> Result<(Plan, Vec<ScenarioWarning>), ScenarioErrors> {
    Plan::resolve(&[scenario], &environment(), &PlanOverrides::default())
}

fn parsed(text: &str) -> Plan {
    plan(Scenario::parse("test.toml", text).unwrap_or_else(|errors| panic!("{errors}"))).unwrap().0
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

#[test]
fn every_wrong_scenario_is_refused_with_its_location_and_a_remedy() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("bad_scenarios");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for path in files("tests/bad_scenarios") {
        let message = match Scenario::read(&path).and_then(plan) {
            Err(errors) => errors.render(false),
            Ok((_, warnings)) => warnings.iter().map(|warning| warning.render(false)).collect(),
        };
        assert!(!message.is_empty(), "{} is not complained about", path.display());
        assert!(!message.contains("canary"), "a secret is shown:\n{message}");
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        settings.bind(|| insta::assert_snapshot!(name, message));
    }
}

/// A short run with a budget that it cannot pass, and a token that has a default.
const SHORT: &str = r#"
name = "short"
budgets = ["p95 < 1s"]
[target]
base_url = "https://example.org"
[headers]
X-Token = "${TOKEN:-staging}"
[[request]]
name = "home"
path = "/"
[load]
arrival_rate = "5/s"
duration = "5s"
"#;

#[test]
fn a_warning_about_a_budget_of_the_command_line_names_its_flag_and_no_line_of_the_file() {
    let budgets = vec!["p99 < 100ms".parse().unwrap()];
    let overrides = ScenarioOverrides {
        budgets: Some(OverrideValue { origin: "--budget".to_owned(), value: budgets }),
        ..ScenarioOverrides::default()
    };
    let scenario = Scenario::parse("short.toml", SHORT).unwrap().with_overrides(&overrides);
    let (_, warnings) = plan(scenario.unwrap()).unwrap();
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    let text = warning.to_string();
    assert!(text.contains("`--budget`: `p99` needs at least"), "{text}");
    assert!(!text.contains("p95 < 1s"), "{text}");
}

#[test]
fn a_variable_that_is_set_to_the_default_in_the_file_is_not_a_weak_secret() {
    let warnings = |token: &str| {
        let environment = Environment::new([("TOKEN".to_owned(), token.to_owned())]);
        let scenario = Scenario::parse("short.toml", SHORT).unwrap();
        let resolved = Plan::resolve(&[scenario], &environment, &PlanOverrides::default());
        resolved.unwrap().1.iter().map(ToString::to_string).collect::<String>()
    };
    assert!(!warnings("staging").contains("common word"));
    assert!(warnings("live").contains("the secret `TOKEN` is short or a common word"));
}

#[test]
fn the_example_in_the_readme_can_pass() {
    let page = fs::read_to_string("README.md").unwrap();
    let [example] = examples(&page)[..] else { panic!("one example") };
    let (_, warnings) = plan(Scenario::parse("README.md", example).unwrap()).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
}

fn examples(page: &str) -> Vec<&str> {
    page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn every_example_of_the_reference_page_is_a_scenario() {
    let page = fs::read_to_string("docs/scenario.md").unwrap();
    let examples = examples(&page);
    assert!(examples.len() > 5);
    let folder = tempfile::tempdir().unwrap();
    for name in ["ca.pem", "probe.pem", "probe.key", "payload.bin"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    fs::write(folder.path().join("users.csv"), "id,region,token\n7,ord,secret\n").unwrap();
    fs::write(folder.path().join("paths.csv"), "path\n/a?b=c\n/d\n").unwrap();
    let name = folder.path().join("scenario.toml");
    for example in examples {
        let text = completed(example);
        let scenario = Scenario::parse(name.to_str().unwrap(), &text);
        scenario.and_then(plan).unwrap_or_else(|errors| panic!("{errors}\nin\n{example}"));
    }
}

/// An example of the reference page as a complete file. A single section gets the keys that every
/// scenario needs, so the page does not repeat them.
fn completed(example: &str) -> String {
    let head = "name = \"example\"\n";
    let target = "\n[target]\nbase_url = \"${TOLLGATE_TARGET}\"\n";
    let request = "\n[[request]]\nname = \"home\"\npath = \"/\"\n";
    let mut text = String::new();
    let top = if example.starts_with('[') { "" } else { example.split("\n[").next().unwrap() };
    if !top.contains("name = \"") {
        text.push_str(head);
    }
    text.push_str(example);
    if !example.contains("[target]") {
        text.push_str(target);
    }
    if !example.contains("[[request]]") {
        text.push_str(request);
    }
    text
}

const CANARIES: &str = r#"
name = "canaries"
budgets = ["max < 1s"]
public = ["REGION"]
[target]
base_url = "https://example.org/api/"
[headers]
Authorization = "Bearer ${TOKEN}"
X-Default = "${UNSET:-staging}"
X-Region = "${REGION}"
Cookie = "literal=1"
[[request]]
name = "one"
path = "/secret?token=${TOKEN}&b=1"
body = "${TOKEN}"
[request.expect]
final_url = "/secret?token=${TOKEN}&b=1"
headers = { x-echo = "${TOKEN}" }
body_contains = ["say ${TOKEN}"]
body_lacks = ["${TOKEN}!"]
json = { "/a" = { b = ["${TOKEN}", 1] } }
json_not = { "/c" = "${TOKEN}" }
"#;

#[test]
fn a_secret_appears_in_nothing_that_is_shown() {
    let scenario = Scenario::parse("canaries.toml", CANARIES).unwrap();
    let environment = environment();
    let (plan, _) =
        Plan::resolve(std::slice::from_ref(&scenario), &environment, &PlanOverrides::default())
            .unwrap();
    let debug = format!("{plan:#?} {plan:?} {scenario:?} {environment:?}");
    for form in [CANARY, "canary", "7f3a", "canary%2F7f3a%20%22q%22", "canary\\/"] {
        assert!(!debug.contains(form), "{form} in {debug}");
    }
    let request = &plan.scenarios[0].requests[0];
    assert!(request.http().unwrap().headers["authorization"].is_sensitive());
    assert_eq!(
        request.http().unwrap().headers["authorization"],
        format!("Bearer {CANARY}").as_str()
    );
    assert_eq!(
        plan.secrets.redact(request.http().unwrap().url.as_str()),
        "https://example.org/api/secret?token=•••&b=1"
    );
    insta::assert_snapshot!(
        "planned_without_secrets",
        serde_json::to_string_pretty(&plan.scenarios[0].shown).unwrap()
    );
}

#[test]
fn a_token_in_a_secret_url_is_secret_too() {
    let text = "name = \"hook\"\nbudgets = [\"errors = 0\"]\n[[request]]\nname = \"hook\"\nurl = \"${HOOK}\"\n\
                [load]\nonce = true\n";
    let scenario = Scenario::parse("hook.toml", text).unwrap();
    let environment =
        Environment::new([("HOOK".to_owned(), "https://h/hooks/t0k3ncanary".to_owned())]);
    let (plan, _) = Plan::resolve(&[scenario], &environment, &PlanOverrides::default()).unwrap();
    assert_eq!(
        plan.secrets.redact("302 redirect to /login/t0k3ncanary"),
        "302 redirect to /login/•••"
    );
}

#[test]
fn the_mistakes_of_several_files_are_shown_together() {
    let files = [
        Path::new("scenarios/none.toml"),
        Path::new("tests/bad_scenarios"),
        Path::new("/dev/zero"),
    ];
    let errors = Scenario::read_all(&files).unwrap_err();
    assert_eq!(errors.count(), 3);
    insta::assert_snapshot!("unreadable_files", errors.render(false));
}

#[test]
fn a_file_that_is_not_utf8_is_refused_at_its_first_wrong_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latin.toml");
    fs::write(&path, b"name = \"ok\"\ndescription = \"caf\xe9\"\n").unwrap();
    let message = Scenario::read(&path).unwrap_err().to_string();
    assert!(message.contains("latin.toml:2:19: this is not UTF-8"), "{message}");
}

#[test]
fn the_variables_of_a_proxy_and_of_a_setup_count_as_used() {
    let text = "name = \"s\"\nbudgets = [\"errors = 0\"]\npublic = [\"PROXY_USER\"]\n\
        [target]\nbase_url = \"https://example.org\"\n\
        proxy = \"http://${PROXY_USER}:${PROXY_PASSWORD}@proxy.test:3128\"\n\
        [[setup]]\nname = \"log in\"\npath = \"/login\"\nheaders = { Authorization = \"${LOGIN}\" }\n\
        [[request]]\nname = \"home\"\npath = \"/\"\n";
    let mut used = Scenario::parse("s.toml", text).unwrap().variables();
    used.sort_unstable();
    assert_eq!(used, ["LOGIN", "PROXY_PASSWORD", "PROXY_USER"]);
}

#[test]
fn two_scenarios_with_the_same_name_cannot_run_together() {
    let twice = ["a.toml", "b.toml"].map(|name| Scenario::parse(name, CANARIES).unwrap());
    let errors = Plan::resolve(&twice, &environment(), &PlanOverrides::default()).unwrap_err();
    assert!(
        errors
            .to_string()
            .starts_with("b.toml:2:9: two scenarios of this run are named `canaries`"),
        "{errors}"
    );
}

fn load(text: &str) -> Plan {
    let base = "name = \"n\"\nbudgets = [\"max < 1s\"]\n[target]\nbase_url = \"http://localhost\"\n[[request]]\nname = \"r\"\npath = \"/\"\n";
    parsed(&format!("{base}{text}"))
}

#[test]
fn loads_and_warm_ups_are_described_in_one_line() {
    for (text, load_words, warmup_words) in [
        ("", "once", "none"),
        ("[load]\nonce = true\n[warmup]\nrequests = 3", "once", "1 connection, 3 requests"),
        (
            "[load]\narrival_rate = \"20/s\"\nduration = \"40s\"",
            "open, 20/s constant for 40s, up to 16 connections",
            "16 connections, 16 requests",
        ),
        (
            "[load]\narrival_rate = \"90/min\"\npoisson = { seed = 7 }\nduration = \"1m\"\nconnections = \"fresh\"\nmax_connections = 4",
            "open, 1.5/s Poisson with seed 7 for 1m, each over its own of up to 4 connections",
            "none",
        ),
        (
            "[load]\nstages = [{ duration = \"30s\", rate = \"100/s\" }, { duration = \"0s\", rate = \"0/s\" }]\nconnections = 1\n[warmup]\nrequests = 0",
            "open, from 0/s to 100/s over 30s, to 0/s over 0s, up to 1 connection",
            "none",
        ),
        (
            "[load]\narrival_rate = \"20/s\"\nduration = \"40s\"\nbatch_every = \"100us\"",
            "open, 20/s constant for 40s, in batches every 100us, up to 16 connections",
            "16 connections, 16 requests",
        ),
        (
            "[load]\nstages = [{ duration = \"30s\", rate = \"9/s\" }]\npoisson = { seed = 7 }\nbatch_every = \"10ms\"",
            "open, from 0/s to 9/s over 30s, Poisson with seed 7, in batches every 10ms, up to 16 connections",
            "16 connections, 16 requests",
        ),
        (
            "[load]\narrival_rate = \"20/s\"\nduration = \"40s\"\nconnections = 4\nmax_connections = 64",
            "open, 20/s constant for 40s, up to 4 connections, then new ones up to 64",
            "4 connections, 4 requests",
        ),
        (
            "[load]\nconnections = 8\nduration = \"10s\"\niterations = 100\n[warmup]\nconnections = 2\nrequests = 9",
            "closed, 8 connections for 10s, 100 arrivals",
            "2 connections, 9 requests",
        ),
    ] {
        let plan = load(text);
        let shown = &plan.scenarios[0].shown;
        assert_eq!((shown.load.as_str(), shown.warmup.as_str()), (load_words, warmup_words));
    }
}

#[test]
fn a_single_arrival_opens_its_own_connection_unless_it_is_warmed_up() {
    assert_eq!(load("").scenarios[0].reuse, ConnectionReuse::Fresh);
    assert_eq!(load("[warmup]\nrequests = 1").scenarios[0].reuse, ConnectionReuse::Keep);
}

#[test]
fn the_command_line_changes_the_duration_of_a_constant_load_alone() {
    let base = "name = \"n\"\n[target]\nbase_url = \"http://localhost\"\n[[request]]\nname = \"r\"\npath = \"/\"\n";
    let shorter =
        PlanOverrides { duration: Some(Duration::from_secs(2)), ..PlanOverrides::default() };
    let resolve = |load: &str| {
        let scenario = Scenario::parse("test.toml", &format!("{base}{load}")).unwrap();
        Plan::resolve(&[scenario], &environment(), &shorter)
    };
    let (plan, _) = resolve("[load]\narrival_rate = \"5/s\"\nduration = \"1h\"").unwrap();
    assert_eq!(plan.scenarios[0].load.duration(), Duration::from_secs(2));
    assert_eq!(plan.scenarios[0].shown.load, "open, 5/s constant for 2s, up to 16 connections");
    assert!(resolve("[load]\nonce = true").is_err());
}

#[test]
fn a_base_url_with_a_path_is_prefixed_to_paths_and_final_urls() {
    let plan = parsed(CANARIES);
    assert_eq!(plan.scenarios[0].shown.base_url, "https://example.org/api");
    assert_eq!(plan.scenarios[0].requests[0].http().unwrap().url.path(), "/api/secret");
}

#[test]
fn the_budgets_of_a_scenario_on_connecting_judge_its_first_request_alone() {
    let text = "name = \"n\"\nbudgets = [\"max(connect) < 1s\", \"p50 < 1s\"]\n[target]\nbase_url = \"http://localhost\"\n\
                [[request]]\nname = \"a\"\npath = \"/\"\n[[request]]\nname = \"b\"\npath = \"/\"\nbudgets = [\"p50 < 1s\"]\n";
    let plan = parsed(text);
    let budgets = plan.scenarios[0].shown.requests.iter().map(|request| request.budgets.len());
    assert_eq!(budgets.collect::<Vec<_>>(), [2, 1]);
    assert_eq!(plan.scenarios[0].requests[1].ceilings.len(), 1);
}

/// A scenario with most keys; the property tests mutilate it.
fn whole_text() -> String {
    fs::read_to_string("scenarios/tile-loader-live.toml").unwrap()
        + CANARIES.split_once("[[request]]").unwrap().1
        + "stages = [{ duration = \"30s\", rate = \"1/s\" }]\npoisson = { seed = 1 }\nmax_connections = 3\n"
}

fn mutilated(text: &str, cuts: &[(usize, usize, String)]) -> String {
    let mut text = text.to_owned();
    for (at, length, put) in cuts {
        let start = text.floor_char_boundary(at % (text.len() + 1));
        let end = text.floor_char_boundary((start + length).min(text.len()));
        text.replace_range(start..end.max(start), put);
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_panic(
        cuts in prop::collection::vec((any::<usize>(), 0_usize..40, "[\\PC\n]{0,6}|[0-9.\"'\\[\\]{}=$/%<>\n\t-]{0,6}"), 1..6)
    ) {
        let text = mutilated(&whole_text(), &cuts);
        let message = match Scenario::parse("test.toml", &text).and_then(plan) {
            Err(errors) => errors.render(true),
            Ok((_, warnings)) => warnings.iter().map(|warning| warning.render(true)).collect(),
        };
        prop_assert!(!message.contains("canary/"));
    }

    #[test]
    fn no_value_under_any_key_makes_the_reader_panic(line in 0_usize..80, value in "[\\PC]{0,12}|\"[^\"\\\\\\PC]{0,12}\"|-?[0-9]{1,25}|\\[.{0,5}\\]|\\$\\{.{0,5}\\}") {
        let whole = whole_text();
        let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
        let at = line % lines.len();
        if let Some((key, _)) = lines[at].clone().split_once(" = ") {
            lines[at] = format!("{key} = {value}");
        }
        if let Err(errors) = Scenario::parse("test.toml", &lines.join("\n")).and_then(plan) {
            prop_assert!(errors.count() > 0);
            prop_assert!(errors.to_string().starts_with("test.toml:"));
        }
    }
}
