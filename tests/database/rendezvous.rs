//! Machines that share a run meet in the database.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tollgate::record::{Decision, RunEnding, RunRecord};

use crate::bench::{output_text, tollgate};
use crate::cluster::{self, PgBouncer};
use crate::meeting::{Meeting, PRESENT, SENDING, assert_exit, ended, signal, spawn};

#[test]
fn machines_that_meet_behind_a_pooler_start_together_and_get_one_verdict_once() {
    if cluster::is_left_out() {
        return;
    }
    let mut meeting = Meeting::new(3);
    let pooler = PgBouncer::start(&meeting.cluster, 2);
    meeting.url = pooler.url_of("fleet");
    let merges = ["m", "n"].map(|host| spawn(meeting.merge(host, &[])));
    let machines = ["a", "b", "c"].map(|host| spawn(meeting.machine(host, &["--of", "3"])));
    for machine in machines {
        assert_exit(&ended(machine), 0, &["Exit code 0: the shard measured its part"]);
    }
    for merge in merges {
        assert_exit(&ended(merge), 0, &["PASS", " 225 "]);
    }
    assert_eq!(meeting.runs(), 4, "three shards, and one merged run by one of two merges");
    let whole = meeting.merged("m");
    let scenario = &whole.measurement.scenarios[0];
    assert_eq!((scenario.planned, scenario.released), (Some(225), 225));
    let sharing = whole.measurement.sharing.as_ref().unwrap();
    assert_eq!(sharing.parts.iter().map(|part| part.shard).collect::<Vec<_>>(), [1, 2, 3]);
    for part in &sharing.parts {
        let clock = part.clock.unwrap();
        assert!(clock.offset().abs().unsigned_abs() < Duration::from_secs(1), "{clock:?}");
    }
    let starts =
        "select count(*) from tollgate.rendezvous where starts is not null and merged is not null";
    assert_eq!(meeting.count(starts), 1);
    let again = ended(spawn(meeting.merge("later", &[])));
    assert_exit(&again, 0, &["are merged already", "PASS"]);
    assert_eq!(meeting.runs(), 4);
    let mut history = tollgate();
    history.env("DATABASE_URL", &meeting.url).args(["history", "--from", "database"]);
    let listed = output_text(&history.output().unwrap());
    assert_eq!(listed.matches("PASS").count(), 1, "{listed}");
}

#[test]
fn a_machine_that_is_started_again_sends_nothing_and_says_so() {
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(2);
    let machines = ["1/2", "2/2"].map(|shard| spawn(meeting.machine("a", &["--shard", shard])));
    for machine in machines {
        assert_exit(&ended(machine), 0, &[]);
    }
    let sent = meeting.server.answered();
    let again = ended(spawn(meeting.machine("elsewhere", &["--shard", "2/2"])));
    assert_exit(
        &again,
        0,
        &["shard 2 of 2 at the rendezvous `deploy-42` has already run", "no request was sent"],
    );
    let kept = ["--shard", "2/2", "--shard-exit", "verdict"];
    assert_exit(&ended(spawn(meeting.machine("elsewhere", &kept))), 3, &["has already run"]);
    let unplaced = ended(spawn(meeting.machine("elsewhere", &["--of", "2"])));
    assert_exit(&unplaced, 2, &["was fixed without this machine"]);
    assert_eq!((meeting.server.answered(), meeting.runs()), (sent, 2));
}

