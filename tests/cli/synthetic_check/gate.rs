//! The gate that the check recommends.

use std::path::Path;

use super::*;

/// Runs the recommended command in a shell, for five seconds: a hundred blocks of 50 ms.
fn recommended(messages: &str, place: &Place, token: Option<&str>) -> Output {
    let command = messages.split_once("A gate is `").unwrap().1.split_once('`').unwrap().0;
    let program = Path::new(env!("CARGO_BIN_EXE_tollgate")).parent().unwrap();
    let mut shell = Command::new("sh");
    for (name, _) in tollgate().get_envs() {
        shell.env_remove(name);
    }
    let path = std::env::join_paths(
        std::iter::once(program.to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let short = format!(
        "{command} --expect-body tile-ops-metrics --rate 40/s -c 40 --duration 5s --runs-dir runs"
    );
    shell.args(["-c", &short]).env("PATH", path.unwrap()).current_dir(place.0.path());
    shell.envs(token.map(|token| ("SYNTHETIC_CHECK_TOKEN", token)));
    shell.output().unwrap()
}

#[test]
fn the_recommended_gate_passes_where_the_check_does() {
    let secret = Target::start(&["--token", CANARY, "--upstream-latency", "constant:1ms"]);
    let known = target(&[]);
    for (target, token) in [(&known, None), (&secret, Some(CANARY))] {
        let place = Place::new();
        let url =
            format!("{}/app?mock=0&key={}&x=${{Y}}", target.base_url, token.unwrap_or("none"));
        let variables: Vec<_> =
            token.map(|token| ("SYNTHETIC_CHECK_TOKEN", token)).into_iter().collect();
        let output = place.check(&["--url", &url, "--budget", "3s", "--samples", "2"], &variables);
        let messages = text(&output.stderr);
        assert_eq!(code(&output), 0, "{messages}");
        assert!(!messages.contains('•'), "{messages}");
        let gate = recommended(&messages, &place, token);
        assert_eq!(code(&gate), 0, "{messages}{}{}", text(&gate.stdout), text(&gate.stderr));
        assert!(
            !contains_canary(&gate.stdout)
                && !contains_canary(&gate.stderr)
                && !contains_canary(messages.as_bytes()),
            "{messages}"
        );
    }
}

#[test]
fn without_the_token_the_recommended_gate_names_the_missing_variable() {
    let (secret, place) = (Target::start(&["--token", CANARY]), Place::new());
    let url = format!("{}/app?mock=1", secret.base_url);
    let words = ["--url", &url, "--budget", "20s", "--samples", "2"];
    let messages = text(&place.check(&words, &[("SYNTHETIC_CHECK_TOKEN", CANARY)]).stderr);
    let gate = recommended(&messages, &place, None);
    assert_eq!(code(&gate), 2, "{}", text(&gate.stderr));
    assert!(text(&gate.stderr).contains("SYNTHETIC_CHECK_TOKEN"), "{}", text(&gate.stderr));
}
