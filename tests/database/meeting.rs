//! Machines that meet in a database of their own, to load a server of their own.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use tollgate::record::RunRecord;

use crate::bench::{migrated, output_text, record, tollgate};
use crate::cluster::Cluster;
use crate::status_server::StatusServer;

/// A scenario, the server that it loads, and a database.
pub(crate) struct Meeting {
    pub(crate) folder: TempDir,
    pub(crate) server: StatusServer,
    pub(crate) cluster: Cluster,
    pub(crate) url: String,
}

impl Meeting {
    /// 75 arrivals per second for this long.
    pub(crate) fn new(seconds: u32) -> Self {
        let cluster = Cluster::start();
        let url = migrated(&cluster, "fleet");
        let meeting = Self {
            folder: tempfile::tempdir().unwrap(),
            server: StatusServer::start(),
            cluster,
            url,
        };
        meeting.write_scenario("shop.toml", seconds);
        meeting
    }

    pub(crate) fn write_scenario(&self, name: &str, seconds: u32) -> PathBuf {
        let path = self.folder.path().join(name);
        let text = format!(
            "name = \"shop\"\nbudgets = [\"p95 < 2s\"]\n[load]\narrival_rate = \"75/s\"\nduration = \"{seconds}s\"\n\
             connections = 6\n[target]\nbase_url = \"{}\"\n[gate]\nstalls = \"10ms\"\n[[request]]\nname = \"page\"\npath = \"/\"\n",
            self.server.base_url
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A machine with a runs folder of its own.
    pub(crate) fn machine(&self, host: &str, flags: &[&str]) -> Command {
        let mut command = tollgate();
        command.env("DATABASE_URL", &self.url).arg("run").arg(self.folder.path().join("shop.toml"));
        command.args(["--rendezvous", "deploy-42", "--lead", "3s"]).args(flags);
        command.arg("--runs-dir").arg(self.folder.path().join(host));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn merge(&self, host: &str, flags: &[&str]) -> Command {
        let mut command = tollgate();
        command.env("DATABASE_URL", &self.url).args(["merge", "--rendezvous", "deploy-42"]);
        command.args(flags).arg("--runs-dir").arg(self.folder.path().join(host));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The record that a merge in a runs folder of its own made, among the shards that it fetched.
    pub(crate) fn merged(&self, host: &str) -> RunRecord {
        let folders = std::fs::read_dir(self.folder.path().join(host)).unwrap();
        let mut records = folders.map(|entry| record(&entry.unwrap().path()));
        let is_whole = |record: &RunRecord| {
            record.measurement.sharing.as_ref().is_some_and(|sharing| sharing.parts.len() > 1)
        };
        records.find(is_whole).unwrap()
    }

    pub(crate) fn runs(&self) -> u64 {
        self.count("select count(*) from tollgate.runs")
    }

    pub(crate) fn count(&self, sql: &str) -> u64 {
        self.cluster.sql("fleet", sql)[0][0].parse().unwrap()
    }

    /// Waits until a count is reached.
    pub(crate) fn wait_for(&self, sql: &str, count: u64) {
        self.cluster.wait_for("fleet", sql, count);
    }
}

pub(crate) const PRESENT: &str = "select count(*) from tollgate.rendezvous_shards";
pub(crate) const SENDING: &str =
    "select count(*) from tollgate.rendezvous_shards where run is not null";

pub(crate) fn spawn(mut command: Command) -> Child {
    command.spawn().unwrap()
}

pub(crate) fn ended(child: Child) -> Output {
    child.wait_with_output().unwrap()
}

pub(crate) fn assert_exit(output: &Output, exit: i32, says: &[&str]) -> String {
    let shown = output_text(output);
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(exit), "{shown}");
    for sentence in says {
        assert!(words.contains(sentence), "{sentence}: {shown}");
    }
    words
}

pub(crate) fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
}
