//! Fleets that are killed at any step, and `tollgate fleet restore` afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::bench::{ENDLESS, FleetBench, interrupt};
use crate::bench::{signal, wait_until, words};
use crate::fly_api::{MACHINES, call};

/// Asserts that `fleet restore` destroys what is left and nothing else, and that there is nothing
/// to do afterwards.
fn restores(bench: &FleetBench, left: usize) {
    let (own, made) = bench.machines();
    assert_eq!(made.len(), left, "{}", bench.stderr());
    assert_eq!(bench.journals().len(), 1);
    let restored = bench.restore();
    let said = words(&restored.stdout);
    assert_eq!(restored.status.code(), Some(0), "{said} {}", words(&restored.stderr));
    let expected = match left {
        0 => "no machine was left".to_owned(),
        1 => "destroyed machine".to_owned(),
        left => format!("destroyed {left} machines"),
    };
    assert!(said.contains(&expected), "{said}");
    let ids = |machines: &[Value]| machines.iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&bench.machines().0), ids(&own));
    bench.assert_untouched();
    let again = bench.restore();
    assert_eq!(again.status.code(), Some(0));
    assert!(words(&again.stdout).contains("Nothing to restore"), "{again:?}");
}

/// Kills a fleet when its API gets a call of this method, before or after it is carried out.
fn kill_in(method: &'static str, is_carried_out: bool, left: usize) {
    let Some(mut bench) = FleetBench::new(ENDLESS) else { return };
    let api = bench.target.base_url.clone();
    let (is_there, is_over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (there, over) = (Arc::clone(&is_there), Arc::clone(&is_over));
    let _relay = bench.relay(move |request| {
        if request.method != method || over.load(Ordering::SeqCst) {
            return None;
        }
        if is_carried_out {
            let path = format!("{}?{}", request.path, request.query);
            let body = String::from_utf8(request.body.clone()).unwrap();
            assert_eq!(call(&api, (method, path.trim_end_matches('?')), &[], &body).0, 200);
        }
        there.store(true, Ordering::SeqCst);
        while !over.load(Ordering::SeqCst) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Some((503, serde_json::json!({"error": "nobody listens"})))
    });
    let mut child = bench.start(2);
    if method == "DELETE" {
        bench.wait_for(2);
        signal(&child, "INT");
    }
    wait_until("the call", || is_there.load(Ordering::SeqCst));
    signal(&child, "KILL");
    child.wait().unwrap();
    is_over.store(true, Ordering::SeqCst);
    // Long ago: a create of that time is carried out by now, or never.
    let journal = std::fs::File::options().append(true).open(&bench.journals()[0]).unwrap();
    journal.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    restores(&bench, left);
}

#[test]
fn nothing_is_left_after_a_kill_before_a_create_is_carried_out() {
    kill_in("POST", false, 0);
}

#[test]
fn nothing_is_left_after_a_kill_between_a_create_and_its_answer() {
    kill_in("POST", true, 1);
}

#[test]
fn nothing_is_left_after_a_kill_before_a_machine_is_destroyed() {
    kill_in("DELETE", false, 2);
}

#[test]
fn nothing_is_left_after_a_kill_between_a_destroy_and_its_answer() {
    kill_in("DELETE", true, 1);
}

#[test]
fn machines_that_no_fleet_made_are_left_alone_even_if_they_look_like_it() {
    let Some(bench) = FleetBench::new(ENDLESS) else { return };
    let mut child = bench.start(3);
    bench.wait_for(3);
    wait_until("the last", || bench.stderr().matches("Made machine").count() == 3);
    assert_eq!(interrupt(&mut child, "KILL"), None);
    let made = bench.machines().1;
    // Somebody destroyed one, and copied another: the copy has its mark, but a name of its own.
    let gone = format!("{MACHINES}/{}?force=true", made[0]["id"].as_str().unwrap());
    assert_eq!(call(&bench.target.base_url, ("DELETE", &gone), &[], "").0, 200);
    let copy = bench.make_other("copy", &made[1]["config"]);
    let journal = bench.journals()[0].clone();
    let name = made[0]["name"].as_str().unwrap();
    let mut config = made[0]["config"].clone();
    config["metadata"]["tollgate_fleet"] = "another fleet of that name".into();
    let namesake = bench.make_other(name, &config);
    let restored = bench.fleet(&["restore", journal.to_str().unwrap()]).output().unwrap();
    assert_eq!(restored.status.code(), Some(0), "{}", words(&restored.stderr));
    assert!(words(&restored.stdout).contains("destroyed 2 machines"), "{restored:?}");
    let mut left: Vec<_> =
        bench.machines().1.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    left.sort();
    let mut expected = vec![copy, namesake];
    expected.sort();
    assert_eq!(left, expected);
}

#[test]
fn a_fleet_in_progress_is_not_restored_and_the_next_one_warns_of_a_killed_one() {
    let Some(bench) = FleetBench::new(ENDLESS) else { return };
    let mut child = bench.start(2);
    bench.wait_for(2);
    let refused = bench.restore();
    assert_eq!(refused.status.code(), Some(2));
    assert!(words(&refused.stderr).contains("is in progress"), "{refused:?}");
    assert_eq!(bench.made(), 2);
    signal(&child, "KILL");
    child.wait().unwrap();
    let mut next = bench.start(2);
    wait_until("the warning", || bench.stderr().contains("a killed fleet may have left machines"));
    bench.wait_for(4);
    assert_eq!(interrupt(&mut next, "INT"), Some(3), "{}", bench.stderr());
    restores(&bench, 2);
}

#[test]
fn a_name_is_used_again_only_after_its_machines_are_gone() {
    let Some(bench) = FleetBench::new(ENDLESS) else { return };
    let mut child = bench.fly(2, &["--name", "shop"]).spawn().unwrap();
    bench.wait_for(2);
    assert_eq!(interrupt(&mut child, "KILL"), None);
    let refused = bench.fly(2, &["--name", "shop"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = words(&refused.stderr);
    assert!(said.contains("run `tollgate fleet restore shop` if it was killed"), "{said}");
    let restored = bench.fleet(&["restore", "shop"]).output().unwrap();
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    bench.assert_untouched();
}

#[test]
fn an_app_that_is_gone_has_no_machines_and_its_journal_may_be_removed() {
    let bench = FleetBench::without_store(ENDLESS, "");
    std::fs::create_dir_all(bench.path("reports/fleets")).unwrap();
    let journal = serde_json::json!({
        "format": 1, "fleet": "a", "mark": "a/1", "app": "gone", "names": ["a-1"],
        "api": format!("{}/", bench.target.base_url), "started": "2026-11-29T15:00:00Z",
    });
    bench.write("reports/fleets/a.jsonl", &format!("{journal}\n"));
    let refused = bench.restore();
    let said = words(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("so are its machines: remove reports/fleets/a.jsonl"), "{said}");
    let elsewhere = journal.to_string().replace(&bench.target.base_url, "https://api.example");
    bench.write("reports/fleets/a.jsonl", &format!("{elsewhere}\n"));
    let refused = bench.restore();
    let said = words(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("set FLY_FLAPS_BASE_URL=https://api.example/"), "{said}");
}

#[test]
fn restore_names_what_it_cannot_use() {
    let bench = FleetBench::without_store(ENDLESS, "");
    let refused = bench.fleet(&["restore", "nowhere"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(words(&refused.stderr).contains("no journal of a fleet `nowhere`"), "{refused:?}");
    std::fs::create_dir_all(bench.path("reports/fleets")).unwrap();
    bench.write("reports/fleets/a.jsonl", "hello\n");
    bench.write("reports/fleets/b.jsonl", "");
    let refused = bench.restore();
    let said = words(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("line 1 is not one of a fleet's journal"), "{said}");
    assert!(words(&refused.stdout).contains("b.jsonl: no machine was made"), "{refused:?}");
    assert_eq!(bench.journals(), [bench.path("reports/fleets/a.jsonl")]);
}

#[test]
fn restore_leaves_a_file_that_is_not_a_journal_as_it_is() {
    let bench = FleetBench::without_store(ENDLESS, "");
    for foreign in ["{\"price\": 1}", "{\"price\": 1}\n{\"price\": 2}\n", "one\ntwo\n"] {
        bench.write("prices.jsonl", foreign);
        let refused = bench.fleet(&["restore", "prices.jsonl"]).output().unwrap();
        let said = words(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("prices.jsonl: line 1 is not one of a fleet's journal"), "{said}");
        assert_eq!(std::fs::read_to_string(bench.path("prices.jsonl")).unwrap(), foreign);
    }
}
