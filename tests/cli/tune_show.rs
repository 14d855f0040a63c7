//! `tollgate tune show` and `tune list`: sessions in their folders.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::bench::{text, tollgate, words};

/// A session of three configurations.
const SESSION: &str = include_str!("../support/session.json");
/// Its folder.
const NAME: &str = "2026-11-29T04-00-00Z-21ee1ce8";

/// A folder with one session.
fn sessions() -> TempDir {
    let sessions = tempfile::tempdir().unwrap();
    write(sessions.path(), NAME, SESSION);
    sessions
}

fn write(sessions: &Path, name: &str, json: &str) -> PathBuf {
    let folder = sessions.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("session.json"), json).unwrap();
    folder
}

fn tune(sessions: &Path, arguments: &[&str]) -> Command {
    let mut command = tollgate();
    command.arg("tune").args(arguments).arg("--sessions-dir").arg(sessions);
    command
}

fn output(sessions: &Path, arguments: &[&str]) -> Output {
    tune(sessions, arguments).output().unwrap()
}

#[test]
fn a_session_is_shown_by_any_of_its_names_and_its_reports_are_written() {
    let sessions = sessions();
    let first = output(sessions.path(), &["show"]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let shown = words(&first.stdout);
    assert!(shown.contains("staging warm-up") && shown.contains("7 of 15 attempts"), "{shown}");
    assert!(shown.contains("attempt 7 (B, round 3): the machine was replaced"), "{shown}");
    assert!(shown.contains("session.html session.md session.json"), "{shown}");
    for name in ["21ee1ce8", "staging warm-up"] {
        let again = output(sessions.path(), &["show", name]);
        assert_eq!(again.stdout, first.stdout, "{name}: {}", text(&again.stderr));
    }
    let folder = sessions.path().join(NAME);
    for file in ["session.html", "session.md", "phases-first.svg", "phases-first.png"] {
        assert!(folder.join(file).metadata().unwrap().len() > 1_000, "{file}");
    }
    assert_eq!(std::fs::read_to_string(folder.join("session.json")).unwrap(), SESSION);
}

#[test]
fn a_session_is_printed_as_json_and_as_markdown_and_nothing_else_is_on_stdout() {
    let sessions = sessions();
    let json = output(sessions.path(), &["show", "latest", "--output", "json"]);
    let printed: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(printed["name"], "staging warm-up");
    assert_eq!(printed["attempts"].as_array().unwrap().len(), 8);
    let markdown = output(sessions.path(), &["show", "latest", "--output", "markdown"]);
    let written = std::fs::read(sessions.path().join(NAME).join("session.md")).unwrap();
    assert_eq!(text(&markdown.stdout), text(&written));
}

#[test]
fn sessions_are_listed_newest_first_and_a_damaged_one_is_left_out_with_a_warning() {
    let sessions = sessions();
    let newer = SESSION.replace("2026-11-29T04:00:00Z", "2026-11-30T04:00:00Z");
    let newer = newer.replace("{\"ended\": \"complete\"}", "{\"ended\": \"interrupted\"}");
    write(sessions.path(), "2026-11-30T04-00-00Z-21ee1ce8", &newer);
    write(sessions.path(), "2026-11-28T04-00-00Z-00000000", &SESSION[..2_000]);
    let listed = output(sessions.path(), &["list"]);
    assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
    let shown = text(&listed.stdout);
    let places = ["2026-11-30T04-00-00Z-21ee1ce8", NAME].map(|name| shown.find(name).unwrap());
    assert!(places.is_sorted() && shown.contains("7 of 15"), "{shown}");
    assert!(shown.contains("interrupted") && shown.contains("complete"), "{shown}");
    let warned = words(&listed.stderr);
    assert!(warned.contains("left out") && warned.contains("it breaks off at"), "{warned}");
    let json = output(sessions.path(), &["list", "--output", "json"]);
    let printed: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(printed[1]["session"], NAME);
    assert_eq!(printed[1]["in_progress"], false);
}

#[test]
fn a_session_that_is_not_there_or_not_readable_is_a_usage_error_with_a_remedy() {
    let sessions = sessions();
    write(sessions.path(), "2026-11-28T04-00-00Z-00000000", &SESSION[..2_000]);
    write(sessions.path(), "2026-11-27T04-00-00Z-00000001", "{\"format\": 99}");
    for (name, said) in [
        ("nothing", "`tollgate tune list` lists the sessions"),
        ("2026-11-28", "restore the file from a copy"),
        ("2026-11-27", "use a newer tollgate"),
        ("2026-11", "several sessions go by `2026-11`"),
    ] {
        let refused = output(sessions.path(), &["show", name]);
        let stderr = words(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{name}: {stderr}");
        assert!(stderr.contains(said), "{name}: {stderr}");
    }
    let none = output(&sessions.path().join("none"), &["list"]);
    assert_eq!(none.status.code(), Some(0));
    assert!(words(&none.stdout).contains("There is no session in"), "{}", text(&none.stdout));
}

#[test]
fn the_reports_of_a_session_in_progress_are_left_to_the_process_that_writes_it() {
    let sessions = sessions();
    let folder = sessions.path().join(NAME);
    let lock = std::fs::File::create(folder.join("session.lock")).unwrap();
    lock.lock().unwrap();
    let shown = output(sessions.path(), &["show"]);
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
    assert!(words(&shown.stderr).contains("The session is in progress"), "{}", text(&shown.stderr));
    assert!(!folder.join("session.html").exists());
    assert!(text(&output(sessions.path(), &["list"]).stdout).contains("complete"));
}
