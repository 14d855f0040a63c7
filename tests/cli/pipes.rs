//! Files that are not files: pipes, sockets, devices, links in circles. No command waits for one.

use std::path::{Path, PathBuf};
use std::process::Output;

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::bench::{text, tollgate};

fn pipe(path: &Path) -> PathBuf {
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
    path.to_owned()
}

fn run(words: &[&str], runs: &Path) -> Output {
    tollgate().args(words).arg("--runs-dir").arg(runs).output().unwrap()
}

/// The template's folder below `runs`, with a file that is not one.
fn broken_run(runs: &Path, name: &str, file: &str, place: impl Fn(&Path)) -> String {
    let folder = runs.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let record = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/run-template.json");
    if file != "run.json" {
        std::fs::copy(record, folder.join("run.json")).unwrap();
    }
    place(&folder.join(file));
    folder.to_str().unwrap().to_owned()
}

#[test]
fn a_pipe_among_the_files_of_a_run_is_reported_and_hangs_no_command() {
    let runs = tempfile::tempdir().unwrap();
    let whole = broken_run(runs.path(), "whole", "other", |_| {});
    let record = broken_run(runs.path(), "record", "run.json", |path| drop(pipe(path)));
    let link = broken_run(runs.path(), "link", "run.json", |path| {
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    });
    broken_run(runs.path(), "partial", "run.json", |path| {
        drop(pipe(&path.with_file_name("run.partial.json")));
    });
    broken_run(runs.path(), "mark", "store.json", |path| drop(pipe(path)));
    broken_run(runs.path(), "huge", "run.json", |path| {
        std::fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
    });
    let history = run(&["history"], runs.path());
    let said = text(&history.stderr);
    assert_eq!(history.status.code(), Some(0), "{said}");
    for what in [
        "record/run.json: it is a pipe, not a regular file",
        "link/run.json: it is a device, not a regular file",
        "huge/run.json: it is larger than 64 MiB",
    ] {
        assert!(said.contains(what), "{said}");
    }
    assert!(text(&history.stdout).contains("1 run"), "{}", text(&history.stdout));
    for words in [
        &["show", &record][..],
        &["show", &link],
        &["compare", &record, &whole],
        &["merge", &record, &whole],
    ] {
        let output = run(words, runs.path());
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("not a regular file"), "{}", text(&output.stderr));
    }
}

#[test]
fn a_pipe_that_a_scenario_or_a_variable_names_is_refused_and_one_that_is_open_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = pipe(&folder.path().join("pipe"));
    let name = file.to_str().unwrap();
    let scenario = |target: &str, request: &str| {
        let path = folder.path().join("scenario.toml");
        let text = format!(
            "name = \"x\"\n[target]\nbase_url = \"https://127.0.0.1:1\"\n{target}\n[[request]]\nname = \
             \"a\"\npath = \"/\"\n{request}\n[load]\nonce = true\n"
        );
        std::fs::write(&path, &text).unwrap();
        (path.to_str().unwrap().to_owned(), text)
    };
    let refused = |words: &[&str], variables: &[(&str, &str)]| {
        let output = tollgate().args(words).envs(variables.iter().copied()).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains("it is a pipe, not a regular file"), "{words:?}: {said}");
    };
    refused(&["check", name], &[]);
    for (target, request) in [
        ("", "method = \"POST\"\nbody_file = \"pipe\""),
        ("tls_ca = \"pipe\"", ""),
        ("tls_cert = \"pipe\"\ntls_key = \"pipe\"", ""),
    ] {
        refused(&["check", &scenario(target, request).0], &[]);
    }
    let url = "postgresql://u@127.0.0.1:1/x";
    refused(&["history", "--store", url], &[("PGPASSFILE", name)]);
    let url = "postgresql://u:p@127.0.0.1:1/x?sslmode=verify-full";
    for key in ["sslrootcert", "sslcert=/dev/null&sslkey"] {
        let output = run(&["sync", "--store", &format!("{url}&{key}={name}")], folder.path());
        assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("it is a pipe"), "{}", text(&output.stderr));
    }
    let (_, source) = scenario("", "");
    let mut check = tollgate();
    check.args(["check", "/dev/stdin"]).stdin(std::process::Stdio::piped());
    check.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = check.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), source.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}
