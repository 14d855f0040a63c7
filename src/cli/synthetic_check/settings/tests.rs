use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Typed {
    #[command(flatten)]
    args: Args,
}

pub(in super::super) fn read(
    words: &[&str],
    variables: &[(&str, &str)],
) -> Result<CheckSettings, CommandError> {
    let typed = Typed::parse_from(std::iter::once("synthetic-check").chain(words.iter().copied()));
    let lookup = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    };
    CheckSettings::resolve(&typed.args, &lookup)
}

const LIVE_URL: (&str, &str) = ("SYNTHETIC_CHECK_URL", "https://one.example/app?mock=0");

#[test]
fn the_first_variable_that_exists_decides_and_a_typed_url_outranks_all() {
    let variables = |first, second| {
        [
            ("SYNTHETIC_CHECK_URL", first),
            ("STAGING_SMOKE_TEST_URL", second),
            ("PRODUCTION_SMOKE_TEST_URL", "https://three.example/"),
        ]
    };
    let target =
        |words: &[&str], first, second| read(words, &variables(first, second)).unwrap().target;
    let (one, two) = ("https://one.example/", "https://two.example/");
    assert_eq!(target(&[], one, two), one);
    let empty = read(&[], &variables("", two)).err().unwrap().to_string();
    assert!(empty.contains("no URL to check"), "{empty}");
    assert_eq!(target(&["--url", "https://typed.example/"], one, two), "https://typed.example/");
}

#[test]
fn the_budget_is_the_flag_the_variable_or_that_of_the_environment() {
    let millis = |words: &[&str], variables: &[(&str, &str)]| {
        read(words, &[&[LIVE_URL], variables].concat()).unwrap().budget
    };
    let staging = [(BUDGET, "500"), (ENVIRONMENT, "staging")];
    for (words, variables, budget) in [
        (&[][..], &[][..], 800.0),
        (&[], &[(ENVIRONMENT, "production")], 800.0),
        (&[], &staging[1..], 300.0),
        (&[], &staging, 500.0),
        (&["--budget", "1s"], &staging, 1_000.0),
        (&["--budget=auto"], &staging, 800.0),
        (&["--budget=auto", "--mode=mock"], &staging, 300.0),
    ] {
        assert!(
            (millis(words, variables) - budget).abs() < f64::EPSILON,
            "{words:?} {variables:?}"
        );
    }
}

#[test]
fn the_budget_variable_is_read_as_javascript_reads_a_number() {
    for (text, budget) in [
        ("300", 300.0),
        (" 800 ", 800.0),
        ("\u{feff}05", 5.0),
        ("250.5", 250.5),
        ("3e2", 300.0),
        (".5", 0.5),
        ("+5.", 5.0),
        ("-5", -5.0),
        ("0x1F4", 500.0),
        ("", 0.0),
        (" ", 0.0),
        ("abc", 800.0),
        ("300ms", 800.0),
        ("1_000", 800.0),
        ("Infinity", 800.0),
        ("1e999", 800.0),
        ("nan", 800.0),
        ("inf", 800.0),
        ("0x", 800.0),
        ("0x+5", 800.0),
        ("5e", 800.0),
    ] {
        let read = read(&[], &[LIVE_URL, (BUDGET, text)]).unwrap().budget;
        assert!((read - budget).abs() < f64::EPSILON, "{text}: {read}");
    }
}

#[test]
fn a_typed_budget_that_no_answer_can_meet_is_refused() {
    for text in ["abc", "", "0", "-5", "Infinity", "NaN", "0ms", "0x", "300 apples", "1e-9"] {
        assert!(parse_budget(text).is_err(), "{text}");
    }
    assert_eq!(parse_budget("auto").unwrap(), TypedBudget::Auto);
}

#[test]
fn a_host_moves_the_page_and_a_mode_sets_its_mock() {
    let url = "https://shop.example/app?a=1&mock=1&b#top";
    for (words, expected) in [
        (&[url][..], url),
        (&[url, "--mode=live"], "https://shop.example/app?a=1&b&mock=0#top"),
        (&[url, "--host=s.example:8443"], "https://s.example:8443/app?a=1&mock=1&b#top"),
        (&[url, "--host=http://127.0.0.1:7/x"], "http://127.0.0.1:7/app?a=1&mock=1&b#top"),
        (&["--host=s.example", "--mode=live"], "https://s.example/app?mock=0"),
        (&["https://shop.example"], "https://shop.example"),
        (&["https://shop.example", "--mode=mock"], "https://shop.example/?mock=1"),
        (&["https://shop.example/a\n[b"], "https://shop.example/a[b"),
    ] {
        assert_eq!(read(words, &[]).unwrap().target, expected);
    }
}

#[test]
fn a_url_that_cannot_be_requested_is_refused_without_showing_it() {
    let shop = "https://shop.example/";
    for (words, why) in [
        (&[][..], "no URL to check"),
        (&["--mode=mock"], "no URL to check"),
        (&["--host=shop.example"], "--mode live"),
        (&["/zebra"], "--url is not a URL"),
        (&["ftp://shop.example/zebra"], "a scheme other than"),
        (&["https://zebra:stripes@shop.example/"], "user name or password"),
        (&[shop, "--host=zebra@shop.example"], "--host contains a user name"),
        (&[shop, "--host=a zebra"], "--host is not a URL"),
    ] {
        let error = read(words, &[]).err().unwrap().to_string();
        assert!(error.contains(why) && !error.contains("zebra"), "{error}");
    }
}

#[test]
fn an_unusable_variable_is_named_without_its_value() {
    for (name, value) in [(TOKEN, "ze\nbra"), (AGENT, "ze\0bra"), (LIVE_URL.0, "zebra")] {
        let variables = [(name, value), LIVE_URL];
        let error = read(&[], &variables).err().unwrap().to_string();
        assert!(error.contains(name) && !error.contains("bra"), "{error}");
    }
    let lookup = |name: &str| {
        use std::os::unix::ffi::OsStringExt as _;
        (name == LIVE_URL.0).then(|| OsString::from_vec(vec![0xff]))
    };
    let typed = Typed::parse_from(["synthetic-check"]);
    let error = CheckSettings::resolve(&typed.args, &lookup).err().unwrap().to_string();
    assert!(error.contains("SYNTHETIC_CHECK_URL is not UTF-8"), "{error}");
}

#[test]
fn the_token_is_sensitive_and_a_secret_unless_it_is_the_known_one() {
    let settings = read(&[], &[LIVE_URL, (TOKEN, " zebra-7f3a\n")]).unwrap();
    let sent = &settings.request.headers[TOKEN_HEADER];
    assert!(
        sent == "zebra-7f3a"
            && sent.is_sensitive()
            && settings.secrets.is_echoed_in("a zebra-7f3a")
    );
    let settings = read(&[], &[LIVE_URL]).unwrap();
    assert!(
        settings.request.headers[TOKEN_HEADER] == "staging"
            && !settings.secrets.is_echoed_in("staging")
    );
    assert_eq!(settings.request.headers[USER_AGENT], DEFAULT_AGENT);
}

#[test]
fn the_flag_for_the_artifact_outranks_its_variable() {
    let artifact =
        |words: &[&str], set| read(words, &[LIVE_URL, (ARTIFACT, set)]).unwrap().artifact;
    assert_eq!(artifact(&[], ""), None);
    assert_eq!(artifact(&[], "a/b.json"), Some("a/b.json".into()));
    assert_eq!(artifact(&["--out=c.json"], "a/b.json"), Some("c.json".into()));
}
