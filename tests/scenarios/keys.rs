//! How the keys of a scenario, and flags that override them, change the plan.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use tollgate::expect::ResponseView;
use tollgate::plan::{
    AddressFamily, CertificateTrust, ClientIdentity, ConnectionReuse, HttpProtocol,
    PinnedAddresses, Plan, PlanOverrides,
};
use tollgate::scenario::{Scenario, ScenarioErrors, ScenarioWarning};

use super::{CANARY, environment};

/// A scenario with these additional keys of `[target]` and of its request, and these additional
/// sections.
fn text(target: &str, request: &str, rest: &str) -> String {
    format!(
        "name = \"n\"\nbudgets = [\"max < 1s\"]\n[target]\nbase_url = \"https://example.org\"\n{target}\n\
         [[request]]\nname = \"home\"\npath = \"/a?b=c\"\n{request}\n{rest}\n"
    )
}

fn resolved(
    text: &str,
    overrides: &PlanOverrides,
) -> Result<(Plan, Vec<ScenarioWarning>), ScenarioErrors> {
    Plan::resolve(&[Scenario::parse("test.toml", text)?], &environment(), overrides)
}

fn planned(target: &str, request: &str, rest: &str) -> Plan {
    let (plan, warnings) = resolved(&text(target, request, rest), &PlanOverrides::default())
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    plan
}

fn pinned_addresses(text: &str) -> PinnedAddresses {
    text.parse().unwrap()
}

const LOAD: &str = "[load]\narrival_rate = \"20/s\"\nduration = \"90s\"\n";

#[test]
fn a_load_that_spends_the_quota_of_its_machines_is_a_warning_and_a_caveat() {
    let machine = "[machine]\nsize = \"shared-cpu-1x\"\ncount = 2\ncpu_per_request = \"15ms\"\n";
    let spending = text("", "", &format!("{LOAD}{machine}"));
    let (plan, warnings) = resolved(&spending, &PlanOverrides::default()).unwrap();
    let warning = warnings[0].parts();
    assert_eq!(
        warning.problem,
        "the quota of 2 shared-cpu-1x is spent after 57s at 20/s × 15ms, before the end of the run"
    );
    assert!(
        warning.remedy.starts_with("write a rate of at most 8.3/s, or measure for less than 57s")
    );
    assert_eq!(
        plan.scenarios[0].shown.caveats,
        [
            "the quota of 2 shared-cpu-1x is spent after 57s at 20/s × 15ms: from then on latency is \
          that of a throttled machine"
        ]
    );
    for lasting in [
        machine.replace("shared-cpu-1x", "performance-1x"),
        machine.replace("15ms", "6ms"),
        machine.replace("count = 2", "count = 5"),
        machine.replace("cpu_per_request = \"15ms\"\n", ""),
    ] {
        let plan = planned("", "", &format!("{LOAD}{lasting}"));
        assert!(plan.scenarios[0].shown.caveats.is_empty() && plan.scenarios[0].machines.is_some());
    }
    let slow = machine.replace("15ms", "150ms");
    let (_, warnings) =
        resolved(&text("", "", &format!("{LOAD}{slow}")), &PlanOverrides::default()).unwrap();
    assert_eq!(
        warnings[0].parts().problem,
        "20/s × 150ms needs 3 CPUs, and 2 shared-cpu-1x have 2"
    );
}

#[test]
fn by_default_the_target_chooses_the_protocol_and_the_systems_roots_are_trusted() {
    let plan = planned("", "", "");
    let (scenario, target) = (&plan.scenarios[0], &plan.scenarios[0].target);
    assert_eq!(
        (target.protocol, target.family, scenario.streams),
        (HttpProtocol::Negotiated, AddressFamily::Any, 1)
    );
    assert_eq!((&target.trust, &target.identity), (&CertificateTrust::System, &None));
    assert!(
        target.pinned_addresses.is_empty()
            && target.allowed_hosts.is_empty()
            && scenario.shown.caveats.is_empty()
    );
    assert_eq!((scenario.requests[0].redirects(), plan.every), (0, None));
    assert_eq!((target.dns_refresh, target.tls_resumption), (Duration::from_secs(30), false));
}

