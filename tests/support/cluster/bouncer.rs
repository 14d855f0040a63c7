//! A real `PgBouncer` in front of a cluster, as the transaction pooler of hosted Supabase stands in
//! front of its own.

use std::net::TcpStream;
use std::path::Path;

use super::keeper::Keeper;
use super::port::Port;
use super::template::SUPERUSER;
use super::{Cluster, programs};

/// A pooler in transaction mode; it is ended and removed when dropped.
pub(crate) struct PgBouncer {
    keeper: Keeper,
    port: Port,
}

impl PgBouncer {
    /// A pooler with `pool_size` connections to the server for each pair of user and database.
    ///
    /// Whoever may log in at the cluster with a password may do so here. No startup parameter is
    /// ignored, so that a client which sends `extra_float_digits` is refused.
    pub(crate) fn start(cluster: &Cluster, pool_size: usize) -> Self {
        let port = Port::reserve();
        // It has nothing to put in order.
        let keeper = Keeper::new("KILL", &programs::pgbouncer(), &["pgbouncer.ini"]);
        write(keeper.folder(), "users", &format!("\"{SUPERUSER}\" \"{SUPERUSER}\"\n"));
        write(keeper.folder(), "pgbouncer.ini", &settings(&port, cluster, pool_size));
        let mut bouncer = Self { keeper, port };
        let address = ("127.0.0.1", bouncer.port());
        bouncer.keeper.start(|| TcpStream::connect(address).is_ok());
        bouncer
    }

    /// The loopback port.
    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// The folder that is there while the pooler is.
    pub(crate) fn folder(&self) -> &Path {
        self.keeper.folder()
    }

    /// What the pooler has said so far.
    pub(crate) fn log(&self) -> String {
        self.keeper.log()
    }

    /// The superuser's address of a database.
    pub(crate) fn url_of(&self, database: &str) -> String {
        self.url_as(SUPERUSER, SUPERUSER, database)
    }

    /// Somebody's address of a database, by 127.0.0.1.
    pub(crate) fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        super::url("127.0.0.1", self.port(), user, password, database)
    }
}

/// Passwords are looked up in the cluster: its SCRAM secrets serve the pooler on both sides
/// (<https://www.pgbouncer.org/config.html>, `auth_query`). A server that was away is tried again
/// at once.
fn settings(port: &Port, cluster: &Cluster, pool_size: usize) -> String {
    let (port, server) = (port.number(), cluster.port());
    format!(
        "[databases]\n\
         * = host=127.0.0.1 port={server}\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         pool_mode = transaction\n\
         default_pool_size = {pool_size}\n\
         max_client_conn = 500\n\
         auth_type = scram-sha-256\n\
         auth_file = users\n\
         auth_user = {SUPERUSER}\n\
         auth_query = select usename, passwd from pg_catalog.pg_shadow where usename = $1\n\
         server_login_retry = 0.1\n"
    )
}

fn write(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    programs::give_to_owner(&file);
}
