//! Errors on the command line, with a tip if the mistake is a known one.

use std::ffi::OsString;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::console::stderr_has_colour;
use super::exit::{CommandError, ExitStatus};
use super::quick;
use crate::library_text::describe_io;

/// Flags of curl, k6, oha, wrk, hey, vegeta, artillery and locust, and what to write instead.
#[rustfmt::skip]
const FOREIGN_FLAGS: [(&[&str], &str); 33] = [
    (&["--qps", "--rps", "-R", "--arrival-rate", "--arrivalRate", "--rate-limit", "--spawn-rate"],
     "write `--rate 20/s`: requests per second"),
    (&["--vus", "-u", "--users", "--concurrency", "--clients"],
     "write `--rate 20/s`, or `--closed --connections 8` for connections that wait for responses"),
    (&["-z", "--run-time", "--time"], "write `--duration 30s`"),
    (&["-d"], "write `--duration 30s` for a length, or `--body TEXT` for a request's body"),
    (&["--data", "--data-raw", "--data-binary"],
     "write `--body TEXT`, and `-H 'Content-Type: …'` for its type"),
    (&["-o", "--json", "-j", "--format", "--out", "--summary-export", "--output-format"],
     "write `--output json` for results as JSON; a JSON body is `--body '{…}' -H 'Content-Type: application/json'`"),
    (&["-n", "--requests", "-i", "--iterations", "--count", "--num"],
     "write `--rate 20/s --duration 30s`: tollgate plans load by time; a scenario file has `iterations`"),
    (&["-L", "--location", "--redirect", "--max-redirects", "-r"], "write `--redirects 5`"),
    (&["-k", "--insecure-skip-tls-verify"], "write `--insecure`"),
    (&["--http2", "--http1.1", "--http-version", "--http1", "-2"], "write `--http 2` or `--http 1.1`"),
    (&["--threshold", "--thresholds", "--fail", "--slo", "--max-latency", "--p95", "--p99", "--ensure"],
     "write `--budget 'p95 < 300ms'`"),
    (&["-t", "--threads", "-w", "--workers", "--cpus"],
     "leave it out: tollgate uses the processors that it has; a time limit is `--timeout 10s`"),
    (&["--latency", "--latency-correction", "--no-latency-correction", "--print-latencies"],
     "leave it out: every run reports latency, counted from when each request was due"),
    (&["-m", "--max-time"], "write `--timeout 10s` for a time limit, or `--method POST`"),
    (&["--connect-timeout"], "write `connect_timeout` in `[target]` of a scenario file, or `--timeout 10s`"),
    (&["--disable-keepalive", "--no-keepalive", "--no-vu-connection-reuse", "--no-connection-reuse"],
     "write `--connections fresh`: every request then opens its own"),
    (&["-p", "--pipeline", "--streams"], "write `streams = 8` and `http = \"2\"` in a scenario file"),
    (&["-s", "--silent", "--no-tui", "--no-progress", "--headless", "--no-usage-report"], "write `--quiet`"),
    (&["-D", "--body-file", "--payload", "--targets", "--urls-from-file"],
     "name the file in a scenario file: `body_file = \"order.json\"` for a body, `[data]` for values"),
    (&["-a", "--user", "--auth", "--basic-auth"],
     "write `-H 'Authorization: Basic ${CREDENTIALS}'`, with the value in a variable"),
    (&["-b", "--cookie"], "write `-H 'Cookie: sid=${SID}'`, with the value in a variable"),
    (&["-A", "--user-agent"], "write `-H 'User-Agent: …'`"),
    (&["-T", "--content-type"], "write `-H 'Content-Type: …'`"),
    (&["--accept"], "write `-H 'Accept: …'`"),
    (&["--compressed"], "write `-H 'Accept-Encoding: gzip'`"),
    (&["-I", "--head"], "write `--method HEAD`"),
    (&["--cert", "-E", "--key"], "write `tls_cert` and `tls_key` in `[target]` of a scenario file"),
    (&["--stage", "--stages", "--ramp-up", "--ramp", "--burst-delay", "--load-profile"],
     "write `stages = [{ duration = \"30s\", rate = \"100/s\" }]` in `[load]` of a scenario file"),
    (&["--warmup", "--warm-up", "--warmup-time"], "write the section `[warmup]` in a scenario file"),
    (&["-e", "--env", "--variables"],
     "set an environment variable, and write `${NAME}` where its value belongs"),
    (&["-f", "--file", "--script", "--scenario", "--config", "-S"],
     "name the scenario file alone: `tollgate run shop.toml`"),
    (&["--url", "--target", "--host", "--base-url"], "name the URL alone: `tollgate run https://example.org/`"),
    (&["--repeat", "--interval", "--cron"], "write `--every 5m`"),
];

