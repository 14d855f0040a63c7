//! `tollgate completions` and `tollgate man`.

use std::process::Command;

use crate::bench::{text, tollgate};

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

#[test]
fn every_shells_script_contains_commands_and_flags() {
    for shell in SHELLS {
        let output = tollgate().args(["completions", shell]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = text(&output.stdout);
        for word in ["run", "print-scenario", "completions", "log-format"] {
            assert!(script.contains(word), "{word} for {shell}");
        }
    }
}

#[test]
fn bash_accepts_its_script_and_completes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("tollgate.bash");
    std::fs::write(&script, tollgate().args(["completions", "bash"]).output().unwrap().stdout)
        .unwrap();
    let typed = format!(
        "set -e; source {}; complete -p tollgate >/dev/null; COMP_WORDS=(tollgate run --print); COMP_CWORD=2; \
         _tollgate tollgate --print run; echo \"${{COMPREPLY[@]}}\"",
        script.display()
    );
    let Ok(bash) = Command::new("bash").args(["--norc", "-c", &typed]).output() else {
        println!("bash is not here: its script was not tried");
        return;
    };
    assert_eq!(text(&bash.stdout).trim(), "--print-scenario", "{}", text(&bash.stderr));
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let status =
        tollgate().args(["man", "--dir"]).arg(folder.path().join("man1")).status().unwrap();
    assert_eq!(status.code(), Some(0));
    for page in ["tollgate", "tollgate-run", "tollgate-demo", "tollgate-target", "tollgate-man"] {
        let page = std::fs::read_to_string(folder.path().join(format!("man1/{page}.1"))).unwrap();
        assert!(page.contains(".SH NAME") && page.contains(".SH OPTIONS"), "{page}");
    }
    let first = tollgate().arg("man").output().unwrap();
    assert!(text(&first.stdout).contains(".TH tollgate 1"), "{}", text(&first.stdout));
}
