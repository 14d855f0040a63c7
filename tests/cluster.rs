//! The real PostgreSQL and `PgBouncer` that tests start: they answer, stay separate, and leave
//! nothing behind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]
#![allow(
    clippy::disallowed_methods,
    reason = "other programs do not wait for a clock that is advanced"
)]

#[path = "support/cluster/mod.rs"]
mod cluster;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cluster::{Cluster, PgBouncer};

fn row(values: &[&str]) -> Vec<Vec<String>> {
    vec![values.iter().map(|value| (*value).to_owned()).collect()]
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    TcpStream::connect(("127.0.0.1", port))
}

/// Sends a start-up message: its length, then numbers or texts
/// (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
fn send_first(stream: &mut TcpStream, code: u32, rest: &[u8]) {
    let length = u32::try_from(8 + rest.len()).unwrap();
    stream.write_all(&[&length.to_be_bytes(), &code.to_be_bytes(), rest].concat()).unwrap();
}

const SSL_REQUEST: u32 = 80_877_103;
const PROTOCOL_3: u32 = 196_608;

#[test]
fn a_database_answers_and_is_gone_with_its_folder_and_port_after_drop() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let (folder, port) = (cluster.folder().to_owned(), cluster.port());
    let rows = cluster.sql(
        "postgres",
        "select 1 + 1, current_user, 'a|b', null; select '' where false; select 3",
    );
    assert_eq!(rows, [row(&["2", "postgres", "a|b", ""]), row(&["3"])].concat());
    assert!(folder.join("data").is_dir() && connect(port).is_ok());
    drop(cluster);
    assert!(!folder.exists(), "{}", folder.display());
    assert!(connect(port).is_err(), "port {port} is still taken");
}

#[test]
fn two_database_clusters_at_once_stay_separate() {
    if cluster::is_left_out() {
        return;
    }
    let clusters = [Cluster::start(), Cluster::start()];
    for (cluster, name) in clusters.iter().zip(["one", "other"]) {
        cluster.create_database(name);
    }
    let names = "select datname from pg_database where not datistemplate and datname <> 'postgres'";
    let rows = clusters.each_ref().map(|cluster| cluster.sql("postgres", names));
    assert_eq!(rows, [row(&["one"]), row(&["other"])]);
}

#[test]
fn a_database_that_was_stopped_in_the_middle_keeps_committed_rows() {
    if cluster::is_left_out() {
        return;
    }
    let mut cluster = Cluster::with_settings(&["max_connections = 7"]);
    let url = cluster.url();
    cluster.sql("postgres", "create table kept (value text); insert into kept values ('here')");
    cluster.stop_immediate();
    assert!(cluster.sql_as(&url, "select 1").unwrap_err().contains("Connection refused"));
    cluster.restart();
    let rows =
        cluster.sql_as(&url, "select value, current_setting('max_connections') from kept").unwrap();
    assert_eq!(rows, row(&["here", "7"]));
}

#[test]
fn a_paused_database_accepts_connections_and_does_not_answer_until_it_is_resumed() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.pause();
    let mut stream = connect(cluster.port()).unwrap();
    send_first(&mut stream, SSL_REQUEST, &[]);
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut answer = [0];
    let silence = stream.read(&mut answer).unwrap_err();
    assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock);
    cluster.resume();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"N");
}

#[test]
fn a_database_with_tls_is_verified_by_its_authority_and_only_as_localhost() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::with_tls(&[]);
    let at = |host: &str| {
        let url = cluster.url().replace("127.0.0.1", host);
        let url = format!("{url}?sslmode=verify-full&sslrootcert={}", cluster.ca().display());
        cluster.sql_as(&url, "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
    };
    assert_eq!(at("localhost"), Ok(row(&["t"])));
    let complaint = at("127.0.0.1").unwrap_err();
    assert!(complaint.contains("does not match host name"), "{complaint}");
}

#[test]
fn a_database_like_supabase_has_its_roles_and_an_owner_who_is_not_a_superuser() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let supabase = cluster.like_supabase();
    let rights = "select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls from pg_roles where rolname = current_user";
    assert_eq!(cluster.sql_as(&supabase.owner, rights), Ok(row(&["f", "t", "t", "t"])));
    for role in ["anon", "authenticated", "service_role"] {
        let rows = cluster
            .sql_as(&supabase.authenticator, &format!("set role {role}; select current_user"));
        assert_eq!(rows, Ok(row(&[role])));
    }
    cluster
        .sql_as(&supabase.owner, "create role made_by_owner; create table public.open (value int)")
        .unwrap();
    let rows = cluster
        .sql(supabase.database, "select has_table_privilege('anon', 'public.open', 'insert')");
    assert_eq!(rows, row(&["t"]), "Supabase opens what is made in public");
}

#[test]
fn a_bouncer_shares_few_connections_of_the_database_among_its_clients() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.sql("postgres", "create role \"o'ne @home\" login password 'p/a:s%s'");
    let bouncer = PgBouncer::start(&cluster, 1);
    let url = bouncer.url_as("o'ne @home", "p/a:s%s", "postgres");
    let whose = "select current_user, pg_backend_pid()";
    let rows = [0, 1].map(|_| cluster.sql_as(&url, whose).unwrap());
    assert_eq!(rows[0][0][0], "o'ne @home");
    assert_eq!(rows[0], rows[1], "both went through the one connection");
    let wrong =
        cluster.sql_as(&bouncer.url_as("o'ne @home", "wrong", "postgres"), whose).unwrap_err();
    assert!(wrong.contains("authentication failed"), "{wrong}");
}

#[test]
fn a_bouncer_refuses_clients_that_send_extra_float_digits_to_the_database() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let bouncer = PgBouncer::start(&cluster, 4);
    let mut stream = connect(bouncer.port()).unwrap();
    let parameters = b"user\0postgres\0database\0postgres\0extra_float_digits\x003\0\0";
    send_first(&mut stream, PROTOCOL_3, parameters);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with('E') && answer.contains("extra_float_digits"), "{answer}");
}

/// What [`is_killed_with_a_database`] prints once its servers run.
const RUNNING: &str = "running:";

#[test]
#[ignore = "it waits to be killed by a_killed_test_leaves_no_database_behind"]
fn is_killed_with_a_database() {
    let cluster = Cluster::start();
    let bouncer = PgBouncer::start(&cluster, 4);
    cluster.pause();
    let servers = [(cluster.port(), cluster.folder()), (bouncer.port(), bouncer.folder())];
    let entries = servers.map(|(port, folder)| format!("{RUNNING}{port} {}", folder.display()));
    println!("\n{}\n{RUNNING}", entries.join("\n"));
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_killed_test_leaves_no_database_behind() {
    if cluster::is_left_out() {
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "is_killed_with_a_database", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let entries = lines.filter_map(|line| line.strip_prefix(RUNNING).map(str::to_owned));
    let servers: Vec<(u16, PathBuf)> = entries.map_while(|line| server(&line)).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(servers.len(), 2);
    let started = Instant::now();
    for (port, folder) in servers {
        while is_there(port, &folder) {
            assert!(
                started.elapsed() < Duration::from_mins(1),
                "{} or port {port} is left",
                folder.display()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn server(line: &str) -> Option<(u16, PathBuf)> {
    let (port, folder) = line.split_once(' ')?;
    Some((port.parse().unwrap(), folder.into()))
}

fn is_there(port: u16, folder: &Path) -> bool {
    folder.exists() || connect(port).is_ok()
}