/// Commands of other tools, and the command to use instead.
const FOREIGN_COMMANDS: [(&[&str], &str); 6] = [
    (
        &["attack", "quick", "test", "bench", "benchmark", "load", "probe", "measure", "gate"],
        "tollgate run",
    ),
    (&["report", "plot", "inspect", "status"], "tollgate show"),
    (&["list", "ls", "runs", "trend"], "tollgate history"),
    (&["validate", "lint", "verify"], "tollgate check"),
    (&["diff"], "tollgate compare"),
    (&["version"], "tollgate --version"),
];

/// Turns an error of clap into the program's end. Help and version end well; the rest is a usage
/// error.
///
/// `variable` is the environment variable that holds the wrong value, if the value was not typed.
/// `typed` is the command line.
pub(super) fn from_clap(
    mut error: clap::Error,
    variable: Option<&str>,
    typed: &[OsString],
) -> Result<ExitStatus, CommandError> {
    if error.use_stderr() {
        if let Some(missing) = command_missing(&error, typed) {
            return Err(CommandError::usage(missing));
        }
        let variable_tip = variable
            .map(|name| format!("the value comes from the variable `{name}`: correct or unset it"));
        let own_tip = foreign_flag_tip(&error, typed)
            .or_else(|| ci_system_tip(&error))
            .or_else(|| duet_tip(&error, typed));
        let tip = match (variable_tip, own_tip) {
            (Some(variable), Some(own)) => Some(format!("{variable}; {own}")),
            (variable, own) => variable.or(own),
        };
        if tip.is_some() {
            remove_suggestions(&mut error);
        }
        let text = error.render();
        let text = if stderr_has_colour() { text.ansi().to_string() } else { text.to_string() };
        let text = with_own_number_errors(&text);
        let tip = tip.map(|tip| format!("\n  tip: {tip}\n")).unwrap_or_default();
        return Err(CommandError::usage(format!("{}{tip}", text.trim_end())));
    }
    match error.print() {
        // A closed pipe is not an error: its reader has seen enough of the help.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CommandError::internal(format!(
                "the help could not be printed: {}",
                describe_io(&error)
            )))
        }
        _ => Ok(ExitStatus::Pass),
    }
}

/// Replaces the standard library's messages on numbers, which do not say what to write.
fn with_own_number_errors(text: &str) -> String {
    const WHOLE: &str = "write a whole number that is not negative";
    text.replace("invalid digit found in string", WHOLE)
        .replace("cannot parse integer from empty string", WHOLE)
        .replace("number too large to fit in target type", "write a smaller number")
        .replace("number would be zero for non-zero type", "write a number above 0")
        .replace("invalid float literal", "write a number")
        .replace("cannot parse float from empty string", "write a number")
}

/// Removes what clap suggests: flags that are spelt alike, or `--` before the word. Next to a tip
/// that fits, it would mislead.
fn remove_suggestions(error: &mut clap::Error) {
    use ContextKind::{Suggested, SuggestedArg, SuggestedValue, TrailingArg};
    for kind in [Suggested, SuggestedArg, SuggestedValue, TrailingArg] {
        error.remove(kind);
    }
}

/// What to write instead of a flag of another tool, such as `--vus`.
pub(super) fn instead_of(flag: &str) -> Option<&'static str> {
    FOREIGN_FLAGS.iter().find(|(flags, _)| flags.contains(&flag)).map(|(_, tip)| *tip)
}

/// The tip for a flag that other tools have, or that is written as Go writes it: `-rate=50`.
fn foreign_flag_tip(error: &clap::Error, typed: &[OsString]) -> Option<String> {
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidArg) else { return None };
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let wrong = wrong.split('=').next().unwrap_or_default();
    let words = typed.iter().filter_map(|word| word.to_str());
    let mut with_one_dash = words.filter_map(|word| {
        let name =
            word.strip_prefix('-').filter(|name| !name.starts_with('-') && name.len() > 2)?;
        name.starts_with(wrong.trim_start_matches('-')).then(|| name.split('=').next())?
    });
    if let Some(name) = with_one_dash.next().filter(|_| wrong.len() == 2) {
        let long = format!("--{name}");
        if let Some(tip) = instead_of(&long) {
            return Some(tip.to_owned());
        }
        if is_flag_of_run(&long) {
            return Some(format!("write `{long}`, with two dashes"));
        }
    }
    if matches!(wrong, "-a" | "-b") && typed.iter().any(|word| word == "duet") {
        return Some("write `--a URL --b URL`, with two dashes".to_owned());
    }
    instead_of(wrong).map(str::to_owned)
}

