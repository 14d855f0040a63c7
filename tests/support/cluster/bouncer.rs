//! A real `PgBouncer` in front of a cluster, like the transaction pooler of hosted Supabase.

use std::net::TcpStream;
use std::path::Path;

use super::keeper::Keeper;
use super::port::Port;
use super::template::SUPERUSER;
use super::{Cluster, programs};

/// A pooler in transaction mode, which is ended and removed on drop.
pub(crate) struct PgBouncer {
    keeper: Keeper,
    port: Port,
}

impl PgBouncer {
    /// Starts a pooler with `pool_size` connections to the server for each pair of user and
    /// database.
    ///
    /// A user who may log in at the cluster with a password may do so here. No start-up parameter
    /// is ignored, so a client that sends `extra_float_digits` is refused.
    pub(crate) fn start(cluster: &Cluster, pool_size: usize) -> Self {
        let port = Port::reserve();
        // A pooler has nothing to save, so it is killed.
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

    /// The folder, which exists as long as the pooler.
    pub(crate) fn folder(&self) -> &Path {
        self.keeper.folder()
    }

    /// The pooler's log so far.
    pub(crate) fn log(&self) -> String {
        self.keeper.log()
    }

    /// The URL of a database for the superuser.
    pub(crate) fn url_of(&self, database: &str) -> String {
        self.url_as(SUPERUSER, SUPERUSER, database)
    }

    /// The URL of a database for any user, at 127.0.0.1.
    pub(crate) fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        super::url("127.0.0.1", self.port(), user, password, database)
    }
}

/// The pooler looks passwords up in the cluster; the SCRAM secrets serve clients and server
/// (<https://www.pgbouncer.org/config.html>, `auth_query`). The pooler reconnects at once to a
/// server that was down.
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
