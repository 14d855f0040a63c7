//! The state of alerts in the database: two probers do not both send.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tollgate::history::{AlertKey, AlertRun, DueAlert};
use tollgate::postgres::DatabaseAddress;
use tollgate::store::AlertStore;
use uuid::Uuid;

use crate::bench::{migrated, output_text, tollgate};
use crate::cluster::{self, Cluster, PgBouncer};
use crate::status_server::StatusServer;

/// Adds a failed run and claims the message about it.
fn fail(url: &str, scenario: &str, number: u128) -> Option<DueAlert> {
    let address = DatabaseAddress::parse(url).unwrap();
    let key = AlertKey { scenario: scenario.to_owned(), environment: String::new() };
    let change = AlertStore::in_database(&address).change(&key, |state, now| {
        state.add(AlertRun { id: Uuid::from_u128(number), started: now, failed: true });
        let (rule, sender) = ("3 of 4".parse().unwrap(), Uuid::from_u128(number));
        state.claim(rule, sender, (now, now + Duration::from_mins(1)))
    });
    change.unwrap()
}

#[test]
fn of_probers_that_see_enough_failing_runs_at_the_same_time_one_sends() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let url = migrated(&cluster, "alerts");
    let writer = "create role ci login password 'ci' in role tollgate_writer";
    cluster.sql_as(&url, writer).unwrap();
    let writer = format!("postgresql://ci:ci@{}", url.split_once('@').unwrap().1);
    let bouncer = PgBouncer::start(&cluster, 4);
    for (scenario, url) in [("direct", writer), ("pooled", bouncer.url_of("alerts"))] {
        let probers = [1, 2, 3, 4, 5, 6].map(|number| {
            let url = url.clone();
            std::thread::spawn(move || fail(&url, scenario, number))
        });
        let due = probers.map(|prober| prober.join().unwrap());
        assert_eq!(due.iter().flatten().count(), 1, "{scenario}: {due:?}");
        assert!(due.iter().flatten().all(|due| due.failed >= 3), "{due:?}");
    }
}

/// A web service that counts what is posted to it.
fn counting_webhook() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"}") && matches!(stream.read(&mut byte), Ok(1)) {
                request.push(byte[0]);
            }
            counted.fetch_add(1, Ordering::SeqCst);
            let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    (url, count)
}

#[test]
fn jobs_without_a_common_runs_folder_share_an_alert_through_the_database() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let url = migrated(&cluster, "alerts");
    let (folder, server) = (tempfile::tempdir().unwrap(), StatusServer::start());
    let (hook, count) = counting_webhook();
    let scenario = folder.path().join("trial.toml");
    let text = format!(
        "name = \"trial\"\nbudgets = [\"errors = 0\"]\n[target]\nbase_url = \"{}\"\n\
         [[request]]\nname = \"page\"\npath = \"/\"\n[alert]\nafter = \"2 of 3\"\n\
         webhook = \"${{HOOK}}\"\n",
        server.base_url
    );
    std::fs::write(&scenario, text).unwrap();
    for (status, sent) in [(500, 0), (500, 1), (500, 1), (200, 1), (200, 2)] {
        server.set(status);
        let runs = tempfile::tempdir_in(folder.path()).unwrap();
        let mut command = tollgate();
        command.arg("run").arg(&scenario).arg("--runs-dir").arg(runs.path());
        let output = command.args(["--store", &url]).env("HOOK", &hook).output().unwrap();
        let shown = output_text(&output);
        assert_eq!(output.status.code(), Some(i32::from(status == 500)), "{shown}");
        assert_eq!(count.load(Ordering::SeqCst), sent, "{shown}");
        assert!(!shown.contains("WARNING: no alert"), "{shown}");
    }
}
