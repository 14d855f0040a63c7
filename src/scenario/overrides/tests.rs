use super::*;
use crate::scenario::{ConnectionSetting, LoadModel};

const TOP: &str = "name = \"s\"\nbudgets = [\"p95 < 300ms\"]\n\
                   [target]\nbase_url = \"http://127.0.0.1\"\ntimeout = \"5s\"\n\
                   [headers]\nX-Kind = \"web\"\n";
const ONE: &str = "[[request]]\nname = \"a\"\npath = \"/\"\nexpect = { status = 204 }\n";
const TWO: &str = "[[request]]\nname = \"b\"\npath = \"/b\"\nbudgets = [\"errors = 0\"]\n\
                   headers = { X-Kind = \"own\" }\nexpect = { status = 404 }\n";
const OPEN: &str =
    "[load]\narrival_rate = \"20/s\"\nduration = \"40s\"\nconnections = 8\nmax_connections = 12\n";
const CLOSED: &str = "[load]\nconnections = 4\niterations = 100\n";
const RAMP: &str = "[load]\nstages = [{ duration = \"9s\", rate = \"9/s\" }]\n";
const ONCE: &str = "[load]\nonce = true\n";
const FRESH: &str =
    "[load]\narrival_rate = \"20/s\"\nduration = \"40s\"\nconnections = \"fresh\"\n";
const QUERY: &str = "name = \"q\"\ndatabases = { d = \"postgresql://u@h/d\" }\n\
                     [[request]]\nname = \"a\"\nsql = \"select 1\"\n";

fn given<T>(origin: &str, value: T) -> OverrideValue<T> {
    OverrideValue { origin: origin.to_owned(), value }
}

/// Overrides as they are typed: a flag or variable, and its value.
fn overrides(typed: &[(&str, &str)]) -> ScenarioOverrides {
    let mut all = ScenarioOverrides::default();
    for &(origin, value) in typed {
        let seconds = || Duration::from_secs(value.trim_end_matches('s').parse().unwrap());
        let template = || Template::parse(value).unwrap();
        match origin.trim_start_matches("TOLLGATE_").trim_start_matches("--") {
            "rate" | "RATE" => all.rate = Some(given(origin, value.parse().unwrap())),
            "duration" => all.duration = Some(given(origin, seconds())),
            "connections" => {
                let number = value.parse().map(ConnectionSetting::Kept);
                all.connections = Some(given(origin, number.unwrap_or(ConnectionSetting::Fresh)));
            }
            "max-connections" => all.max_connections = Some(given(origin, value.parse().unwrap())),
            "budget" | "BUDGET" => all.budgets = Some(given(origin, vec![value.parse().unwrap()])),
            "header" => all.headers = Some(given(origin, vec![("x-kind".to_owned(), template())])),
            "timeout" => all.timeout = Some(given(origin, seconds())),
            "expect-status" => {
                all.expect_status = Some(given(origin, StatusList(vec![value.parse().unwrap()])));
            }
            "expect-body" => all.expect_body = Some(given(origin, vec![template()])),
            "http" => all.http = Some(given(origin, HttpVersion::Two)),
            "ipv6" => all.ip = Some(given(origin, IpFamily::V6)),
            other => panic!("{other}"),
        }
    }
    all
}

fn overridden(text: &[&str], typed: &[(&str, &str)]) -> Result<Scenario, String> {
    let scenario = Scenario::parse("s.toml", &text.concat()).unwrap();
    scenario.with_overrides(&overrides(typed)).map_err(|errors| errors.to_string())
}

#[test]
fn an_override_that_repeats_the_file_changes_nothing() {
    for (text, typed) in [
        ([TOP, ONE, OPEN], ("--rate", "20/s")),
        ([TOP, ONE, OPEN], ("--duration", "40s")),
        ([TOP, ONE, OPEN], ("--max-connections", "12")),
        ([TOP, ONE, ONCE], ("--expect-status", "204")),
    ] {
        let overridden = overridden(&text, &[typed]).unwrap().overridden;
        assert!(overridden.is_empty(), "{typed:?}: {overridden:?}");
    }
}

#[test]
fn every_override_says_what_it_replaces() {
    for (text, typed, said) in [
        ([TOP, ONE, OPEN], ("--rate", "50/s"), "sets `arrival_rate` to 50/s; the file has 20/s"),
        ([TOP, ONE, OPEN], ("--duration", "9s"), "sets `duration` to 9s; the file has 40s"),
        ([TOP, ONE, OPEN], ("--connections", "9"), "sets `connections` to 9; the file has 8"),
        ([TOP, ONE, CLOSED], ("--connections", "9"), "sets `connections` to 9; the file has 4"),
        (
            [TOP, ONE, OPEN],
            ("--connections", "fresh"),
            "sets `connections` to \"fresh\"; the file has 8",
        ),
        (
            [TOP, ONE, CLOSED],
            ("--connections", "fresh"),
            "sets `connections` to \"fresh\"; the file has 4",
        ),
        ([TOP, ONE, CLOSED], ("--duration", "9s"), "sets `duration` to 9s; the file has none"),
        (
            [TOP, ONE, OPEN],
            ("--max-connections", "9"),
            "sets `max_connections` to 9; the file has 12",
        ),
        (
            [TOP, ONE, OPEN],
            ("TOLLGATE_BUDGET", "p99 < 1s"),
            "sets the budgets to `p99 < 1s`; the file has `p95 < 300ms`",
        ),
        (
            [TOP, TWO, ONCE],
            ("--budget", "errors = 0"),
            "sets the budgets to `errors = 0`; the file has `p95 < 300ms`, `errors = 0`",
        ),
        (
            [TOP, ONE, OPEN],
            ("--header", "${KIND}"),
            "sets the header `x-kind`; the file has another value",
        ),
        ([TOP, ONE, OPEN], ("--timeout", "9s"), "sets `timeout` to 9s; the file has 5s"),
        (
            [TOP, ONE, ONCE],
            ("--expect-status", "200"),
            "sets the expected `status` to 200; the file has 204",
        ),
        (
            [TOP, ONE, ONCE],
            ("--expect-body", "hello"),
            "sets `body_contains` to 1 text; the file has none",
        ),
        ([TOP, ONE, ONCE], ("--http", "2"), "sets `http` to 2; the file has none"),
        ([TOP, ONE, ONCE], ("--ipv6", ""), "sets `ip` to 6; the file has none"),
    ] {
        let scenario = overridden(&text, &[typed]).unwrap();
        assert_eq!(scenario.overridden, [format!("`{}` {said}", typed.0)]);
    }
}