#[test]
fn the_keys_of_the_target_set_how_it_is_reached() {
    let plan = planned(
        "http = \"2\"\nip = \"6\"\nresolve = [\"Example.org:443:127.0.0.1,[::1]\"]\n\
         allow_hosts = [\"Login.example.org\", \"::1\"]\ninsecure = true\ndns_refresh = \"0s\"\n\
         tls_resumption = true",
        "",
        "",
    );
    let target = &plan.scenarios[0].target;
    assert_eq!((target.protocol, target.family), (HttpProtocol::Http2, AddressFamily::V6));
    assert_eq!(target.pinned_addresses, [pinned_addresses("example.org:443:127.0.0.1,[::1]")]);
    assert_eq!(target.allowed_hosts, ["login.example.org", "[::1]"]);
    assert_eq!(target.trust, CertificateTrust::AnyCertificate);
    assert_eq!((target.dns_refresh, target.tls_resumption), (Duration::ZERO, true));
    assert_eq!(
        plan.scenarios[0].shown.caveats,
        [
            "TLS certificates are not verified (`insecure`)",
            "example.org:443 is not looked up: `resolve` gives 127.0.0.1, ::1",
        ]
    );
}

#[test]
fn flags_take_precedence_over_the_keys_of_the_file() {
    let flags = PlanOverrides {
        adds_to_earlier: false,
        protocol: Some(HttpProtocol::Negotiated),
        family: Some(AddressFamily::V4),
        pinned_addresses: vec![pinned_addresses("example.org:443:127.0.0.2")],
        allowed_hosts: vec!["Other.example.org".to_owned(), "login.example.org".to_owned()],
        insecure: true,
        every: Some(Duration::from_secs(10)),
        duration: None,
        shard_plan: None,
        duet_seed: None,
        proxy_from_environment: false,
    };
    let file = text(
        "http = \"2\"\nip = \"6\"\nresolve = [\"example.org:443:127.0.0.1,::1\", \"login.example.org:443:127.0.0.1\"]\n\
         allow_hosts = [\"login.example.org\"]",
        "redirects = 1",
        "[load]\nevery = \"1h\"",
    );
    let (plan, warnings) = resolved(&file, &flags).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let target = &plan.scenarios[0].target;
    assert_eq!((target.protocol, target.family), (HttpProtocol::Negotiated, AddressFamily::V4));
    assert_eq!(
        target.pinned_addresses,
        [
            pinned_addresses("example.org:443:127.0.0.2"),
            pinned_addresses("login.example.org:443:127.0.0.1")
        ]
    );
    assert_eq!(target.allowed_hosts, ["login.example.org", "other.example.org"]);
    assert_eq!(
        (&target.trust, plan.every),
        (&CertificateTrust::AnyCertificate, Some(Duration::from_secs(10)))
    );
    assert_eq!(plan.scenarios[0].shown.caveats.len(), 3);
}

#[test]
fn addresses_belong_to_one_host_and_port() {
    let PinnedAddresses { host, port, addresses } = pinned_addresses("example.org:443:127.0.0.1");
    let localhost: IpAddr = "127.0.0.1".parse().unwrap();
    assert_eq!((host.as_str(), port, addresses), ("example.org", 443, vec![localhost]));
    let other_port = text("resolve = [\"example.org:80:127.0.0.1\"]", "", "");
    let (_, warnings) = resolved(&other_port, &PlanOverrides::default()).unwrap();
    assert!(
        warnings[0].to_string().contains("`example.org:80` is never looked up"),
        "{warnings:?}"
    );
}

#[test]
fn certificates_and_bodies_are_relative_to_the_scenario() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in
        [("probe.pem", b"pem".as_slice()), ("probe.key", b"key"), ("body.bin", b"\x00\xff${TOKEN}")]
    {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let path = folder.path().join("scenario.toml");
    let target = "tls_ca = \"probe.pem\"\ntls_cert = \"probe.pem\"\ntls_key = \"probe.key\"";
    fs::write(&path, text(target, "method = \"POST\"\nbody_file = \"body.bin\"", "")).unwrap();
    let scenario = Scenario::read(&path).unwrap();
    let (plan, _) = Plan::resolve(&[scenario], &environment(), &PlanOverrides::default()).unwrap();
    let target = &plan.scenarios[0].target;
    let beside = |name: &str| folder.path().join(name);
    assert_eq!(target.trust, CertificateTrust::File(beside("probe.pem")));
    let identity = ClientIdentity { certificate: beside("probe.pem"), key: beside("probe.key") };
    assert_eq!(target.identity, Some(identity));
    let request = &plan.scenarios[0].requests[0];
    assert_eq!(request.http().unwrap().body.as_ref(), b"\x00\xff${TOKEN}");
    assert_eq!(request.http().unwrap().headers["content-type"], "application/octet-stream");
}

