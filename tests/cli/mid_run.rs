//! What becomes of a run if the machine changes under it.
#![cfg(target_os = "linux")] // `prlimit`

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::bench::{
    Bench, PLAIN, Target, text, through_shell, tollgate, wait_for_intervals, words,
};

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn bench_of(target: &Target, connections: &str) -> Bench {
    let connections = format!("connections = {connections}");
    let load = PLAIN.replace("\"1s\"", "\"3s\"").replace("connections = 4", &connections);
    Bench::new(&target.base_url, "", &load)
}

#[test]
fn without_descriptors_the_limit_is_named_as_ours_and_the_run_is_kept() {
    let target = Target::start(&[]);
    for connections in ["4", "\"fresh\""] {
        let bench = bench_of(&target, connections);
        let child = start(&mut bench.command());
        wait_for_intervals(&bench, 1);
        let few = Rlimit { current: Some(6), maximum: Some(6) };
        prlimit(Some(Pid::from_child(&child)), Resource::Nofile, few).unwrap();
        let ended = child.wait_with_output().unwrap();
        let said = words(&ended.stderr);
        assert_eq!(ended.status.code(), Some(4), "{connections}: {said}");
        assert!(said.contains("too many open files") && said.contains("cannot write"), "{said}");
        assert!(said.contains("ulimit -n") && said.contains("tollgate show"), "{said}");
        assert!(!text(&ended.stdout).contains("run.json"), "{}", text(&ended.stdout));
        assert!(!said.contains("uncategorized"), "{said}");

        let shown = tollgate().arg("show").arg(bench.run_folder()).output().unwrap();
        assert_eq!(shown.status.code(), Some(3), "{}", text(&shown.stderr));
        let request = &bench.record().measurement.scenarios[0].requests[0].measured;
        assert!(request.tally.exchanges > 0 && request.tally.failed() == 0, "{request:?}");
    }
}

#[test]
fn a_file_that_may_not_grow_ends_the_run_with_an_error_and_what_was_written_is_kept() {
    let target = Target::start(&[]);
    let bench = bench_of(&target, "4");
    let mut command = through_shell("ulimit -f 8; exec \"$@\"", &bench.command());
    let ended = start(&mut command).wait_with_output().unwrap();
    let said = words(&ended.stderr);
    assert_eq!(ended.status.code(), Some(4), "{said}");
    assert!(said.contains("cannot write") && said.contains("file too large"), "{said}");
    let shown = tollgate().arg("show").arg(bench.run_folder()).output().unwrap();
    assert_eq!(shown.status.code(), Some(3), "{}", text(&shown.stderr));
}

#[test]
fn a_run_whose_folder_is_gone_or_elsewhere_prints_its_verdict_and_says_what_is_missing() {
    let target = Target::start(&[]);
    for is_moved in [false, true] {
        let bench = bench_of(&target, "4");
        let child = start(&mut bench.command());
        wait_for_intervals(&bench, 1);
        let aside = bench.folder.path().join("aside");
        fs::rename(bench.runs(), &aside).unwrap();
        let other = bench.folder.path().join("other");
        if is_moved {
            fs::create_dir(&other).unwrap();
            std::os::unix::fs::symlink(&other, bench.runs()).unwrap();
        }
        let ended = child.wait_with_output().unwrap();
        let (said, printed) = (words(&ended.stderr), text(&ended.stdout));
        assert_eq!(ended.status.code(), Some(4), "{said}");
        assert!(
            said.contains("cannot write") && said.contains("nothing of the run is in"),
            "{said}"
        );
        assert!(printed.contains("trial") && !printed.contains("Wrote"), "{printed}");
        assert!(!is_moved || fs::read_dir(&other).unwrap().next().is_none());
        let kept = fs::read_dir(&aside).unwrap().next().unwrap().unwrap().path();
        let shown = tollgate().arg("show").arg(kept).output().unwrap();
        assert_eq!(shown.status.code(), Some(3), "{}", text(&shown.stderr));
    }
}

#[test]
fn a_decision_of_the_gate_that_cannot_be_written_leaves_the_run_without_it() {
    let target = Target::start(&[]);
    let load = PLAIN.replace("[gate]\n", "[gate]\nfail_after = 2\n");
    let bench = Bench::new(&target.base_url, "budgets = [\"p50 < 1us\"]", &load);
    let database = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = database.local_addr().unwrap();
    let child = start(bench.command().arg("--store").arg(format!("postgres://u@{address}/d")));
    // The gate asks for earlier runs once the run is written.
    let asked = database.accept().unwrap();
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    prlimit(Some(Pid::from_child(&child)), Resource::Fsize, none).unwrap();
    drop((asked, database));
    let ended = child.wait_with_output().unwrap();
    let said = words(&ended.stderr);
    assert_eq!(ended.status.code(), Some(4), "{said}");
    assert!(said.contains("file too large; ") && said.contains(" has the run, but"), "{said}");
    assert_eq!(bench.record().gate, None);
}