#[test]
fn another_plan_another_number_and_a_shard_that_is_taken_are_refused_before_anything_is_sent() {
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(2);
    let first = spawn(meeting.machine("a", &["--shard", "1/2"]));
    meeting.wait_for(PRESENT, 1);
    let refused = |flags: &[&str], says: &[&str]| {
        assert_exit(&ended(spawn(meeting.machine("b", flags))), 2, says);
    };
    refused(
        &["--shard", "1/2"],
        &["shard 1 of 2", "is taken by", "give each machine another --shard"],
    );
    refused(&["--of", "3"], &["it is for 2 machines, and this one expects 3"]);
    refused(&["--of", "2", "--rate", "40/s"], &["the machine that came first has another plan"]);
    refused(&["--of", "2", "--shard", "1/3"], &["--of says 2 machines and --shard 3"]);
    refused(&[], &["needs the number of machines"]);
    meeting.cluster.sql("fleet", "update tollgate.rendezvous set tollgate = '0.0.9'");
    refused(
        &["--of", "2"],
        &["its machines run tollgate 0.0.9", "use one version on all machines"],
    );
    assert_eq!(meeting.server.answered(), 0);
    signal(&first, "TERM");
    assert_exit(&ended(first), 3, &[]);
    assert_eq!(meeting.count(PRESENT), 0, "its place is free");
    assert_eq!((meeting.server.answered(), meeting.runs()), (0, 0));
}

#[test]
fn the_run_starts_without_machines_that_do_not_come_and_is_inconclusive_and_names_them() {
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(2);
    let wait = ["--of", "3", "--rendezvous-wait", "2s"];
    let judge = spawn(meeting.machine("a", &[&wait[..], &["--verdict"]].concat()));
    let other = spawn(meeting.machine("b", &wait));
    assert_exit(&ended(other), 0, &[]);
    let says = ["INCONCLUSIVE", "shard 3 of 3 is missing: no machine was there for it"];
    assert_exit(&ended(judge), 3, &says);
    let whole = meeting.merged("a");
    let reasons = &whole.verdict.scenarios[0].reasons;
    assert_eq!(reasons[0].what, "shard 3 of 3 is missing: no machine was there for it");
    assert!(reasons[0].next.contains("run it again with all shards"), "{reasons:?}");
}

#[test]
fn a_machine_that_dies_is_named_by_the_merge_and_does_not_hold_it_up() {
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(8);
    let [mut victim, other] = ["a", "b"].map(|host| spawn(meeting.machine(host, &["--of", "2"])));
    meeting.wait_for(SENDING, 2);
    let merge = spawn(meeting.merge("m", &["--output", "json"]));
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_exit(&ended(other), 0, &[]);
    let begun = Instant::now();
    let merged = ended(merge);
    assert_exit(&merged, 3, &["of 2 is missing", "was cut off, and was last heard of at"]);
    let whole: RunRecord = serde_json::from_slice(&merged.stdout).unwrap();
    let lost = &whole.measurement.sharing.unwrap().lost[0];
    assert!(lost.host.is_some() && lost.why.contains("was cut off"), "{lost:?}");
    let reason = &whole.verdict.scenarios[0].reasons[0].what;
    assert!(reason.ends_with(&format!(" of 2 is missing: {}", lost.words())), "{reason}");
    assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
}

#[test]
fn a_breach_that_the_first_shard_proves_and_a_merge_that_is_told_to_stop_end_all_machines() {
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(60);
    meeting.server.set(500);
    let begun = Instant::now();
    let machines = ["1/2", "2/2"].map(|shard| spawn(meeting.machine("a", &["--shard", shard])));
    for machine in machines {
        assert_exit(&ended(machine), 0, &["proven by blocks", "ended early after"]);
    }
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    assert_exit(&ended(spawn(meeting.merge("m", &[]))), 1, &["FAIL", "ended early after"]);
    let kept = ["--shard", "1/2", "--shard-exit", "verdict"];
    let says = ["has already run", "no request was sent"];
    assert_exit(&ended(spawn(meeting.machine("elsewhere", &kept))), 1, &says);

    meeting.server.set(200);
    let second = ["--rendezvous", "deploy-43", "--of", "2"];
    let machines = ["c", "d"].map(|host| {
        let mut machine = tollgate();
        machine.env("DATABASE_URL", &meeting.url).arg("run");
        machine.arg(meeting.folder.path().join("shop.toml")).args(second).args(["--lead", "3s"]);
        machine.arg("--runs-dir").arg(meeting.folder.path().join(host));
        spawn({
            machine.stdout(Stdio::piped()).stderr(Stdio::piped());
            machine
        })
    });
    meeting.wait_for(SENDING, 4);
    std::thread::sleep(Duration::from_secs(5));
    let mut stop = tollgate();
    stop.env("DATABASE_URL", &meeting.url).args(["merge", "--rendezvous", "deploy-43", "--stop"]);
    let stopped = stop.arg("--runs-dir").arg(meeting.folder.path().join("n")).output().unwrap();
    assert_exit(&stopped, 3, &["INCONCLUSIVE", "was interrupted"]);
    for machine in machines {
        assert_exit(&ended(machine), 3, &["The whole run ends: it was stopped"]);
    }
    let record = meeting.merged("n");
    assert_eq!(record.measurement.ending, RunEnding::Interrupted);
    assert_eq!(record.verdict.decision, Decision::Inconclusive);
    assert!(record.measurement.elapsed < Duration::from_secs(40), "{record:?}");
}