#[test]
fn a_json_body_is_filled_and_sets_its_content_type_unless_the_scenario_does() {
    let json =
        "method = \"POST\"\nbody_json = { token = \"${TOKEN}\", list = [1, 2.5, true, \"$${x}\"] }";
    let plan = planned("", json, "");
    let request = &plan.scenarios[0].requests[0];
    let sent: serde_json::Value = serde_json::from_slice(&request.http().unwrap().body).unwrap();
    assert_eq!(sent, serde_json::json!({ "token": CANARY, "list": [1, 2.5, true, "${x}"] }));
    assert_eq!(request.http().unwrap().headers["content-type"], "application/json");
    let debug = format!("{plan:?}");
    assert!(!debug.contains("canary"), "{debug}");
    assert!(
        plan.scenarios[0].shown.requests[0]
            .headers
            .contains(&"Content-Type: application/json".to_owned())
    );

    for (own, common) in [
        ("headers = { content-type = \"application/ld+json\" }", ""),
        ("", "[headers]\nContent-Type = \"application/ld+json\""),
    ] {
        let plan = planned("", &format!("{json}\n{own}"), common);
        let types: Vec<_> = plan.scenarios[0].requests[0]
            .http()
            .unwrap()
            .headers
            .get_all("content-type")
            .iter()
            .collect();
        assert_eq!(types, ["application/ld+json"]);
    }
    // A variable that only a JSON body uses can be listed as public.
    let public = text("", json, "").replacen("budgets", "public = [\"TOKEN\"]\nbudgets", 1);
    resolved(&public, &PlanOverrides::default()).unwrap();
}

#[test]
fn the_hops_of_a_request_come_after_it() {
    let more = "redirects = 2\nbudgets = [\"max < 2s\"]\n[[request]]\nname = \"plain\"\npath = \"/\"\n\
                [[request]]\nname = \"last\"\npath = \"/\"\nredirects = 1";
    let plan = planned("", more, "");
    let scenario = &plan.scenarios[0];
    let indexes: Vec<_> = scenario
        .shown
        .requests
        .iter()
        .map(|request| {
            (
                request.name.as_str(),
                request.line.as_str(),
                request.hop_of.as_deref(),
                request.budgets.len(),
            )
        })
        .collect();
    assert_eq!(
        indexes,
        [
            ("home", "GET /a?b=c", None, 2),
            ("home, hop 1", "GET /a?b=c", Some("home"), 0),
            ("home, hop 2", "GET /a?b=c, redirect 1", Some("home"), 0),
            ("home, hop 3", "GET /a?b=c, redirect 2", Some("home"), 0),
            ("plain", "GET /", None, 1),
            ("last", "GET /", None, 1),
            ("last, hop 1", "GET /", Some("last"), 0),
            ("last, hop 2", "GET /, redirect 1", Some("last"), 0),
        ]
    );
    let places: Vec<_> =
        scenario.requests.iter().map(|request| (request.redirects(), request.index)).collect();
    assert_eq!(places, [(2, 0), (0, 4), (1, 5)]);
    let ceilings: Vec<_> = scenario.ceilings().iter().map(Vec::len).collect();
    assert_eq!(ceilings, [2, 0, 0, 0, 1, 1, 0, 0]);
    assert_eq!(plan.empty_measurement().scenarios[0].requests.len(), 8);
}