/// What serves another CI system than GitHub Actions: `--ci gitlab`.
fn ci_system_tip(error: &clap::Error) -> Option<String> {
    let (Some(ContextValue::String(flag)), Some(ContextValue::String(value))) =
        (error.get(ContextKind::InvalidArg), error.get(ContextKind::InvalidValue))
    else {
        return None;
    };
    if !flag.starts_with("--ci ") || value.is_empty() {
        return None;
    }
    let what = if value.to_ascii_lowercase().starts_with("gitlab") {
        "for GitLab leave it out: write `--junit junit.xml` and `--metrics metrics.txt`, name both \
         files under `artifacts: reports:`, and write `--comment` for the merge request"
    } else {
        "for another system than GitHub Actions leave it out, and write `--junit junit.xml`"
    };
    Some(format!("{what} (see docs/ci.md)"))
}

/// How to name the two targets of a duet, if they are not named by their flags.
fn duet_tip(error: &clap::Error, typed: &[OsString]) -> Option<String> {
    let words: Vec<_> = typed.iter().skip(1).filter_map(|word| word.to_str()).collect();
    if error.kind() != ErrorKind::MissingRequiredArgument || words.first() != Some(&"duet") {
        return None;
    }
    // A word after a flag is most often its value.
    let takes_next = |word: &str| word.starts_with('-') && !word.contains('=');
    let is_named = |flag: &str| words.iter().any(|word| word.split('=').next() == Some(flag));
    let free = words.windows(2).filter(|pair| !takes_next(pair[0])).map(|pair| pair[1]);
    let urls = free.filter(|word| is_source(word) && !is_scenario(word)).map(shown_url);
    let mut urls = urls.chain(std::iter::repeat("URL".to_owned()));
    let sides = ["--a", "--b"].into_iter().filter(|flag| !is_named(flag));
    let missing: Vec<_> = sides.zip(&mut urls).map(|(flag, url)| format!("{flag} {url}")).collect();
    Some(format!("write `{}`: A is the target as it was, B the new one", missing.join(" ")))
}

fn is_flag_of_run(long: &str) -> bool {
    let command = super::command();
    let run = command.find_subcommand("run");
    let mut flags = run.into_iter().flat_map(clap::Command::get_arguments);
    flags.any(|flag| flag.get_long() == long.strip_prefix("--"))
}

/// The error for a command line whose first word is not a command: most often a URL or a scenario
/// file, or a flag of `run`.
fn command_missing(error: &clap::Error, typed: &[OsString]) -> Option<String> {
    match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(word))) => {
            if is_source(word) {
                return Some(run_is_missing(word));
            }
            let foreign = FOREIGN_COMMANDS.iter().find(|(words, _)| words.contains(&word.as_str()));
            foreign.map(|(_, instead)| {
                format!("error: there is no command `{word}`; write `{instead}`")
            })
        }
        (ErrorKind::UnknownArgument, _) => {
            let command = super::command();
            let words: Vec<_> = typed.iter().skip(1).filter_map(|word| word.to_str()).collect();
            let has_command = words.iter().any(|word| command.find_subcommand(word).is_some());
            let is_certain = |word: &&&str| {
                quick::is_url(word.as_ref()) || word.contains("://") || is_scenario(word)
            };
            let source = words.iter().find(is_certain);
            source.filter(|_| !has_command).map(|source| run_is_missing(source))
        }
        _ => None,
    }
}

/// Whether a word names a URL or a scenario file.
fn is_source(word: &str) -> bool {
    let is_address = word.contains("://") || word.contains('/') || word.contains(':');
    !word.starts_with('-') && (is_address || is_scenario(word) || word == "localhost")
}