#[test]
fn an_override_changes_the_scenario_and_the_defaults_that_follow_from_it() {
    let typed = [("--rate", "50/s"), ("--connections", "12"), ("--header", "api")];
    let scenario = overridden(&[TOP, TWO, OPEN], &typed).unwrap();
    let LoadModel::Constant { rate, duration, .. } = scenario.load.model else { panic!() };
    assert_eq!((rate.to_string().as_str(), duration), ("50/s", Duration::from_secs(40)));
    assert_eq!((scenario.load.connections, scenario.warmup.connections), (12, 12));
    let names = |entries: &crate::scenario::TableEntries<Template>| {
        entries.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(scenario.file.headers.value().unwrap()), ["x-kind"]);
    let request = scenario.file.requests().next().unwrap();
    assert!(names(request.headers.value().unwrap()).is_empty(), "its own would win");
}

#[test]
fn an_override_that_a_scenario_cannot_have_is_refused_with_the_reason() {
    for (text, (origin, value), why) in [
        ([TOP, ONE, ONCE], ("--rate", "9/s"), "it sends one arrival, at no rate"),
        ([TOP, ONE, RAMP], ("--rate", "9/s"), "its `stages` set the rates"),
        ([TOP, ONE, CLOSED], ("TOLLGATE_RATE", "9/s"), "so that the target sets the rate"),
        ([TOP, ONE, ""], ("--rate", "9/s"), "it sends one arrival, at no rate"),
        ([TOP, ONE, ONCE], ("--duration", "9s"), "this load has no duration to change"),
        ([TOP, ONE, RAMP], ("--duration", "9s"), "this load has no duration to change"),
        ([TOP, ONE, ONCE], ("--connections", "9"), "over one connection"),
        ([TOP, ONE, FRESH], ("--connections", "9"), "every arrival opens its own connection"),
        ([TOP, ONE, CLOSED], ("--max-connections", "9"), "no arrival waits for a connection"),
        ([QUERY, "", ""], ("--header", "9"), "it sends no HTTP request"),
        ([QUERY, "", ""], ("--expect-status", "200"), "it sends no HTTP request"),
        ([QUERY, "", ""], ("--expect-body", "x"), "it sends no HTTP request"),
    ] {
        let message = overridden(&text, &[(origin, value)]).unwrap_err();
        assert!(message.contains(why), "{why} in {message}");
        assert!(message.contains(&format!("`{origin}` cannot change this scenario")), "{message}");
        let verb = if origin.starts_with('-') { "remove" } else { "unset" };
        assert!(message.contains(&format!("{verb} `{origin}`, or ")), "{message}");
    }
}

#[test]
fn what_several_requests_say_for_themselves_is_not_overridden() {
    let text = [TOP, ONE, TWO, OPEN];
    for (typed, why) in [
        (("--budget", "p99 < 1s"), "its requests have budgets of their own"),
        (("--header", "api"), "a request has a `x-kind` of its own"),
        (("--expect-status", "200"), "a request has a `status` of its own"),
    ] {
        let message = overridden(&text, &[typed]).unwrap_err();
        assert!(message.contains(why), "{message}");
    }
    assert!(overridden(&text, &[("--expect-body", "x")]).is_ok());
}

#[test]
fn several_overrides_are_refused_at_once() {
    let message =
        overridden(&[TOP, ONE, RAMP], &[("--rate", "9/s"), ("--duration", "9s")]).unwrap_err();
    assert!(message.contains("`--rate` cannot") && message.contains("`--duration` cannot"));
}

#[test]
fn an_override_that_contradicts_the_rest_of_the_file_is_named_in_the_error() {
    for (typed, what) in [
        (("--connections", "13"), "`max_connections` is 12, but 13 connections are open"),
        (("--budget", "p95 < 30s"), "`latency` never reaches 30s"),
        (("--timeout", "0s"), "`timeout` is zero"),
    ] {
        let message = overridden(&[TOP, ONE, OPEN], &[typed]).unwrap_err();
        let named = format!("(the file is valid without `{}`)", typed.0);
        assert!(message.contains(what) && message.contains(&named), "{message}");
    }
}

#[test]
fn a_header_replaces_that_of_steps_that_run_once() {
    let step = |section: &str| {
        format!(
            "[[{section}]]\nname = \"{section}\"\npath = \"/{section}\"\n\
             headers = {{ X-Kind = \"own\", Accept = \"text/html\" }}\n"
        )
    };
    let (setup, teardown) = (step("setup"), step("teardown"));
    let scenario =
        overridden(&[TOP, &setup, ONE, &teardown, OPEN], &[("--header", "typed")]).unwrap();
    for steps in [&scenario.file.setup, &scenario.file.teardown] {
        let step = steps.value().unwrap()[0].value().unwrap();
        let names = step.headers.value().unwrap().iter().map(|(name, _)| name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["Accept"]);
    }
}