#[test]
fn streams_are_shown_with_their_connections() {
    for (load, words) in [
        (
            "arrival_rate = \"20/s\"\nduration = \"5s\"\nconnections = 4",
            "open, 20/s constant for 5s, up to 4 connections of 8 streams each",
        ),
        ("connections = 1\nduration = \"5s\"", "closed, 1 connection of 8 streams each for 5s"),
    ] {
        let rest = format!("[load]\nstreams = 8\n{load}");
        let plan = planned("http = \"2\"", "", &rest);
        assert_eq!(plan.scenarios[0].streams, 8);
        assert_eq!(plan.scenarios[0].shown.load, words);
        let flags =
            |protocol| PlanOverrides { protocol: Some(protocol), ..PlanOverrides::default() };
        assert!(resolved(&text("http = \"2\"", "", &rest), &flags(HttpProtocol::Http1)).is_err());
        assert!(resolved(&text("", "", &rest), &flags(HttpProtocol::Http2)).is_ok());
    }
}

#[test]
fn a_load_may_open_further_connections_and_judge_how_they_are_opened() {
    let load =
        "[load]\narrival_rate = \"20/s\"\nduration = \"30s\"\nconnections = 2\nmax_connections = 9";
    let text = text("", "", load).replacen("max < 1s", "p95(connect) < 1s", 1);
    let (plan, _) = resolved(&text, &PlanOverrides::default()).unwrap();
    let scenario = &plan.scenarios[0];
    assert_eq!((scenario.load.connections(), scenario.load.max_connections()), (2, 9));
    assert_eq!((scenario.warmup.connections, scenario.reuse), (2, ConnectionReuse::Keep));
}

#[test]
fn the_capacity_of_an_open_load_is_shown_with_what_its_budgets_need() {
    let capacity = |budgets: &str, load: &str| {
        let text = text("http = \"2\"", "budgets = [\"p99 < 500ms\"]", load)
            .replacen("max < 1s", budgets, 1);
        let (plan, _) = resolved(&text, &PlanOverrides::default()).unwrap();
        plan.scenarios[0].shown.capacity.as_ref().map(|capacity| (capacity.places, capacity.wanted))
    };
    let open = "[load]\narrival_rate = \"20/s\"\nduration = \"30s\"";
    assert_eq!(capacity("p95 < 300ms", open), Some((16, Some(10))));
    assert_eq!(capacity("p95 < 700ms", &format!("{open}\nstreams = 3")), Some((48, Some(14))));
    let second = "[[request]]\nname = \"second\"\npath = \"/\"\n";
    assert_eq!(capacity("p95 < 700ms", &format!("{second}{open}")), Some((16, Some(28))));
    assert_eq!(capacity("p95 < 700ms", "[load]\nonce = true"), Some((1, Some(1))));
    assert_eq!(capacity("p95 < 700ms", "[load]\nconnections = 1\nduration = \"9s\""), None);
}

#[test]
fn every_works_with_any_load_model_and_alone() {
    for (load, words) in [
        ("every = \"5m\"", "once"),
        ("every = \"5m\"\nonce = true", "once"),
        ("every = \"5m\"\nconnections = 2\niterations = 3", "closed, 2 connections, 3 arrivals"),
    ] {
        let plan = planned("", "", &format!("[load]\n{load}"));
        assert_eq!(plan.every, Some(Duration::from_mins(5)));
        assert_eq!(plan.scenarios[0].shown.load, words);
    }
}

#[test]
fn scenarios_of_one_run_have_the_same_period() {
    let scenario = |name: &str, every: &str| {
        let text = text("", "", every).replacen("\"n\"", &format!("\"{name}\""), 1);
        Scenario::parse(&format!("{name}.toml"), &text).unwrap()
    };
    let resolve = |periods: [&str; 3], overrides: &PlanOverrides| {
        let loads = periods.map(|period| match period {
            "" => String::new(),
            period => format!("[load]\nevery = \"{period}\""),
        });
        let all = [scenario("a", &loads[0]), scenario("b", &loads[1]), scenario("c", &loads[2])];
        Plan::resolve(&all, &environment(), overrides).map(|(plan, _)| plan.every)
    };
    let none = PlanOverrides::default();
    assert_eq!(resolve(["", "5m", "300s"], &none).unwrap(), Some(Duration::from_mins(5)));
    let error = resolve(["", "5m", "10m"], &none).unwrap_err().to_string();
    assert!(
        error
            .starts_with("c.toml:11:9: `every` is 10m here and 5m in b.toml: a run has one period"),
        "{error}"
    );
    let flag = PlanOverrides { every: Some(Duration::from_secs(7)), ..none };
    assert_eq!(resolve(["1m", "5m", "10m"], &flag).unwrap(), Some(Duration::from_secs(7)));
}

