//! The PostgreSQL cluster.

use std::path::{Path, PathBuf};

use super::keeper::Keeper;
use super::port::Port;
use super::template::SUPERUSER;
use super::{is_left_out, programs, psql, template, tls};

/// A crash of the machine may lose data; a crash of the server loses nothing that was committed.
/// Shared memory is in the data folder, so that it is removed with it.
const SETTINGS: [&str; 7] = [
    "listen_addresses = '127.0.0.1'",
    "unix_socket_directories = ''",
    "fsync = off",
    "full_page_writes = off",
    "shared_buffers = '16MB'",
    "max_connections = 60",
    "dynamic_shared_memory_type = mmap",
];

/// A cluster whose superuser is `postgres` with the password `postgres`. It is ended and removed on
/// drop.
pub(crate) struct Cluster {
    keeper: Keeper,
    port: Port,
    programs: PathBuf,
    ca: Option<PathBuf>,
}

impl Cluster {
    /// Starts a new cluster, which listens on its own loopback port without TLS.
    pub(crate) fn start() -> Self {
        Self::with(&[], false)
    }

    /// Starts a new cluster with further lines of `postgresql.conf`.
    pub(crate) fn with_settings(settings: &[&str]) -> Self {
        Self::with(settings, false)
    }

    /// Starts a new cluster with TLS and a certificate for `localhost`, issued by the authority of
    /// [`Self::ca`]. Like Supabase, it also accepts connections without TLS.
    pub(crate) fn with_tls(settings: &[&str]) -> Self {
        Self::with(settings, true)
    }

    fn with(settings: &[&str], encrypted: bool) -> Self {
        assert!(
            !is_left_out(),
            "this test should have asked `cluster::is_left_out()` and returned"
        );
        let (programs, port) = (programs::postgres(), Port::reserve());
        let number = port.number().to_string();
        // QUIT is PostgreSQL's immediate shutdown.
        let keeper =
            Keeper::new("QUIT", &programs.join("postgres"), &["-D", "data", "-p", &number]);
        let mut cluster = Self { keeper, port, programs, ca: None };
        template::place(&cluster.programs, &cluster.data());
        let mut all = [&SETTINGS, settings].concat();
        if encrypted {
            cluster.ca = Some(tls::place(&cluster.data()));
            all.extend(tls::SETTINGS);
        }
        cluster.configure(&all);
        cluster.restart();
        cluster
    }

    /// Adds lines to `postgresql.conf`; the last line of a name counts. The server reads them at
    /// the next start.
    pub(crate) fn configure(&self, settings: &[&str]) {
        let file = self.data().join("postgresql.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}\n{}\n", settings.join("\n"))).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.keeper.folder().join("data")
    }

    /// The folder, which exists as long as the cluster.
    pub(crate) fn folder(&self) -> &Path {
        self.keeper.folder()
    }

    /// The loopback port, the same after a restart.
    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// The authority's certificate (PEM), which verifies that of the server.
    pub(crate) fn ca(&self) -> &Path {
        self.ca.as_deref().unwrap_or_else(|| panic!("this cluster was not started by `with_tls`"))
    }

    /// The server's log so far.
    pub(crate) fn log(&self) -> String {
        self.keeper.log()
    }

    /// The URL of the database `postgres` for the superuser.
    pub(crate) fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The URL of a database for the superuser.
    pub(crate) fn url_of(&self, database: &str) -> String {
        self.url_as(SUPERUSER, SUPERUSER, database)
    }

    /// The URL of a database for any user, at 127.0.0.1.
    pub(crate) fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        super::url("127.0.0.1", self.port(), user, password, database)
    }

    /// Makes an empty database that the superuser owns.
    pub(crate) fn create_database(&self, name: &str) {
        self.sql("postgres", &format!("create database \"{name}\""));
    }

    /// Runs statements as the superuser; returns the rows with the values as psql prints them.
    /// Panics with the server's error.
    ///
    /// Each statement is its own transaction. NULL is an empty text; a value with a line end
    /// becomes several rows.
    pub(crate) fn sql(&self, database: &str, statements: &str) -> Vec<Vec<String>> {
        self.sql_as(&self.url_of(database), statements)
            .unwrap_or_else(|complaint| panic!("{complaint}"))
    }

    /// Like [`Self::sql`], at any URL, with the server's error message as the error.
    pub(crate) fn sql_as(&self, url: &str, statements: &str) -> Result<Vec<Vec<String>>, String> {
        psql::run(&self.programs, url, statements)
    }

    /// Waits until a count in a database is at least this high.
    pub(crate) fn wait_for(&self, database: &str, count: &str, least: u64) {
        for _ in 0..3_000 {
            if self.sql(database, count)[0][0].parse::<u64>().unwrap() >= least {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("never {least} within a minute: {count}");
    }

    /// Ends the statements that sleep on the server.
    pub(crate) fn end_sleeps(&self, database: &str) {
        let all = "select pg_terminate_backend(pid) from pg_stat_activity \
                   where query like '%pg_sleep(600)%' and pid <> pg_backend_pid()";
        self.sql(database, all);
    }

    /// Ends the server like a crash, as `pg_ctl stop -m immediate` does, and waits for its end. Its
    /// data stay.
    pub(crate) fn stop_immediate(&mut self) {
        self.keeper.stop();
    }

    /// Starts the server again, on the same port with the same data, and waits until it accepts
    /// connections. A running server is ended first.
    pub(crate) fn restart(&mut self) {
        self.keeper.stop();
        let status = self.data().join("postmaster.pid");
        // What `pg_ctl --wait` looks for: the eighth line of the file
        // (src/include/utils/pidfile.h).
        self.keeper.start(|| {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            text.lines().nth(7).is_some_and(|line| line.trim() == "ready")
        });
    }

    /// Suspends all processes of the server: connections can be opened, and nothing is answered.
    pub(crate) fn pause(&self) {
        self.keeper.pause();
    }

    /// Resumes a paused server.
    pub(crate) fn resume(&self) {
        self.keeper.resume();
    }
}