fn is_scenario(word: &str) -> bool {
    Path::new(word).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

/// A typed URL as a tip shows it, with its scheme. One that may contain a password is not shown.
fn shown_url(word: &str) -> String {
    if word.contains('@') || word.contains(char::is_control) {
        "URL".to_owned()
    } else if word.contains("://") {
        word.to_owned()
    } else {
        format!("http://{word}")
    }
}

fn run_is_missing(word: &str) -> String {
    let what = if is_scenario(word) { "scenario file" } else { "URL" };
    let word = if is_scenario(word) && !word.contains('@') && !word.contains(char::is_control) {
        word.to_owned()
    } else {
        shown_url(word)
    };
    format!(
        "error: a {what} needs a command before it\n\n  \
         tip: write `tollgate run {word}`; flags follow it, and `tollgate --help` has all commands"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message for a command line.
    fn answer(typed: &str) -> String {
        let words: Vec<OsString> =
            std::iter::once("tollgate").chain(typed.split(' ')).map(OsString::from).collect();
        let error = super::super::command().try_get_matches_from(&words).unwrap_err();
        from_clap(error, None, &words).unwrap_err().to_string()
    }

    #[test]
    fn what_is_typed_from_other_tools_is_answered_with_what_to_write() {
        for (typed, expected) in [
            ("http://127.0.0.1:9/x", "write `tollgate run http://127.0.0.1:9/x`"),
            ("https://u:hunter2@h/x", "write `tollgate run URL`"),
            ("shop.toml", "a scenario file needs a command before it"),
            ("scenarios/shop.toml --rate 9/s", "write `tollgate run scenarios/shop.toml`"),
            ("127.0.0.1:8080", "write `tollgate run http://127.0.0.1:8080`"),
            ("localhost", "write `tollgate run http://localhost`"),
            ("--rate 20/s http://127.0.0.1:9/", "write `tollgate run http://127.0.0.1:9/`"),
            ("-z 10s -c 8 http://127.0.0.1:9/", "write `tollgate run http://127.0.0.1:9/`"),
            ("attack -rate=50", "write `tollgate run`"),
            ("tune --demo --rounds x", "write a whole number"),
            ("tune --find-rate s.toml --resolution x", "write a number"),
            ("validate x", "write `tollgate check`"),
            ("run http://h --json", "`--output json`"),
            ("run http://h -o json", "`--output json`"),
            ("run http://h --requests 5", "`--rate 20/s --duration 30s`"),
            ("run http://h --data x", "`--body TEXT`"),
            ("run http://h -n 100", "`--rate 20/s --duration 30s`"),
            ("run http://h -z 10s", "tip: write `--duration 30s`"),
            ("run http://h --vus 8", "`--closed --connections 8`"),
            ("run http://h -t 2", "uses the processors that it has"),
            ("run http://h --latency", "leave it out"),
            ("run http://h -d 10s", "`--duration 30s`"),
            ("run http://h -k", "`--insecure`"),
            ("run http://h -rate=50", "write `--rate`, with two dashes"),
            ("run http://h -duration=5s", "write `--duration`, with two dashes"),
            ("run http://h -workers=5", "uses the processors that it has"),
            ("run http://h --stage 30s:100", "`stages = ["),
            ("run http://h --disable-keepalive", "`--connections fresh`"),
            ("run http://h --ci gitlab", "for GitLab leave it out: write `--junit junit.xml`"),
            ("run http://h --ci GitLab-CI", "for GitLab leave it out: write `--junit junit.xml`"),
            ("merge a b --ci jenkins", "for another system than GitHub Actions leave it out"),
            ("duet http://u http://v", "write `--a http://u --b http://v`"),
            ("duet u:8001 v:8002", "write `--a http://u:8001 --b http://v:8002`"),
            ("duet --a http://u http://v", "write `--b http://v`"),
            ("duet --b=http://v http://u shop.toml", "write `--a http://u`"),
            ("duet https://u:hunter2@h http://v", "write `--a URL --b http://v`"),
            ("duet shop.toml", "write `--a URL --b URL`"),
            ("duet --a shop.toml --b http://h", "the scenario file after both URLs"),
            ("duet -a http://h -b http://h", "write `--a URL --b URL`, with two dashes"),
            ("run http://h --threshold p95=1", "`--budget 'p95 < 300ms'`"),
            ("run --host http://h", "name the URL alone"),
            ("run -f shop.toml", "name the scenario file alone"),
            ("run http://h --budget p(95)<300", "write `p95 < 300ms`"),
            ("run http://h --budget p95<300", "write `p95 < 300ms`"),
            ("run http://h --budget http_req_duration", "write `p95 < 300ms`"),
            ("run http://h --budget avg<300", "a mean hides the slow requests"),
        ] {
            let answer = answer(typed);
            assert!(answer.contains(expected), "{typed}: {answer}");
            assert!(!answer.contains("hunter2"), "{answer}");
            assert!(answer.matches("tip: ").count() <= 1, "{answer}");
        }
    }

    #[test]
    fn a_flag_of_tollgate_is_not_taken_for_one_of_another_tool() {
        let command = super::super::command();
        let run = command.find_subcommand("run").unwrap();
        for flag in run.get_arguments() {
            let long = flag.get_long().map(|long| format!("--{long}"));
            let short = flag.get_short().map(|short| format!("-{short}"));
            for name in long.into_iter().chain(short) {
                assert_eq!(instead_of(&name), None, "{name}");
            }
        }
    }
}
