//! The JSON Schema of scenario files, applied by an independent validator.

use std::fs;
use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Map, Value};
use tollgate::scenario::{self, Scenario};

use super::{completed, examples, files};

static SCHEMA: LazyLock<Value> = LazyLock::new(|| Value::from(scenario::schema()));
static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&SCHEMA).unwrap());

/// A TOML file as JSON, in the way of editors: dates are strings.
fn as_json(text: &str) -> Value {
    fn json(value: toml::Value) -> Value {
        match value {
            toml::Value::String(text) => text.into(),
            toml::Value::Integer(number) => number.into(),
            toml::Value::Float(number) => number.into(),
            toml::Value::Boolean(truth) => truth.into(),
            toml::Value::Datetime(date) => date.to_string().into(),
            toml::Value::Array(list) => list.into_iter().map(json).collect(),
            toml::Value::Table(table) => table
                .into_iter()
                .map(|(key, value)| (key, json(value)))
                .collect::<Map<_, _>>()
                .into(),
        }
    }
    json(toml::Value::Table(text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))))
}

fn mistakes(text: &str) -> Vec<String> {
    let instance = as_json(text);
    VALIDATOR
        .iter_errors(&instance)
        .map(|mistake| format!("{}: {mistake}", mistake.instance_path()))
        .collect()
}

#[test]
fn the_committed_schema_is_up_to_date() {
    let now = serde_json::to_string_pretty(&scenario::schema()).unwrap() + "\n";
    let committed = fs::read_to_string("docs/scenario.schema.json").unwrap();
    assert!(committed == now, "write it anew: cargo run -- schema > docs/scenario.schema.json");
}

