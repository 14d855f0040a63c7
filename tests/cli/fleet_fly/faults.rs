//! Fleets whose API fails on the way.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::bench::{ENDLESS, FleetBench, SHORT};
use crate::bench::{wait_until, words};
use crate::fly_api::description::assert_described;
use crate::fly_api::relay::Request;
use crate::fly_api::{MACHINES, call, text_of};

fn error(status: u16, said: &str) -> (u16, Value) {
    (status, json!({"error": said}))
}

fn is_create(request: &Request) -> bool {
    request.method == "POST" && request.path == MACHINES
}

/// The number of different machines that were made.
fn names(bench: &FleetBench) -> BTreeSet<String> {
    let path = format!("{MACHINES}?include_deleted=true");
    let (_, machines) = call(&bench.target.base_url, ("GET", &path), &[], "");
    let machines = machines.as_array().unwrap();
    let of_fleet =
        machines.iter().filter(|one| !one["config"]["metadata"]["tollgate_fleet"].is_null());
    of_fleet.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn machines_have_their_shard_their_files_and_no_secret_and_are_gone_afterwards() {
    let Some(mut bench) = FleetBench::new(SHORT) else { return };
    let relay = bench.relay(|_| None);
    let output = bench.fly(3, &["--hourly-price", "0.0862"]).output().unwrap();
    let said = words(&output.stderr);
    for part in [
        "in app rehearsal: 3 machines: 2 in ord, 1 in fra each performance-1x with 2048 MB, from \
         registry.fly.io/load:1, for at most",
        "so at most $0.07 at $0.0862 an hour; traffic",
        "Made machine",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let creates: Vec<Value> = relay
        .exchanges()
        .iter()
        .filter(|one| is_create(&one.request))
        .map(|one| serde_json::from_slice(&one.request.body).unwrap())
        .collect();
    assert_eq!(creates.len(), 3);
    for (index, body) in creates.iter().enumerate() {
        let config = &body["config"];
        assert_eq!(body["region"], if index == 1 { "fra" } else { "ord" });
        assert_eq!(config["env"]["TOLLGATE_SHARD_INDEX"], index.to_string());
        assert_eq!(config["env"]["TOLLGATE_TARGET"], bench.target.base_url);
        assert_eq!(config["env"]["SHOP_TOKEN"], Value::Null);
        assert_eq!(config["files"][0]["guest_path"], "/fleet/shop.toml");
        assert_eq!(
            text_of(&config["files"][0]["raw_value"]),
            std::fs::read_to_string(bench.path("shop.toml")).unwrap()
        );
        assert_eq!(
            (&config["auto_destroy"], &config["restart"]["policy"]),
            (&json!(true), &json!("no"))
        );
    }
    bench.assert_untouched();
    bench.assert_no_secret(&output);
    assert_described(&relay);
}

#[test]
fn creates_that_are_refused_or_whose_answer_is_lost_make_each_machine_once() {
    let Some(mut bench) = FleetBench::new("[job]\nruns = \"80s\"\n") else { return };
    let (api, faults) = (bench.target.base_url.clone(), AtomicUsize::new(0));
    let _relay = bench.relay(move |request| {
        if !is_create(request) {
            return None;
        }
        match faults.fetch_add(1, Ordering::SeqCst) {
            0 => Some(error(429, "rate limit exceeded")),
            1 => Some(error(503, "unavailable")),
            // It is carried out, and the answer is lost.
            2 | 4 => {
                let body = String::from_utf8(request.body.clone()).unwrap();
                assert_eq!(call(&api, ("POST", MACHINES), &[], &body).0, 200);
                Some(error(504, "gateway timeout"))
            }
            _ => None,
        }
    });
    let output = bench.fly(3, &[]).output().unwrap();
    let said = words(&output.stderr);
    assert_eq!(said.matches("Made machine").count(), 3, "{said}");
    assert_eq!(names(&bench).len(), 3);
    bench.assert_untouched();
}

#[test]
fn a_region_without_room_undoes_the_whole() {
    let Some(bench) = FleetBench::with_faults(ENDLESS, "full_regions = [\"fra\"]\n") else {
        return;
    };
    let output = bench.fly(3, &[]).output().unwrap();
    let said = words(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("insufficient resources"), "{said}");
    assert!(said.contains("name another region or a smaller size"), "{said}");
    assert_eq!(names(&bench).len(), 1);
    bench.assert_untouched();
}

#[test]
fn the_wait_and_the_end_outlast_an_api_that_is_away() {
    let Some(mut bench) = FleetBench::new(ENDLESS) else { return };
    let is_away = Arc::new(AtomicBool::new(false));
    let away = Arc::clone(&is_away);
    let _relay =
        bench.relay(move |_| away.load(Ordering::SeqCst).then(|| error(503, "unavailable")));
    let mut child = bench.start(2);
    bench.wait_for(2);
    is_away.store(true, Ordering::SeqCst);
    crate::bench::signal(&child, "INT");
    wait_until("the words", || bench.stderr().contains("Stopping: destroying the machines"));
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    assert_eq!(bench.made(), 2);
    is_away.store(false, Ordering::SeqCst);
    assert_eq!(child.wait().unwrap().code(), Some(3), "{}", bench.stderr());
    bench.assert_untouched();
}

#[test]
fn a_token_that_is_revoked_leaves_the_machines_to_a_later_command() {
    let Some(mut bench) = FleetBench::new(ENDLESS) else { return };
    let is_revoked = Arc::new(AtomicBool::new(false));
    let revoked = Arc::clone(&is_revoked);
    let _relay = bench.relay(move |_| {
        revoked.load(Ordering::SeqCst).then(|| error(403, "the token has expired"))
    });
    let mut child = bench.start(2);
    bench.wait_for(2);
    is_revoked.store(true, Ordering::SeqCst);
    assert_eq!(child.wait().unwrap().code(), Some(4), "{}", bench.stderr());
    let said = words(bench.stderr().as_bytes());
    assert!(
        said.contains("machines may be left, and cost money: run `tollgate fleet restore"),
        "{said}"
    );
    let failed = bench.restore();
    assert_eq!(failed.status.code(), Some(2), "{}", words(&failed.stderr));
    is_revoked.store(false, Ordering::SeqCst);
    let restored = bench.restore();
    assert_eq!(restored.status.code(), Some(0), "{}", words(&restored.stderr));
    assert!(words(&restored.stdout).contains("destroyed 2 machines"), "{restored:?}");
    bench.assert_untouched();
    bench.assert_no_secret(&restored);
}

#[test]
fn a_token_that_may_not_list_secrets_may_make_machines() {
    let Some(mut bench) = FleetBench::new(SHORT) else { return };
    let _relay =
        bench.relay(|request| (request.action() == "secrets").then(|| error(403, "not allowed")));
    let output = bench.fly(2, &[]).output().unwrap();
    let said = words(&output.stderr);
    assert!(said.contains("whether all secrets are set is not known"), "{said}");
    assert_eq!(said.matches("Made machine").count(), 2, "{said}");
    bench.assert_untouched();
}

#[test]
fn destroys_that_are_refused_once_are_sent_again() {
    let Some(mut bench) = FleetBench::new(ENDLESS) else { return };
    let refused = Mutex::new(BTreeSet::new());
    let _relay = bench.relay(move |request| {
        let is_new =
            request.method == "DELETE" && refused.lock().unwrap().insert(request.path.clone());
        is_new.then(|| error(409, "aborted: machine still attempting to start"))
    });
    let mut child = bench.start(2);
    bench.wait_for(2);
    assert_eq!(super::bench::interrupt(&mut child, "TERM"), Some(3), "{}", bench.stderr());
    bench.assert_untouched();
}

/// A fleet whose API answers lists, and calls about one machine, in these ways, one after the
/// other, once the machines are waited for; its stderr, and how many of its machines still run.
fn odd_answers(answers: Vec<(u16, Value)>, ends: bool) -> Option<(String, usize, Option<i32>)> {
    let mut bench = FleetBench::new(ENDLESS)?;
    let left = Arc::new(Mutex::new(Vec::new()));
    let pending = Arc::clone(&left);
    let relay = bench.relay(move |request| match request.method.as_str() {
        "GET" if request.action() != "secrets" => pending.lock().unwrap().pop(),
        _ => None,
    });
    let mut child = bench.start(2);
    wait_until("the wait", || bench.stderr().contains("Waiting until the machines have ended"));
    left.lock().unwrap().extend(answers.into_iter().rev());
    wait_until("the answers", || left.lock().unwrap().is_empty());
    if ends {
        wait_until("the end", || child.try_wait().unwrap().is_some());
    } else {
        let before = relay.count("GET", "machines");
        wait_until("further looks", || relay.count("GET", "machines") >= before + 4);
        assert!(child.try_wait().unwrap().is_none());
    }
    let running = bench.made();
    let code = if ends {
        child.wait().unwrap().code()
    } else {
        super::bench::interrupt(&mut child, "INT")
    };
    bench.assert_untouched();
    Some((words(bench.stderr().as_bytes()), running, code))
}

#[test]
fn a_few_odd_answers_do_not_end_the_wait_for_the_machines() {
    let no_list = (200, json!("hello"));
    let nothing = (200, json!([]));
    let gone = error(404, "not found");
    let mut answers = vec![no_list, gone.clone(), (302, json!(null)), error(418, "a teapot")];
    // A list that lacks both, and neither is found.
    answers.extend([nothing, gone.clone(), gone]);
    answers.extend([error(500, "failed"), error(403, "not now")]);
    let Some((said, running, code)) = odd_answers(answers, false) else { return };
    assert_eq!((running, code), (2, Some(3)), "{said}");
}

#[test]
fn unusable_answers_in_a_row_end_the_wait_and_destroy_the_machines() {
    let Some((said, running, code)) = odd_answers(vec![error(418, "a teapot"); 5], true) else {
        return;
    };
    assert_eq!((running, code), (0, Some(4)), "{said}");
    assert!(said.contains("the Machines API gave 5 unusable answers in a row"), "{said}");
    assert!(said.contains("a teapot"), "{said}");
}
