//! A tuning session is in the database once in each state, and comes back in its newest.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tollgate::record::session::{SessionEnding, SessionRecord};
use tollgate::store::{Database, DatabaseError, SessionFolder, UploadLimits};

use crate::bench::{migrated, open, output_text, tollgate};
use crate::cluster::{self, Cluster};

fn session() -> SessionRecord {
    serde_json::from_str(include_str!("../support/session.json")).unwrap()
}

/// The session as it was after some attempts.
fn earlier(attempts: usize) -> SessionRecord {
    let mut record = session();
    record.attempts.truncate(attempts);
    record.ending = Some(SessionEnding::Interrupted);
    record
}

fn keep(database: &mut Database, record: &SessionRecord) -> bool {
    database.store_session(record, UploadLimits::GENEROUS).unwrap().is_new
}

#[test]
fn a_session_comes_back_from_the_database_in_its_newest_state() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let mut database = open(&migrated(&cluster, "sessions"));
    // The newest one is sent first: an older state may arrive from another machine later.
    for record in [session(), earlier(3), earlier(5)] {
        assert!(keep(&mut database, &record));
        assert!(!keep(&mut database, &record), "each state is stored once");
    }
    let id = session().id.to_string();
    for name in [&session().folder_name(), &id, &id[28..], "2026-11-29T04", "staging warm-up"] {
        assert_eq!(database.fetch_session(name).unwrap(), session(), "{name}");
    }
    let listed = database.sessions().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].attempts, listed[0].ending.as_str()), (8, "complete"));
    assert_eq!(listed[0].headline, session().conclusion.unwrap().headline);
    for unknown in ["2027", "", "00000000-0000-7000-8000-000000000000", "x'; drop schema tollgate"]
    {
        let error = database.fetch_session(unknown).unwrap_err();
        assert!(matches!(error, DatabaseError::NoSession { .. }), "{unknown}: {error}");
    }
}

#[test]
fn pruning_the_database_deletes_only_replaced_states_of_old_sessions() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let mut database = open(&migrated(&cluster, "states"));
    for record in [earlier(3), earlier(5), session()] {
        keep(&mut database, &record);
    }
    cluster.sql("states", "update tollgate.sessions set started = '2026-01-01'");
    let keep_for = Duration::from_hours(24);
    let would = database.prune(keep_for, true).unwrap();
    assert_eq!(would.session_states, 2);
    assert_eq!(database.prune(keep_for, false).unwrap(), would);
    assert_eq!(database.prune(keep_for, false).unwrap().session_states, 0);
    assert_eq!(database.fetch_session("staging warm-up").unwrap(), session());
}

#[test]
fn the_writer_of_the_database_stores_sessions_and_reads_none_and_the_reader_only_reads() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let supabase = cluster.like_supabase();
    open(&supabase.owner).migrate().unwrap();
    for (role, of) in [("ci_writer", "tollgate_writer"), ("ci_reader", "tollgate_reader")] {
        let sql = format!("create role {role} login password '{role}' in role {of}");
        cluster.sql_as(&supabase.owner, &sql).unwrap();
    }
    let url = |role: &str| cluster.url_as(role, role, supabase.database);
    let mut writer = open(&url("ci_writer"));
    assert!(keep(&mut writer, &earlier(3)));
    assert!(!keep(&mut writer, &earlier(3)));
    assert!(keep(&mut writer, &session()));
    assert!(writer.sessions().is_err() && writer.fetch_session("staging warm-up").is_err());
    let mut reader = open(&url("ci_reader"));
    assert_eq!(reader.fetch_session("staging warm-up").unwrap(), session());
    assert!(reader.store_session(&session(), UploadLimits::GENEROUS).is_err());
    for role in ["anon", "authenticated", "service_role"] {
        let sql = format!("set role {role}; select count(*) from tollgate.sessions");
        assert!(cluster.sql_as(&supabase.authenticator, &sql).is_err(), "{role}");
    }
    for url in [url("ci_writer"), url("ci_reader")] {
        assert!(cluster.sql_as(&url, "delete from tollgate.sessions").is_err());
    }
}

/// Syncs runs and sessions below a folder; returns what the program printed.
fn sync(folder: &Path, url: &str) -> String {
    let mut command = tollgate();
    command.arg("sync").env("DATABASE_URL", url).current_dir(folder);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    output_text(&output)
}

#[test]
fn sync_uploads_each_state_of_a_session_to_the_database_once() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    let url = migrated(&cluster, "synced");
    let sessions: PathBuf = folder.path().join("reports/sessions");
    let writing = SessionFolder::create(&sessions, &earlier(3)).unwrap();
    let said = sync(folder.path(), &url);
    assert!(said.contains("0 sessions uploaded, 0 already there, 1 in progress"), "{said}");
    drop(writing);
    let path = sessions.join(session().folder_name());
    for (record, words) in [
        (earlier(3), "1 session uploaded, 0 already there"),
        (earlier(3), "0 sessions uploaded, 1 already there"),
        (session(), "1 session uploaded, 0 already there"),
    ] {
        SessionFolder::open(&path).unwrap().0.write(&record).unwrap();
        let said = sync(folder.path(), &url);
        assert!(said.contains(words), "{said}");
    }
    std::fs::remove_dir_all(&sessions).unwrap();
    let mut show = tollgate();
    show.args(["tune", "show", "staging warm-up"]).env("DATABASE_URL", &url);
    let output = show.current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    assert!(path.join("session.html").is_file(), "a session of the database gets a folder");
    let mut list = tollgate();
    list.args(["tune", "list", "--database"]).env("DATABASE_URL", &url);
    let listed = output_text(&list.output().unwrap());
    assert!(listed.contains(&session().folder_name()) && listed.contains("8 attempts"), "{listed}");
}

#[test]
fn a_site_has_the_pages_of_sessions_that_only_the_database_has() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let url = migrated(&cluster, "sessions");
    let mut database = open(&url);
    assert!(keep(&mut database, &earlier(3)) && keep(&mut database, &session()));
    database.close();
    let folders = tempfile::tempdir().unwrap();
    let build = |from: &[&str]| {
        let out = tempfile::tempdir().unwrap();
        let mut command = tollgate();
        command.args(["report", "--since", "2026-11-28", "--until", "2026-12-01"]).args(from);
        command.arg("--runs-dir").arg(folders.path()).arg("--sessions-dir").arg(folders.path());
        let built =
            command.arg("--out").arg(out.path()).env("DATABASE_URL", &url).output().unwrap();
        assert_eq!(built.status.code(), Some(0), "{}", output_text(&built));
        std::fs::read_to_string(out.path().join("index.html")).unwrap()
    };
    let title = format!("{} · staging warm-up", session().folder_name());
    for from in [&[][..], &["--from", "database"]] {
        let index = build(from);
        assert_eq!(index.matches("href=\"sessions/").count(), 1, "{from:?}");
        assert!(index.contains(&title), "{index}");
    }
    assert!(!build(&["--from", "folders"]).contains("href=\"sessions/"));
}