#[test]
fn a_machine_that_loses_the_database_goes_on_by_its_plan_and_stores_its_run_as_soon_as_it_can() {
    if cluster::is_left_out() {
        return;
    }
    let mut meeting = Meeting::new(8);
    let machines = ["a", "b"].map(|host| spawn(meeting.machine(host, &["--of", "2"])));
    meeting.wait_for(SENDING, 2);
    meeting.cluster.stop_immediate();
    std::thread::sleep(Duration::from_secs(15));
    let [patient, hurried] = machines;
    signal(&hurried, "TERM");
    let says = [
        "the rendezvous is out of reach, so this shard goes on by its plan",
        "the run is not stored",
        "cannot use this shard until `tollgate sync` has stored it",
    ];
    assert_exit(&ended(hurried), 4, &says);
    meeting.cluster.restart();
    assert_exit(&ended(patient), 0, &["Trying to store the run again", "Stored in"]);
    assert_exit(&ended(spawn(meeting.merge("m", &[]))), 3, &["of 2 is missing"]);
    for host in ["a", "b"] {
        let mut sync = tollgate();
        sync.env("DATABASE_URL", &meeting.url).arg("sync").arg("--runs-dir");
        assert_exit(&sync.arg(meeting.folder.path().join(host)).output().unwrap(), 0, &[]);
    }
    let merged = ended(spawn(meeting.merge("n", &[])));
    assert_exit(&merged, 0, &["PASS"]);
    assert_eq!(meeting.merged("n").measurement.scenarios[0].released, 600);
    let again = ended(spawn(meeting.merge("later", &[])));
    assert_exit(&again, 0, &["are merged already", "PASS"]);
}

#[test]
fn a_shard_that_did_not_store_its_part_is_not_called_done_when_its_job_is_repeated() {
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(20);
    let machines = ["1/2", "2/2"].map(|shard| spawn(meeting.machine("a", &["--shard", shard])));
    meeting.wait_for(SENDING, 2);
    std::thread::sleep(Duration::from_secs(5));
    let [first, second] = machines;
    signal(&first, "TERM");
    assert_exit(&ended(first), 3, &[]);
    let again = ended(spawn(meeting.machine("b", &["--shard", "1/2"])));
    assert_exit(&again, 3, &["did not measure and store its part", "no request was sent"]);
    assert_exit(&ended(second), 0, &[]);
}