#[test]
fn a_redirect_may_have_phases_that_its_request_never_has() {
    let constant = "[load]\narrival_rate = \"20/s\"\nduration = \"5s\"";
    let budgets = "budgets = [\"max(connect) < 1s\", \"max(dns) < 1s\"]";
    let looked_up = "dns_refresh = \"0s\"";
    let pinned = "dns_refresh = \"0s\"\nresolve = [\"example.org:443:127.0.0.1\"]";
    for (target, load) in [(looked_up, constant), (pinned, ""), (pinned, constant)] {
        let plan_of =
            |request: &str| resolved(&text(target, request, load), &PlanOverrides::default());
        assert!(plan_of(budgets).is_err(), "{target} {load}");
        assert!(plan_of(&format!("redirects = 1\n{budgets}")).is_ok(), "{target} {load}");
    }
}

#[test]
fn expectations_are_shown_as_written_in_the_order_of_judging() {
    let expect = r#"
sensitive = true
[request.expect]
json_at_most = { "/rate" = 0.1 }
json_at_least = { "/samples" = 5 }
json_matches = { "/version" = '^4\.' }
json_type = { "/data" = "array" }
json_not = { "/state" = "failing ${TOKEN}" }
body_matches = ['v[0-9]']
header_matches = { Location = "^/auth" }
denied = true
"#;
    let plan = planned("", expect, "");
    assert_eq!(
        plan.scenarios[0].shown.requests[0].expectations,
        [
            "denied = true",
            "header_matches.Location = \"^/auth\"",
            "body_matches = \"v[0-9]\"",
            "json_not.\"/state\" = \"failing ${TOKEN}\"",
            "json_type.\"/data\" = \"array\"",
            "json_at_least.\"/samples\" = 5",
            "json_at_most.\"/rate\" = 0.1",
            "json_matches.\"/version\" = '^4\\.'",
        ]
    );
    let debug = format!("{plan:?}");
    assert!(!debug.contains("canary"), "{debug}");
    let public = text("", expect, "").replacen("budgets", "public = [\"TOKEN\"]\nbudgets", 1);
    assert!(resolved(&public, &PlanOverrides::default()).is_ok());
}

#[test]
fn a_sensitive_answer_is_judged_without_being_shown() {
    let request = "[request.expect]\njson = { \"/name\" = \"x\" }";
    let unmet = |sensitive: &str| {
        let plan = planned("", &format!("{sensitive}\n{request}"), "");
        let request = &plan.scenarios[0].requests[0];
        let (expectations, url) = (&request.expectations, &request.http().unwrap().url);
        let (status, headers) = (http::StatusCode::OK, &http::HeaderMap::new());
        expectations
            .judge(&ResponseView { status, url, headers, body: br#"{"name":"private"}"# })
            .unwrap_err()
            .seen
    };
    assert_eq!(unmet("sensitive = false"), "\"private\"");
    assert_eq!(unmet("sensitive = true"), "another value (the answer is sensitive, and not shown)");
}

#[test]
fn a_header_with_empty_variables_is_not_sent_and_suppresses_the_shared_one() {
    let plan = planned(
        "[headers]\nX-Shared = \"shared\"\nX-Kept = \"kept\"",
        "headers = { x-shared = \"${NOWHERE:-}\", x-other = \"${NOWHERE:-}\", x-empty = \"\" }",
        "",
    );
    let scenario = &plan.scenarios[0];
    let sent = &scenario.requests[0].http().unwrap().headers;
    assert!(!sent.contains_key("x-shared") && !sent.contains_key("x-other"), "{sent:?}");
    assert_eq!((sent["x-kept"].as_bytes(), sent["x-empty"].as_bytes()), (&b"kept"[..], &b""[..]));
    assert!(!scenario.shown.requests[0].headers.iter().any(|line| line.contains("NOWHERE")));
}
