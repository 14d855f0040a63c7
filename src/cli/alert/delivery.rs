//! Brings a message to a webhook or to a command. An error never shows the webhook's URL.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process_group};
use url::Url;

use crate::engine::clock;
use crate::engine::probe::{self, FetchRequest};
use crate::library_text::describe_io;
use crate::plan::{AlertChannel, ProxyChoice};
use crate::record::Failure;
use crate::units::format_duration;

/// How long a delivery may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a command is looked at until it ends.
const COMMAND_LOOK: Duration = Duration::from_millis(20);

/// Delivers a message. The error says why in a clause.
pub(super) fn deliver(channel: &AlertChannel, message: &[u8]) -> Result<(), String> {
    match channel {
        AlertChannel::Webhook { url, proxies } => post(&url.0, proxies, message, PATIENCE),
        AlertChannel::Command { program, arguments } => run(program, arguments, message),
    }
}

/// Posts a message. Only a 2xx answer counts; redirects are not followed, because they would bring
/// the message to a place that nobody named.
fn post(
    url: &Url,
    proxies: &ProxyChoice,
    message: &[u8],
    patience: Duration,
) -> Result<(), String> {
    let agent = concat!("tollgate/", env!("CARGO_PKG_VERSION"));
    let headers = [
        (USER_AGENT, HeaderValue::from_static(agent)),
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
    ];
    let request = FetchRequest {
        method: Method::POST,
        body: Bytes::copy_from_slice(message),
        timeout: Some(patience),
        follows_redirects: false,
        proxies: proxies.clone(),
        ..FetchRequest::get(url.clone(), HeaderMap::from_iter(headers))
    };
    // The texts of these errors may name the URL's host.
    let outcome = probe::fetch(&request).map_err(|_| "the webhook cannot be reached")?;
    match outcome.response {
        Ok(page) => accepted(page.status, &page.headers),
        Err(failed) if failed.failure == Failure::TimedOut => {
            Err(too_late("the webhook", patience))
        }
        Err(failed) => Err(format!("the webhook: {}", failed.failure.description())),
    }
}

fn accepted(status: StatusCode, headers: &HeaderMap) -> Result<(), String> {
    match status {
        status if status.is_success() => Ok(()),
        status if status.is_redirection() => {
            let status = status.as_u16();
            Err(format!("the webhook answered {status}, and a redirect is not followed"))
        }
        status => Err(format!("the webhook answered {}{}", status.as_u16(), asked_wait(headers))),
    }
}

/// `, and asks to wait 30 s`; empty if a webhook states no seconds. Dates are not read.
fn asked_wait(headers: &HeaderMap) -> String {
    let text = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let seconds: Option<u32> = text.and_then(|text| text.parse().ok());
    let wait = seconds.map(|seconds| Duration::from_secs(seconds.into()));
    wait.map(|wait| format!(", and asks to wait {}", format_duration(wait))).unwrap_or_default()
}

fn too_late(what: &str, patience: Duration) -> String {
    format!("{what} took longer than {}", format_duration(patience))
}

/// Runs a command with the message on its stdin. What it prints is discarded: a program that it
/// leaves behind would otherwise keep the output of this one open.
fn run(program: &OsStr, arguments: &[String], message: &[u8]) -> Result<(), String> {
    let shown = format!("`{}`", program.display());
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // A group of its own, so that what the command starts can be ended with it.
    let mut child = command
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{shown} cannot be started: {}", describe_io(&error)))?;
    let stdin = child.stdin.take();
    let ended = thread::scope(|scope| {
        // A command need not read its input, and then writing ends with an error, which is none.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(message)));
        wait(&mut child)
    });
    match ended {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(format!("{shown} failed ({status})")),
        Ok(None) => Err(too_late(&shown, PATIENCE)),
        Err(error) => Err(format!("{shown}: {}", describe_io(&error))),
    }
}

/// How a command ended; `None` if it had to be killed, with everything that it started.
fn wait(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let deadline = clock::now() + PATIENCE;
    while clock::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(COMMAND_LOOK);
    }
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let _ended = group.map(|group| kill_process_group(group, Signal::KILL));
    child.wait()?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn sh(script: &str, message: &[u8]) -> Result<(), String> {
        run(OsStr::new("sh"), &["-c".to_owned(), script.to_owned()], message)
    }

    #[test]
    fn a_command_gets_the_message_and_its_failure_is_an_error() {
        assert_eq!(sh("test \"$(cat)\" = hello", b"hello"), Ok(()));
        assert!(sh("exit 7", b"hello").unwrap_err().starts_with("`sh` failed (exit status: 7"));
        let missing = run(OsStr::new("/nowhere/page.sh"), &[], b"").unwrap_err();
        assert!(missing.starts_with("`/nowhere/page.sh` cannot be started: "), "{missing}");
    }

    #[test]
    fn a_command_that_reads_nothing_succeeds_with_a_message_larger_than_a_pipe() {
        assert_eq!(sh("exit 0", &vec![b'x'; 1 << 20]), Ok(()));
    }

    #[test]
    fn only_a_2xx_answer_is_a_delivery() {
        let none = HeaderMap::new();
        assert_eq!(accepted(StatusCode::NO_CONTENT, &none), Ok(()));
        for (status, why) in [(302, "redirect is not followed"), (404, "answered 404")] {
            let refused = accepted(StatusCode::from_u16(status).unwrap(), &none).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn a_webhook_that_limits_its_rate_is_quoted_with_the_time_that_it_asks_for() {
        for (asked, words) in [
            ("30", "the webhook answered 429, and asks to wait 30 s"),
            ("3600", "the webhook answered 429, and asks to wait 60 min"),
            ("Sun, 29 Nov 2026 11:21:16 GMT", "the webhook answered 429"),
            ("99999999999999999999", "the webhook answered 429"),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, asked.parse().unwrap())]);
            let refused = accepted(StatusCode::TOO_MANY_REQUESTS, &headers).unwrap_err();
            assert_eq!(refused, words);
        }
    }

    #[test]
    fn a_webhook_that_never_answers_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let patience = Duration::from_millis(50);
        let error = post(&url, &ProxyChoice::default(), b"{}", patience).unwrap_err();
        assert_eq!(error, "the webhook took longer than 50 ms");
    }
}