#[test]
fn a_machine_that_dies_before_the_start_is_replaced_and_a_name_that_all_left_begins_anew() {
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(3);
    let wrong = spawn(meeting.machine("a", &["--of", "3", "--rendezvous-wait", "1h"]));
    meeting.wait_for(PRESENT, 1);
    signal(&wrong, "TERM");
    assert_exit(&ended(wrong), 3, &[]);
    let mut victim = spawn(meeting.machine("a", &["--shard", "1/2"]));
    meeting.wait_for(PRESENT, 1);
    victim.kill().unwrap();
    victim.wait().unwrap();
    std::thread::sleep(Duration::from_secs(6));
    let again = ["1/2", "2/2"].map(|shard| spawn(meeting.machine("a", &["--shard", shard])));
    for machine in again {
        assert_exit(&ended(machine), 0, &[]);
    }
    assert_exit(&ended(spawn(meeting.merge("m", &[]))), 0, &["PASS"]);
}

#[test]
fn machines_that_still_wait_are_sent_home_by_a_stop_and_a_stop_of_nothing_is_an_error() {
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(3);
    let nothing = ended(spawn(meeting.merge("m", &["--stop"])));
    assert_exit(&nothing, 2, &["no machine came to the rendezvous `deploy-42`"]);
    let waiting = spawn(meeting.machine("a", &["--of", "2"]));
    meeting.wait_for(PRESENT, 1);
    let stop = spawn(meeting.merge("m", &["--stop"]));
    assert_exit(&ended(waiting), 3, &["ends before it started: it was stopped"]);
    assert_exit(&ended(stop), 3, &["have left before the start, so nothing was measured"]);
    assert_eq!((meeting.server.answered(), meeting.count(PRESENT)), (0, 0));
}

#[test]
fn each_of_several_machines_that_are_asked_for_the_verdict_prints_it_alone() {
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(3);
    let flags = ["--of", "2", "--verdict", "--output", "json"];
    let machines = ["a", "b"].map(|host| spawn(meeting.machine(host, &flags)));
    for machine in machines {
        let output = ended(machine);
        assert_exit(&output, 0, &[]);
        let whole: RunRecord = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(whole.measurement.sharing.unwrap().parts.len(), 2);
    }
    assert_eq!(meeting.runs(), 3);
    let again = ended(spawn(meeting.machine("c", &["--shard", "2/2", "--verdict"])));
    assert_exit(&again, 0, &["no request was sent", "are merged already", "PASS"]);
}

#[test]
fn a_writer_may_take_part_and_only_a_reader_may_merge() {
    if cluster::is_left_out() {
        return;
    }
    let mut meeting = Meeting::new(3);
    let roles = "create role ci login password 'ci' in role tollgate_writer";
    meeting.cluster.sql_as(&meeting.url, roles).unwrap();
    let owner = meeting.url.clone();
    meeting.url = format!("postgresql://ci:ci@{}", owner.split_once('@').unwrap().1);
    assert_exit(&ended(spawn(meeting.machine("a", &["--of", "1"]))), 0, &[]);
    let kept = ["--shard", "1/1", "--shard-exit", "verdict"];
    let says = ["the verdict on this shard cannot be read", "tollgate_reader"];
    assert_exit(&ended(spawn(meeting.machine("b", &kept))), 3, &says);
    let refused = assert_exit(&ended(spawn(meeting.merge("m", &[]))), 4, &["tollgate_reader"]);
    assert!(!refused.contains("ci:ci"), "{refused}");
    meeting.url = owner;
    assert_exit(&ended(spawn(meeting.merge("m", &[]))), 0, &["PASS"]);
}

#[test]
fn a_rendezvous_without_a_database_a_name_or_machines_says_what_to_do() {
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(2);
    let mut without = meeting.machine("a", &["--of", "2"]);
    without.env_remove("DATABASE_URL");
    assert_exit(
        &without.output().unwrap(),
        2,
        &["the machines meet in a database, and none is named", "--start-at"],
    );
    let mut unnamed = tollgate();
    unnamed.args(["merge", "--rendezvous", " "]);
    assert_exit(&unnamed.output().unwrap(), 2, &["is not a name"]);
    let nobody = ended(spawn(meeting.merge("m", &["--rendezvous-wait", "1s"])));
    assert_exit(&nobody, 2, &["no machine came to the rendezvous `deploy-42`"]);
}
