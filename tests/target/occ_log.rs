//! Tests what the rehearsal target's `occ-log` writes to a real database.

use serde_json::{Value, json};
use tollgate::target::{BackgroundTarget, TargetServer, TargetSettings};

use super::cluster::{self, Cluster};
use super::{Answer, Client, start};

const TABLE: &str = "create table public.observability_logs (id bigserial primary key, level text, message text, \
                     metadata jsonb, request_id text, user_agent text, created_at timestamptz default now()); \
                     alter table public.observability_logs enable row level security";
const ROWS: &str =
    "select level, message, metadata::text, request_id, user_agent from public.observability_logs";

/// A database with the table, and a target that writes to it.
fn with_table(flags: &[&str]) -> (Cluster, BackgroundTarget) {
    let cluster = Cluster::start();
    cluster.sql("postgres", TABLE);
    let target = start(&[&["--occ-log-database", &cluster.url()], flags].concat());
    (cluster, target)
}

fn log(target: &BackgroundTarget, headers: &str, line: &Value) -> Answer {
    let headers = format!("authorization: Bearer rehearsal-service\r\n{headers}");
    Client::connect(target).post("/functions/v1/occ-log", &headers, &line.to_string())
}

fn hello() -> Value {
    json!({ "level": "info", "message": "hello" })
}

fn row(values: &[&str]) -> Vec<Vec<String>> {
    vec![values.iter().map(|&value| value.to_owned()).collect()]
}

#[test]
fn a_line_is_written_before_it_is_answered() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, target) = with_table(&[]);
    let line = json!({ "level": "warn", "message": "it's \"here\"", "metadata": { "probe": 1 }, "more": [] });
    let headers = "x-request-id: run-7\r\nuser-agent: tollgate\r\n";
    assert_eq!(log(&target, headers, &line).status, 200);
    let rows = cluster.sql("postgres", &format!("{ROWS} where request_id = 'run-7'"));
    assert_eq!(rows, row(&["warn", "it's \"here\"", "{\"probe\": 1}", "run-7", "tollgate"]));
    assert_eq!(log(&target, "", &hello()).status, 200);
    let absent = "select count(*) from public.observability_logs \
                  where metadata is null and request_id is null and user_agent is null";
    assert_eq!(cluster.sql("postgres", absent), row(&["1"]));
}

#[test]
fn a_lost_session_is_reopened_and_no_line_is_written_twice() {
    if cluster::is_left_out() {
        return;
    }
    let (mut cluster, target) = with_table(&[]);
    assert_eq!(log(&target, "", &hello()).status, 200);
    let of_target = "select count(*) from pg_stat_activity where application_name like 'tollgate%'";
    assert_eq!(log(&target, "", &hello()).status, 200);
    assert_eq!(cluster.sql("postgres", of_target), row(&["1"]), "one session for all lines");
    cluster.sql(
        "postgres",
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'tollgate%'",
    );
    assert_eq!(log(&target, "", &hello()).status, 200);
    cluster.stop_immediate();
    let away = log(&target, "", &hello());
    assert_eq!(away.status, 500);
    assert!(away.json()["error"].as_str().unwrap().starts_with("not stored: "), "{}", away.body);
    cluster.restart();
    assert_eq!(log(&target, "", &hello()).status, 200);
    assert_eq!(
        cluster.sql("postgres", "select count(*) from public.observability_logs"),
        row(&["4"])
    );
}

#[test]
fn a_line_that_cannot_be_stored_is_an_error_and_the_next_one_is_not() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, target) = with_table(&[]);
    let unfit = log(&target, "", &json!({ "level": "info", "message": "\u{0}" }));
    assert_eq!(unfit.status, 500, "Postgres has no such character");
    cluster.sql("postgres", "alter table public.observability_logs rename to away");
    let absent = log(&target, "", &hello());
    assert_eq!(absent.status, 500);
    assert!(
        absent.body.contains("observability_logs") && !absent.body.contains("postgres@"),
        "{}",
        absent.body
    );
    cluster.sql("postgres", "alter table public.away rename to observability_logs");
    assert_eq!(log(&target, "", &hello()).status, 200);
}

#[test]
fn a_silent_database_delays_only_its_line() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, target) = with_table(&[]);
    assert_eq!(log(&target, "", &hello()).status, 200);
    cluster.pause();
    let mut waiting = Client::connect(&target);
    let body = hello().to_string();
    let length = body.len();
    waiting.send(&format!(
        "POST /functions/v1/occ-log HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer rehearsal-anon\r\n\
         content-length: {length}\r\n\r\n{body}"
    ));
    for path in ["/health", "/api", "/app?mock=1"] {
        assert_eq!(Client::connect(&target).get(path).status, 200, "{path}");
    }
    cluster.resume();
    assert_eq!(waiting.answer(true).status, 200);
}

#[test]
fn a_log_that_loses_lines_still_answers_ok() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, target) = with_table(&["--sick", "occ-log-lost"]);
    assert_eq!(log(&target, "", &hello()).status, 200);
    assert_eq!(
        cluster.sql("postgres", "select count(*) from public.observability_logs"),
        row(&["0"])
    );
    assert_eq!(log(&target, "", &json!({ "level": "info" })).status, 400);
}

#[test]
fn a_lax_log_writes_only_lines() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, target) = with_table(&["--sick", "occ-log-lax"]);
    assert_eq!(log(&target, "", &json!({ "level": "info" })).status, 200);
    assert_eq!(log(&target, "", &hello()).status, 200);
    assert_eq!(
        cluster.sql("postgres", "select count(*) from public.observability_logs"),
        row(&["1"])
    );
}

#[test]
fn a_late_log_answers_before_its_row_is_there() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, target) = with_table(&["--sick", "occ-log-late"]);
    let before = super::now();
    assert_eq!(log(&target, "", &hello()).status, 200);
    // The database waits for the row itself, for at most a minute.
    let wait = "do $$ begin for n in 1..600 loop exit when exists (select from public.observability_logs); \
                perform pg_sleep(0.1); commit; end loop; end $$; select count(*) from public.observability_logs";
    assert_eq!(cluster.sql("postgres", wait), row(&["1"]));
    assert!(before.elapsed().as_secs() >= 8, "written after {:?}", before.elapsed());
}

#[test]
fn a_malformed_database_url_is_refused_without_its_password() {
    let url = "postgresql://user:a-secret@host/db?sslmode=perhaps";
    let error =
        TargetServer::bind(&TargetSettings::from_flags(&["--occ-log-database", url]).unwrap())
            .err()
            .unwrap();
    assert!(error.is_usage());
    assert!(std::error::Error::source(&error).is_none(), "it is said once");
    let message = error.to_string();
    assert!(
        message.starts_with("--occ-log-database: ") && !message.contains("a-secret"),
        "{message}"
    );
}
