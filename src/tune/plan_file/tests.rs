//! Plan files as users write them, valid and invalid.

use serde_json::json;

use super::*;
use crate::scenario::DiagnosticParts;

const HEAD: &str = "name = \"n\"\nscenario = \"s.toml\"\napp = \"a\"\ncold = \"stop\"\n";

const WHOLE: &str = r#"
name = "staging warm-up"
scenario = "tile-loader-mock.toml"
app = "hotdash-staging"
cold = "idle:5m"
rounds = 8
seed = 7

[curve]
rate = "5/s"
limit = "90s"

[[configuration]]
name = "as it is"
hypothesis = "512 MB makes the garbage collector run during a request"

[[configuration]]
name = "2 GB"
machine = { guest = { memory_mb = 2048 }, env = { NODE_OPTIONS = "--canary" } }

[[configuration]]
name = "two CPUs"
command = ["fly", "scale", "vm", "shared-cpu-2x", "--app", "hotdash-staging"]
"#;

fn mistakes(text: &str) -> Vec<DiagnosticParts> {
    match SessionPlan::parse("tune.toml", text) {
        Ok(plan) => panic!("no mistake was found: {plan:?}"),
        Err(errors) => errors.parts().collect(),
    }
}

/// The only mistake of a file: its place, what is wrong and what to do, in one line.
fn mistake(text: &str) -> String {
    let all = mistakes(text);
    let [DiagnosticParts { location, problem, remedy }] = all.as_slice() else {
        panic!("{text}: {all:#?}");
    };
    format!("{location}: {problem}; {remedy}")
}

#[test]
fn a_whole_file_is_read() {
    let plan = SessionPlan::parse("plans/tune.toml", WHOLE).unwrap();
    assert_eq!(plan.name, "staging warm-up");
    assert_eq!(plan.scenario, Path::new("plans/tile-loader-mock.toml"));
    assert_eq!(plan.app.as_deref(), Some("hotdash-staging"));
    assert_eq!(plan.cold, ColdState::Idle { pause: Duration::from_mins(5) });
    assert_eq!((plan.rounds, plan.seed), (8, 7));
    assert_eq!(plan.curve.limit, Duration::from_secs(90));
    assert!((plan.curve.rate.as_per_second() - 5.0).abs() < 1e-12);
    let changes: Vec<_> = plan.configurations.iter().map(|one| one.change.to_string()).collect();
    let patch = r#"{"guest":{"memory_mb":2048},"env":{"NODE_OPTIONS":"•••"}}"#;
    let command = "fly scale vm shared-cpu-2x --app hotdash-staging";
    let sorted = r#"{"env":{"NODE_OPTIONS":"•••"},"guest":{"memory_mb":2048}}"#;
    assert!(changes[1] == patch || changes[1] == sorted, "{changes:?}");
    assert_eq!((changes[0].as_str(), changes[2].as_str()), ("", command));
    assert!(matches!(&plan.configurations[1].change, ConfigurationChange::Machine(patch)
        if patch["env"]["NODE_OPTIONS"] == "--canary"));
}

