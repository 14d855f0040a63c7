//! The cluster itself.

use std::path::{Path, PathBuf};

use super::keeper::Keeper;
use super::port::Port;
use super::template::SUPERUSER;
use super::{is_left_out, programs, psql, template, tls};

/// A crash of the machine may lose data, one of the server loses nothing that was committed. Shared
/// memory is in the data folder, so that it goes with it.
const SETTINGS: [&str; 7] = [
    "listen_addresses = '127.0.0.1'",
    "unix_socket_directories = ''",
    "fsync = off",
    "full_page_writes = off",
    "shared_buffers = '16MB'",
    "max_connections = 60",
    "dynamic_shared_memory_type = mmap",
];

/// A cluster whose superuser is `postgres` with the password `postgres`; it is ended and removed
/// when dropped.
pub(crate) struct Cluster {
    keeper: Keeper,
    port: Port,
    programs: PathBuf,
    ca: Option<PathBuf>,
}

impl Cluster {
    /// A new cluster, which listens on a loopback port of its own and knows no TLS.
    pub(crate) fn start() -> Self {
        Self::with(&[], false)
    }

    /// A new cluster with further lines of `postgresql.conf`.
    pub(crate) fn with_settings(settings: &[&str]) -> Self {
        Self::with(settings, false)
    }

    /// A new cluster that speaks TLS with a certificate for `localhost`, to be checked with the
    /// authority of [`Self::ca`]. It takes connections without TLS too, as Supabase does.
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

    /// Adds lines to `postgresql.conf`, where the last one of a name counts; they are read at the
    /// next start.
    pub(crate) fn configure(&self, settings: &[&str]) {
        let file = self.data().join("postgresql.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}\n{}\n", settings.join("\n"))).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.keeper.folder().join("data")
    }

    /// The folder that is there while the cluster is.
    pub(crate) fn folder(&self) -> &Path {
        self.keeper.folder()
    }

    /// The loopback port, the same after a restart.
    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// The certificate of the authority, in PEM, by which the server's can be checked.
    pub(crate) fn ca(&self) -> &Path {
        self.ca.as_deref().unwrap_or_else(|| panic!("this cluster was not started by `with_tls`"))
    }

    /// What the server has said so far.
    pub(crate) fn log(&self) -> String {
        self.keeper.log()
    }

    /// The superuser's address of the database `postgres`.
    pub(crate) fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The superuser's address of a database.
    pub(crate) fn url_of(&self, database: &str) -> String {
        self.url_as(SUPERUSER, SUPERUSER, database)
    }

    /// Somebody's address of a database, by 127.0.0.1.
    pub(crate) fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        super::url("127.0.0.1", self.port(), user, password, database)
    }

    /// Makes an empty database that the superuser owns.
    pub(crate) fn create_database(&self, name: &str) {
        self.sql("postgres", &format!("create database \"{name}\""));
    }

    /// The rows that statements give to the superuser, as psql shows their values; panics with the
    /// server's complaint.
    ///
    /// Each statement is a transaction of its own. NULL is an empty text; a value with a line end
    /// becomes several rows.
    pub(crate) fn sql(&self, database: &str, statements: &str) -> Vec<Vec<String>> {
        self.sql_as(&self.url_of(database), statements)
            .unwrap_or_else(|complaint| panic!("{complaint}"))
    }

    /// As [`Self::sql`], at any address, with the server's complaint as the error.
    pub(crate) fn sql_as(&self, url: &str, statements: &str) -> Result<Vec<Vec<String>>, String> {
        psql::run(&self.programs, url, statements)
    }

    /// Ends the server as a crash does, as `pg_ctl stop -m immediate`, and waits for its end. Its
    /// data stay.
    pub(crate) fn stop_immediate(&mut self) {
        self.keeper.stop();
    }

    /// Starts a server that was ended, on the same port with the same data, and waits until it
    /// takes connections. One that runs is ended first.
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

    /// Stops all processes of the server where they stand: connections open, and nothing is
    /// answered.
    pub(crate) fn pause(&self) {
        self.keeper.pause();
    }

    /// Lets a server that was paused go on.
    pub(crate) fn resume(&self) {
        self.keeper.resume();
    }
}
