//! `tollgate demo`.

use crate::bench::{text, tollgate, tollgate_with_reports};

#[test]
fn the_demo_passes_and_leaves_nothing_running() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tollgate_with_reports();
    let output = command.args(["demo", "--runs-dir"]).arg(folder.path()).output().unwrap();
    let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{all}");
    for word in ["tile-loader-mock", "tile-loader-live", "PASS", "report.html"] {
        assert!(all.contains(word), "{word} in {all}");
    }
    // The demo chose its own load.
    assert!(!all.contains("tollgate demo` sets"), "{all}");
    let run = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let record = std::fs::read_to_string(run.join("run.json")).unwrap();
    assert!(record.contains("\"environment\": \"demo\""), "no history mixes it with other runs");
    let url =
        all.split("Rehearsal target: http://").nth(1).unwrap().split_whitespace().next().unwrap();
    assert!(std::net::TcpStream::connect(url).is_err(), "the rehearsal target still listens");
}

#[test]
fn an_unknown_target_flag_is_refused_without_naming_flags_that_were_not_typed() {
    let output = tollgate().args(["demo", "--", "--bogus"]).output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        message.contains("'--bogus'") && message.contains("tollgate target --help"),
        "{message}"
    );
    for word in ["--with-stdin", "--mock-latency", "did not start"] {
        assert!(!message.contains(word), "{word} in {message}");
    }
}