#[test]
fn secrets_of_containers_are_hidden_as_those_of_machines_are() {
    let patch = json!({ "containers": [{ "name": "app", "env": { "TOKEN": "Zebra" } }] });
    let shown = ConfigurationChange::Machine(patch).to_string();
    assert_eq!(shown, r#"{"containers":[{"env":{"TOKEN":"•••"},"name":"app"}]}"#);
}

#[test]
fn a_file_without_configurations_tries_the_app_as_it_is() {
    for end in ["", "configuration = []\n"] {
        let plan = SessionPlan::parse("tune.toml", &format!("{HEAD}{end}")).unwrap();
        assert_eq!(plan.configurations, [ConfigurationPlan::as_it_is()]);
        assert_eq!((plan.rounds, plan.seed, plan.curve.limit), (6, 0, Duration::from_mins(2)));
    }
}

#[test]
fn an_app_is_needed_only_where_machines_are_changed() {
    let head = "name = \"n\"\nscenario = \"s.toml\"\n";
    for cold in ["none", "idle:5m"] {
        let text = format!(
            "{head}cold = \"{cold}\"\n[[configuration]]\nname = \"c\"\ncommand = [\"true\"]\n"
        );
        assert_eq!(SessionPlan::parse("tune.toml", &text).unwrap().app, None);
    }
    for cold in ["stop", "suspend", "restart"] {
        let found = mistake(&format!("{head}cold = \"{cold}\"\n"));
        assert!(found.contains(&format!("tune.toml:3:9: `{cold}` needs an app")), "{found}");
    }
    let found = mistake(&format!(
        "{head}cold = \"none\"\n[[configuration]]\nname = \"c\"\nmachine = {{ image = \"i\" }}\n"
    ));
    assert!(found.contains("tune.toml:6:1: `machine` needs an app"), "{found}");
}

#[test]
fn every_mistake_of_a_file_is_found_at_once() {
    let text = "nmae = \"x\"\nscenario = \"\"\ncold = \"stopp\"\nrounds = 0\n[curve]\nrate = \"50/s\"\n\
                limit = \"2h\"\n[[configuration]]\nmachine = {}\n[[configuration]]\nname = \"b\"\n\
                command = \"fly scale memory 2048\"\n[[configuration]]\nname = \"b\"\n";
    let all: Vec<_> = mistakes(text).into_iter().map(|one| one.problem).collect();
    for part in [
        "unknown key `nmae`",
        "the scenario has no name",
        "unknown cold state `stopp`",
        "0 rounds",
        "a curve at 50/s",
        "limit of the curve",
        "no `name`",
        "the patch changes nothing",
        "expected a list of words",
        "two configurations are named `b`",
    ] {
        assert!(all.iter().any(|problem| problem.contains(part)), "{part}: {all:#?}");
    }
}

#[test]
fn each_mistake_in_a_patch_is_told_with_its_remedy() {
    for (end, expected) in [
        (
            "[[configuration]]\nname = \"a\"\nmachine = 3\n",
            "7:11: a patch of a machine's config is a table",
        ),
        (
            "[[configuration]]\nname = \"a\"\nmachine = { guest = {} }\n",
            "the patch changes nothing",
        ),
        (
            "[[configuration]]\nname = \"a\"\nmachine = { memory_mb = 512 }\n",
            "`memory_mb` belongs to `guest`",
        ),
        (
            "[[configuration]]\nname = \"a\"\nmachine = { memory = \"2gb\" }\n",
            "write `machine = { guest = { memory_mb = 2048 } }`",
        ),
        (
            "[[configuration]]\nname = \"a\"\nmachine = { guest = { memory_mb = \"2gb\" } }\n",
            "`memory_mb` is a positive integer",
        ),
        (
            "[[configuration]]\nname = \"a\"\nmachine = { guest = { memory_md = 512 } }\n",
            "`memory_md` is not a key of `guest`; did you mean `memory_mb`?",
        ),
        (
            "[[configuration]]\nname = \"a\"\nmachine = { guset = { cpus = 2 } }\n",
            "`guset` is not a key of a machine's config; did you mean `guest`?",
        ),
        (
            "[[configuration]]\nname = \"a\"\nmachine = { env = { A = \"${A}\" } }\n",
            "variables are not allowed here",
        ),
    ] {
        let found = mistake(&format!("{HEAD}{end}"));
        assert!(found.contains(expected), "{end}\n{found}\n{expected}");
    }
}

#[test]
fn each_mistake_has_its_place_and_its_remedy() {
    for (end, expected) in [
        ("rounds = 101\n", "5:10: 101 rounds are out of range; write 1 to 100"),
        ("roundz = 3\n", "5:1: unknown key `roundz` in the session's plan; did you mean `rounds`?"),
        (
            "rate = \"2/s\"\n",
            "5:1: unknown key `rate` in the session's plan; it belongs to [curve]",
        ),
        ("[curve]\nrate = 2\n", "6:8: expected a quoted string, found an integer"),
        ("[curve]\nlimit = \"0s\"\n", "6:9: the limit of the curve is out of range"),
        ("[configuration]\nname = \"a\"\n", "write its header in double brackets"),
        ("[[configuration]]\nname = \"\"\n", "6:8: a configuration has an empty name"),
        ("[[configuration]]\nhypothesis = \"h\"\n", "no `name` is given"),
        (
            "[[configuration]]\nname = \"a\"\nmachine = { image = \"i\" }\ncommand = [\"x\"]\n",
            "8:1: both `machine` and `command`",
        ),
        ("[[configuration]]\nname = \"a\"\ncommand = []\n", "7:11: the command is empty"),
        ("[[configuration]]\nname = \"a\"\ncommand = [\"\"]\n", "the program has no name"),
        ("[[configuration]]\nname = \"a\"\ncommand = [1]\n", "expected a word, found an integer"),
        (
            "[[configuration]]\nname = \"a\"\ncommand = [\"fly scale\"]\n",
            "write `[\"fly\", \"scale\"]`",
        ),
        (
            "[[configuration]]\nname = \"a\"\nmemory = 2048\n",
            "unknown key `memory` in [[configuration]]",
        ),
    ] {
        let found = mistake(&format!("{HEAD}{end}"));
        assert!(found.contains(expected), "{end}\n{found}\n{expected}");
    }
}

#[test]
fn cold_states_are_read_and_misspelt_ones_get_the_right_word() {
    let found = |cold: &str| {
        let text = format!("name = \"n\"\nscenario = \"s.toml\"\napp = \"a\"\ncold = {cold}\n");
        match SessionPlan::parse("t.toml", &text) {
            Ok(plan) => plan.cold.to_string(),
            Err(_) => mistake(&text),
        }
    };
    for state in ["stop", "suspend", "restart", "none", "idle:5m", "idle:45s"] {
        assert_eq!(found(&format!("\"{state}\"")), state);
    }
    for (cold, expected) in [
        ("\"Stop\"", "write `stop`"),
        ("\"stopped\"", "write `stop`"),
        ("\"resume\"", "write `suspend`"),
        ("\"idle\"", "write `idle:5m`"),
        ("\"idle:5\"", "duration without a unit"),
        ("\"idle:0s\"", "a pause lasts up to 24h"),
        ("\"idle:2days\"", "a pause lasts up to 24h"),
        ("\"pause:5m\"", "write `idle:5m`"),
        ("\"xyz\"", "`idle:5m` or `none`"),
        ("true", "expected a quoted string"),
    ] {
        assert!(found(cold).contains(expected), "{cold}: {}", found(cold));
    }
}

#[test]
fn names_of_apps_are_those_that_fly_allows() {
    for (app, expected) in [
        ("Hotdash", "small letters, digits and `-`"),
        ("", "small letters"),
        ("../machines", "small letters"),
        ("hotdash.fly.dev", "write the app alone: `hotdash`"),
        ("https://hotdash.fly.dev", "write the app alone: `hotdash`"),
    ] {
        let text = format!("name = \"n\"\nscenario = \"s\"\napp = \"{app}\"\ncold = \"stop\"\n");
        assert!(mistake(&text).contains(expected), "{app}: {}", mistake(&text));
    }
}

#[test]
fn a_machine_too_large_to_suspend_is_reported() {
    let text = "name = \"n\"\nscenario = \"s\"\napp = \"a\"\ncold = \"suspend\"\n\
                [[configuration]]\nname = \"4 GB\"\nmachine = { guest = { memory_mb = 4096 } }\n";
    assert!(mistake(text).contains("Fly suspends no machine with `4096` MB"), "{}", mistake(text));
}

#[test]
fn too_many_configurations_are_reported_and_the_limit_is_not() {
    let of = |count: usize| {
        let each = (0..count).map(|at| format!("[[configuration]]\nname = \"c{at}\"\n"));
        format!("{HEAD}{}", each.collect::<String>())
    };
    assert_eq!(SessionPlan::parse("t.toml", &of(20)).unwrap().configurations.len(), 20);
    assert!(mistake(&of(21)).contains("21 configurations are too many"));
}

#[test]
fn a_file_that_is_not_there_or_not_toml_is_reported_as_such() {
    let missing = SessionPlan::read(Path::new("no/such/tune.toml")).unwrap_err().to_string();
    assert!(missing.contains("name a session's plan file that exists"), "{missing}");
    let folder = SessionPlan::read(Path::new("src")).unwrap_err().to_string();
    assert!(folder.contains("name a session's plan file in it"), "{folder}");
    assert!(mistake("name = ").contains("https://toml.io"));
}
