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
) -> Result<Settings, Problem> {
    let typed = Typed::parse_from(std::iter::once("synthetic-check").chain(words.iter().copied()));
    let lookup = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    };
    Settings::read(&typed.args, &lookup)
}

const LIVE_URL: (&str, &str) = ("SYNTHETIC_CHECK_URL", "https://one.example/app?mock=0");

#[test]
fn the_first_url_that_is_set_is_checked_and_a_typed_one_outranks_all() {
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
    assert_eq!(target(&[], "", two), two);
    assert_eq!(target(&[], "", ""), "https://three.example/");
    assert_eq!(target(&["--url", "https://typed.example/"], one, two), "https://typed.example/");
}

#[test]
fn the_budget_is_typed_or_set_or_that_of_the_environment() {
    let millis = |words: &[&str], set: &str, environment: &str| {
        let variables = [LIVE_URL, (BUDGET, set), (ENVIRONMENT, environment)];
        read(words, &variables).unwrap().budget.as_millis()
    };
    assert_eq!(millis(&[], "", ""), 800);
    assert_eq!(millis(&[], "", "production"), 800);
    assert_eq!(millis(&[], "", "staging"), 300);
    assert_eq!(millis(&[], "500", "staging"), 500);
    assert_eq!(millis(&["--budget", "1s"], "500", "staging"), 1_000);
    assert_eq!(millis(&["--budget=auto"], "500", "staging"), 800);
    assert_eq!(millis(&["--budget=auto", "--mode=mock"], "500", ""), 300);
}

#[test]
fn a_variable_that_cannot_be_used_is_named_and_its_value_is_not() {
    for (name, value) in
        [(BUDGET, "zebra"), (TOKEN, "ze\nbra"), (AGENT, "ze\0bra"), (LIVE_URL.0, "zebra")]
    {
        let variables = [(name, value), LIVE_URL];
        let error = read(&[], &variables).err().unwrap().to_string();
        assert!(error.contains(name) && !error.contains("bra"), "{error}");
    }
    let lookup = |name: &str| {
        use std::os::unix::ffi::OsStringExt as _;
        (name == LIVE_URL.0).then(|| OsString::from_vec(vec![0xff]))
    };
    let typed = Typed::parse_from(["synthetic-check"]);
    let error = Settings::read(&typed.args, &lookup).err().unwrap().to_string();
    assert!(error.contains("SYNTHETIC_CHECK_URL is no text"), "{error}");
}

#[test]
fn the_token_is_sensitive_and_a_secret_unless_it_is_the_known_one() {
    let settings = read(&[], &[LIVE_URL, (TOKEN, " zebra\n")]).unwrap();
    let sent = &settings.question.headers[TOKEN_HEADER];
    assert!(sent == "zebra" && sent.is_sensitive() && settings.secrets.are_in("a zebra"));
    let settings = read(&[], &[LIVE_URL]).unwrap();
    assert!(
        settings.question.headers[TOKEN_HEADER] == "staging" && !settings.secrets.are_in("staging")
    );
    assert_eq!(settings.question.headers[USER_AGENT], DEFAULT_AGENT);
}

#[test]
fn the_artifact_goes_where_it_is_asked_for() {
    let artifact =
        |words: &[&str], set| read(words, &[LIVE_URL, (ARTIFACT, set)]).unwrap().artifact;
    assert_eq!(artifact(&[], ""), None);
    assert_eq!(artifact(&[], "a/b.json"), Some("a/b.json".into()));
    assert_eq!(artifact(&["--out=c.json"], "a/b.json"), Some("c.json".into()));
}