#[test]
fn the_schema_conforms_to_draft_2020_12_and_describes_every_key() {
    assert_eq!(SCHEMA["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(jsonschema::draft202012::meta::is_valid(&SCHEMA));
    let mut sections = vec![&*SCHEMA];
    let mut keys = 0;
    while let Some(section) = sections.pop() {
        assert_eq!(section["additionalProperties"], false, "{section:#}");
        for (name, key) in section["properties"].as_object().unwrap() {
            assert!(
                key["description"].as_str().is_some_and(|about| about.len() > 10),
                "{name}: {key:#}"
            );
            sections.extend(
                [key, &key["items"]].into_iter().filter(|inner| inner["properties"].is_object()),
            );
            keys += 1;
        }
    }
    assert!(keys > 50, "{keys}");
}

#[test]
fn the_schema_offers_no_budgets_and_no_weight_to_steps_that_run_once() {
    for (section, key) in
        [("setup", "budgets = [\"errors = 0\"]"), ("teardown", "weight = 2"), ("setup", "")]
    {
        let text = format!(
            "name = \"n\"\n[target]\nbase_url = \"http://h.test\"\n\
             [[{section}]]\nname = \"a\"\npath = \"/\"\n{key}\n\
             [[request]]\nname = \"b\"\npath = \"/\"\nbudgets = [\"errors = 0\"]\n"
        );
        assert_eq!(mistakes(&text).is_empty(), key.is_empty(), "{text}");
        assert_eq!(Scenario::parse("n.toml", &text).is_ok(), key.is_empty(), "{text}");
    }
}

#[test]
fn every_shipped_scenario_and_every_example_validates_and_names_the_schema() {
    let page = fs::read_to_string("docs/scenario.md").unwrap();
    let readme = fs::read_to_string("README.md").unwrap();
    let mut texts: Vec<String> = examples(&page).into_iter().map(completed).collect();
    texts.extend(examples(&readme).into_iter().map(str::to_owned));
    texts.push(fs::read_to_string("src/cli/starter.toml").unwrap());
    for path in files("scenarios") {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.starts_with("#:schema ../docs/scenario.schema.json\n"));
        texts.push(text);
    }
    for text in texts {
        assert_eq!(mistakes(&text), [""; 0], "in\n{text}");
    }
}

/// A scenario that contains every kind of value once, as `KEY = VALUE` lines that can be replaced.
const WHOLE: &str = r#"
name = "whole"
budgets = ["p95 < 300ms"]

[target]
base_url = "https://example.org"
http = "2"
ip = "4"
resolve = ["example.org:443:127.0.0.1,[::1]"]
allow_hosts = ["login.example.org"]
insecure = true
timeout = "10s"

[headers]
Accept = "*/*"

[[request]]
name = "home"
method = "POST"
path = "/"
redirects = 3
retry = { times = 2 }
when_absent = "report"
body_json = { a = [1, "${B:-b}", { c = 1.5 }] }

[request.expect]
status = [200, 203]
headers = { content-type = "text/html" }
body_contains = ["</html>"]
body_matches = ['v[0-9]']
header_matches = { location = '^/auth' }
json = { "/a" = { b = 1 } }
json_type = { "/a" = "array" }
json_at_least = { "/a" = 0.5 }
max_body = "64 KiB"

[request.capture]
session = { header = "mcp-session-id", default = "" }

[load]
start_rate = "0/s"
stages = [{ duration = "10s", rate = "50/s" }]
connections = 8
streams = 2
poisson = { seed = 1 }
every = "5m"

[warmup]
requests = 8
"#;

fn with(key: &str, line: &str) -> String {
    let begins = format!("{key} = ");
    let lines = WHOLE.lines().map(|old| if old.starts_with(&begins) { line } else { old });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_schema_refuses_values_whose_notation_the_reader_refuses() {
    assert_eq!(mistakes(WHOLE), [""; 0]);
    Scenario::parse("test.toml", WHOLE).unwrap_or_else(|errors| panic!("{errors}"));
    for (key, line) in [
        ("name", ""),
        ("stages", r#"stages = [{ duration = "10s" }]"#),
        ("poisson", "poisson = {}"),
        ("budgets", r#"budget = ["p95 < 300ms"]"#),
        ("timeout", r#"timout = "10s""#),
        ("streams", "stream = 2"),
        ("name", "name = 1"),
        ("budgets", r#"budgets = "p95 < 300ms""#),
        ("insecure", r#"insecure = "yes""#),
        ("http", "http = 2"),
        ("status", r#"status = "200""#),
        ("redirects", "redirects = -1"),
        ("timeout", "timeout = 10"),
        ("timeout", r#"timeout = "10""#),
        ("timeout", r#"timeout = "10 parsecs""#),
        ("timeout", r#"timeout = "s""#),
        ("start_rate", r#"start_rate = "20""#),
        ("start_rate", r#"start_rate = "20/d""#),
        ("budgets", r#"budgets = ["p95 <= 300ms"]"#),
        ("budgets", r#"budgets = ["p95 < 300"]"#),
        ("budgets", r#"budgets = ["p95(first) < 300ms"]"#),
        ("budgets", r#"budgets = ["mean < 300ms"]"#),
        ("budgets", r#"budgets = ["errors = 3"]"#),
        ("max_body", r#"max_body = "64""#),
        ("max_body", r#"max_body = "64 KB""#),
        ("status", "status = 99"),
        ("status", "status = []"),
        ("method", r#"method = "post""#),
        ("http", r#"http = "3""#),
        ("ip", r#"ip = "5""#),
        ("connections", r#"connections = "many""#),
        ("connections", "connections = 0"),
        ("resolve", r#"resolve = ["example.org:127.0.0.1"]"#),
        ("allow_hosts", r#"allow_hosts = ["https://login.example.org"]"#),
        ("name", r#"name = "${NAME}""#),
        ("body_matches", r#"body_matches = ["${NAME}"]"#),
        ("body_matches", r#"body_matches = "v[0-9]""#),
        ("header_matches", "header_matches = { location = 1 }"),
        ("json_type", r#"json_type = { "/a" = "list" }"#),
        ("json_at_least", r#"json_at_least = { "/a" = "1" }"#),
        ("session", r#"session = "mcp-session-id""#),
        ("session", "session = { head = \"etag\" }"),
        ("retry", r#"retry = { after = "1s" }"#),
        ("retry", "retry = 3"),
        ("when_absent", r#"when_absent = "pass""#),
    ] {
        let text = with(key, line);
        assert_ne!(text, with("", ""), "no line begins with {key}");
        assert_ne!(mistakes(&text), [""; 0], "{line} for {key}");
        assert!(Scenario::parse("test.toml", &text).is_err(), "{line} for {key}");
    }
}

/// A key and a line with a nearly valid value for it, so that the reader accepts many of them.
fn line() -> impl Strategy<Value = (&'static str, String)> {
    fn of(key: &'static str, pattern: &str) -> BoxedStrategy<(&'static str, String)> {
        let in_list = matches!(key, "budgets" | "resolve" | "allow_hosts");
        let line = move |text| {
            if in_list { format!("{key} = [\"{text}\"]") } else { format!("{key} = \"{text}\"") }
        };
        proptest::string::string_regex(pattern)
            .unwrap()
            .prop_map(move |text| (key, line(text)))
            .boxed()
    }
    let number = "[+-]?(0|[0-9]{1,3})?(\\.[0-9]{0,3})?([eE][+-]?[0-9])?";
    let time = " {0,2}([0-9]{1,3} ?(\\. ?[0-9]{1,2})? ?(ms|s|sec|m|min|h|us|µs|ns|d|x)? ?){0,3}";
    let quantile = "p[0-9]{1,2}(\\.[0-9]{0,2})?";
    prop_oneof![
        of("timeout", time),
        of("start_rate", &format!(" ?({number}) ?/ ?(s|sec|min|m|h|d) ?")),
        of("max_body", " ?[0-9]{0,4} ?(B|kB|KiB|MB|MiB|GiB|KB)? ?"),
        of("budgets", &format!(" ?(errors|dropped) ?[<=] ?({number})? ?%? ?")),
        of(
            "budgets",
            &format!(" ?({quantile}|max|mean) ?(\\( ?(tls|wait|body|all) ?\\))? ?[<=]({time})")
        ),
        of("budgets", &format!(" ?{quantile} ?< ?(baseline|base) ?(\\+ ?({number} ?%|{time}))? ?")),
        of(
            "resolve",
            "(\\[::1\\]|[A-Za-z.-]{0,8})(:[0-9]{0,5})?:(127.0.0.1|\\[::1\\]|::1|x)(,(fe80::1|\\[::2\\]))?"
        ),
        of("allow_hosts", "[a-zA-Z0-9.:*/ ä_-]{0,10}|\\[::[0-9a-f]?\\]|::1"),
        of("name", "[a-z $\\{\\}]{0,8}"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_schema_accepts_what_the_reader_accepts((key, line) in line()) {
        let text = with(key, &line);
        if Scenario::parse("test.toml", &text).is_ok() {
            prop_assert_eq!(mistakes(&text), [""; 0], "{}", line);
        }
    }
}
