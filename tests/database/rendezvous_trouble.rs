//! Signals, and databases that cannot be used, while machines meet and while they are merged.

use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use crate::cluster;
use crate::meeting::{Meeting, PRESENT, assert_exit, ended, signal, spawn};

/// Starts a merge whose stderr is a file.
fn merge_into_file(meeting: &Meeting) -> (Child, PathBuf) {
    let path = meeting.folder.path().join("stderr");
    let mut merge = meeting.merge("m", &[]);
    (merge.stderr(File::create(&path).unwrap()).spawn().unwrap(), path)
}

/// Waits until a file has these words.
fn wait_for_words(file: &PathBuf, words: &str) {
    for _ in 0..600 {
        if std::fs::read_to_string(file).unwrap().contains(words) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("`{words}` was never said: {}", std::fs::read_to_string(file).unwrap());
}

#[test]
fn a_signal_ends_a_merge_that_waits_and_leaves_the_machines_alone() {
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(3);
    let machine = spawn(meeting.machine("a", &["--of", "2"]));
    meeting.wait_for(PRESENT, 1);
    let (mut merge, said) = merge_into_file(&meeting);
    wait_for_words(&said, "1 of 2 machines are there");
    signal(&merge, "INT");
    assert_eq!(merge.wait().unwrap().code(), Some(3));
    wait_for_words(&said, "nothing was merged; `tollgate merge --rendezvous deploy-42` merges");
    assert!(!std::fs::read_to_string(&said).unwrap().contains("no further run will start"));
    assert_eq!(meeting.count(PRESENT), 1);
    signal(&machine, "TERM");
    assert_exit(&ended(machine), 3, &[]);
}

#[test]
fn a_signal_while_shards_are_merged_does_not_stop_that_and_a_stop_afterwards_says_that_all_is_over()
{
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(3);
    let machines = ["a", "b"].map(|host| spawn(meeting.machine(host, &["--of", "2"])));
    for machine in machines {
        assert_exit(&ended(machine), 0, &[]);
    }
    let lock = "begin; lock table tollgate.intervals; select pg_sleep(600)";
    let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
    let (mut merge, said) = std::thread::scope(|scope| {
        scope.spawn(|| meeting.cluster.sql_as(&meeting.url, lock));
        meeting.wait_for(cluster::ASLEEP, 1);
        let (merge, said) = merge_into_file(&meeting);
        meeting.wait_for(waiting, 1);
        signal(&merge, "INT");
        wait_for_words(&said, "Finishing the merge first (signal again to end at once)");
        meeting.cluster.end_sleeps("fleet");
        (merge, said)
    });
    assert_eq!(merge.wait().unwrap().code(), Some(0), "{}", std::fs::read_to_string(said).unwrap());
    assert_eq!(meeting.runs(), 3);
    let stop = ended(spawn(meeting.merge("n", &["--stop"])));
    let says = ["is over, so there is nothing to stop", "are merged already", "PASS"];
    assert_exit(&stop, 0, &says);
}

/// Runs a command against a database with this address.
fn with_database(mut command: Command, url: &str, exit: i32, says: &[&str]) {
    command.env("DATABASE_URL", url);
    let said = assert_exit(&command.output().unwrap(), exit, says);
    assert!(!said.contains("canary-password"), "{said}");
}

#[test]
fn a_database_that_never_answers_holds_up_neither_a_machine_nor_a_merge() {
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(3);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    std::thread::spawn(move || silent.incoming().collect::<Vec<_>>());
    let url = format!("postgresql://ci:canary-password@127.0.0.1:{port}/fleet?connect_timeout=1");
    let says = ["no connection within 1 s"];
    with_database(meeting.machine("a", &["--of", "2"]), &url, 4, &says);
    with_database(meeting.merge("m", &[]), &url, 4, &says);
    assert_eq!(meeting.server.answered(), 0);
}

#[test]
fn a_database_of_an_older_schema_or_that_is_read_only_is_named_before_anything_is_sent() {
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(3);
    let machine = || meeting.machine("a", &["--of", "2", "--rendezvous-wait", "1s"]);
    meeting.cluster.sql("fleet", "alter database fleet set default_transaction_read_only = on");
    with_database(machine(), &meeting.url, 4, &["read-only"]);
    meeting.cluster.sql("postgres", "alter database fleet reset default_transaction_read_only");
    meeting.cluster.sql("fleet", "delete from tollgate.migrations where version > 5");
    let says = ["version 5", "`tollgate db migrate` brings it up to date"];
    with_database(machine(), &meeting.url, 4, &says);
    with_database(meeting.merge("m", &[]), &meeting.url, 4, &says);
    assert_eq!((meeting.server.answered(), meeting.count(PRESENT)), (0, 0));
}
