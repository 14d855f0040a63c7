//! `tollgate init` and `tollgate schema`, as they are typed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn tollgate(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(arguments).current_dir(folder).env_remove("TOLLGATE_TARGET").output().unwrap()
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn init_writes_a_starter_that_passes_the_check_and_names_the_next_steps() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, out, err) = said(&tollgate(folder.path(), &["init"]));
    assert_eq!((exit, err.as_str()), (0, ""));
    assert_eq!(
        out,
        "Wrote scenario.toml\n\nNext\n  tollgate check scenario.toml\n  TOLLGATE_TARGET=https://… tollgate run scenario.toml\n"
    );
    let mode = fs::metadata(folder.path().join("scenario.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    let (exit, out, err) = said(&tollgate(folder.path(), &["check", "scenario.toml"]));
    assert_eq!(exit, 0);
    assert!(out.starts_with("scenario.toml: ok\n"), "{out}");
    assert!(err.contains("variable `TOLLGATE_TARGET` is not set"), "{err}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
}

#[test]
fn a_url_fills_base_url_and_path_without_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, out, _) = said(&tollgate(
        folder.path(),
        &["init", "my probe.toml", "--url", "https://example.org:8443/shop?page=1&x=\"y\""],
    ));
    assert_eq!(exit, 0);
    assert!(
        out.ends_with("  tollgate check 'my probe.toml'\n  tollgate run 'my probe.toml'\n"),
        "{out}"
    );
    let text = fs::read_to_string(folder.path().join("my probe.toml")).unwrap();
    assert!(text.contains("\nbase_url = \"https://example.org:8443\"\n"), "{text}");
    assert!(text.contains("\npath = \"/shop?page=1&x=%22y%22\"\n"), "{text}");
    let (exit, _, err) = said(&tollgate(folder.path(), &["check", "my probe.toml"]));
    assert_eq!((exit, err.as_str()), (0, ""));
}

#[test]
fn a_file_is_overwritten_only_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.toml");
    fs::write(&path, "mine").unwrap();
    let (exit, out, err) = said(&tollgate(folder.path(), &["init"]));
    assert_eq!((exit, out.as_str()), (2, ""));
    assert!(err.contains("scenario.toml already exists and was not changed"), "{err}");
    assert!(err.contains("--force"), "{err}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    let (exit, ..) = said(&tollgate(folder.path(), &["init", "--force"]));
    assert_eq!(exit, 0);
    assert!(fs::read_to_string(&path).unwrap().contains("[[request]]"));
}

#[test]
fn an_overwritten_link_stays_a_link_to_the_starter() {
    let folder = tempfile::tempdir().unwrap();
    let [real, link] = ["real.toml", "scenario.toml"].map(|name| folder.path().join(name));
    fs::write(&real, "mine").unwrap();
    std::os::unix::fs::symlink("real.toml", &link).unwrap();
    assert_eq!(said(&tollgate(folder.path(), &["init", "--force"])).0, 0);
    assert!(link.is_symlink() && fs::read_to_string(&real).unwrap().contains("[[request]]"));
}

#[test]
fn a_starter_can_be_printed_instead_of_written() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, out, err) = said(&tollgate(folder.path(), &["init", "-"]));
    assert_eq!((exit, err.as_str()), (0, ""));
    assert_eq!(out, include_str!("../src/cli/starter.toml"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_invalid_url_or_path_is_a_usage_error_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, why) in [
        (
            ["init", "none/scenario.toml", "--force", "--force"].as_slice(),
            "cannot be used multiple times",
        ),
        (&["init", "none/scenario.toml"], "there is no folder none"),
        (&["init", "."], "is a directory"),
        (&["init", ".", "--force"], "is a directory"),
        (&["init", "--url", "example.org/canary"], "is not valid"),
        (&["init", "--url", "https://user:canary@example.org/"], "user name or password"),
        (&["init", "--url", "https://example.org/#canary"], "fragment"),
    ] {
        let (exit, out, err) = said(&tollgate(folder.path(), arguments));
        assert_eq!((exit, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(why) && !err.contains("canary"), "{arguments:?}: {err}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn schema_prints_the_committed_schema() {
    let (exit, out, err) = said(&tollgate(Path::new("."), &["schema"]));
    assert_eq!((exit, err.as_str()), (0, ""));
    assert_eq!(out, fs::read_to_string("docs/scenario.schema.json").unwrap());
}
