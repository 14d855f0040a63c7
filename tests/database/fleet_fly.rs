//! `tollgate fleet fly` from its machines to the verdict. The test is the host of the simulated
//! machines: it runs their programs, and the shards meet in a real database.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use crate::bench::{migrated, output_text, tollgate};
use crate::cluster::{self, Cluster};
use crate::meeting::SENDING;

const TOKEN: &str = "canary-9b1de-token";

/// The value of a secret that only the app has.
const SECRET: &str = "canary-41f07-secret";

const MACHINES: &str = "/v1/apps/rehearsal/machines";

const FLY: &str = "scale = 20.0\nregions = [\"fra\"]\n\
    secrets = [\"SHOP_TOKEN\", \"DATABASE_URL\", \"FILE_USERS_CSV\"]\n\
    [[machine]]\n[service]\nautostop = \"off\"\n[faults]\nrate_limits = false\n";

const SCENARIO: &str = "name = \"shop\"\nbudgets = [\"errors = 0\"]\n\
    [target]\nbase_url = \"${TOLLGATE_TARGET}\"\ntimeout = \"2s\"\n\
    [headers]\nAuthorization = \"Bearer ${SHOP_TOKEN}\"\n\
    [data]\nfile = \"../data/users.csv\"\n\
    [[request]]\nname = \"plain\"\npath = \"/plain?user=${{data.user}}\"\n\
    [gate]\nstalls = \"10ms\"\n\
    [load]\narrival_rate = \"60/s\"\nduration = \"2s\"\nconnections = 6\n";

/// The simulated Fly, ended on drop.
struct FlyApp {
    child: Child,
    url: String,
}

impl FlyApp {
    fn start(folder: &Path) -> Self {
        let file = folder.join("fly.toml");
        std::fs::write(&file, format!("token = \"{TOKEN}\"\n{FLY}")).unwrap();
        let mut command = tollgate();
        command.arg("target").arg("--fly").arg(file).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }
}

impl Drop for FlyApp {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn call(url: &str, method: &str, path: &str) -> Value {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {TOKEN}\r\n\
         connection: close\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_default()
}

/// The machines that a fleet made.
fn machines(url: &str) -> Vec<Value> {
    let machines = call(url, "GET", MACHINES).as_array().unwrap().clone();
    let is_made = |one: &Value| one["config"]["metadata"]["tollgate_fleet"].is_string();
    machines.into_iter().filter(is_made).collect()
}

/// What runs the programs of machines, as Fly's hosts do.
struct MachineHost {
    url: String,
    folder: PathBuf,
    /// The database as the machines reach it.
    database: String,
    /// The number of the machine that somebody destroys while it waits.
    destroyed: Option<u32>,
}

impl MachineHost {
    /// Starts to serve; returns the exit codes of all programs, by the names of their machines.
    fn serve(self, is_over: Arc<AtomicBool>) -> JoinHandle<BTreeMap<String, Option<i32>>> {
        std::thread::spawn(move || {
            let mut programs: BTreeMap<String, (String, Child)> = BTreeMap::new();
            let mut codes = BTreeMap::new();
            while !is_over.load(Ordering::SeqCst) {
                for machine in machines(&self.url) {
                    let id = machine["id"].as_str().unwrap().to_owned();
                    if machine["state"] == "started" && !programs.contains_key(&id) {
                        let name = machine["name"].as_str().unwrap().to_owned();
                        let program = self.run(&id, &machine["config"]);
                        programs.insert(id, (name, program));
                    }
                }
                for (id, (name, program)) in &mut programs {
                    if codes.contains_key(name) {
                        continue;
                    }
                    if self.destroyed.is_some_and(|number| name.ends_with(&format!("-{number}"))) {
                        program.kill().unwrap();
                    }
                    if let Some(status) = program.try_wait().unwrap() {
                        codes.insert(name.clone(), status.code());
                        call(&self.url, "POST", &format!("{MACHINES}/{id}/stop"));
                    }
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            codes
        })
    }

    /// Starts the program of a machine with its files, its variables and the app's secrets.
    fn run(&self, id: &str, config: &Value) -> Child {
        let root = self.folder.join(id);
        let inside = |path: &str| root.join(path.trim_start_matches('/'));
        for file in config["files"].as_array().unwrap() {
            let path = inside(file["guest_path"].as_str().unwrap());
            let content = match file["secret_name"].as_str() {
                Some(name) => {
                    assert_eq!(name, "FILE_USERS_CSV");
                    format!("user\n{SECRET}\n").into_bytes()
                }
                None => BASE64_STANDARD.decode(file["raw_value"].as_str().unwrap()).unwrap(),
            };
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let mut command = tollgate();
        for word in config["init"]["cmd"].as_array().unwrap() {
            let word = word.as_str().unwrap();
            if word.starts_with("/fleet/") {
                command.arg(inside(word))
            } else {
                command.arg(word)
            };
        }
        for (name, value) in config["env"].as_object().unwrap() {
            command.env(name, value.as_str().unwrap());
        }
        command.env("DATABASE_URL", &self.database).env("SHOP_TOKEN", SECRET);
        command.current_dir(&root).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }
}

/// A fleet of three machines from its start to its end.
struct FlownFleet {
    output: Output,
    /// The exit codes of the shards.
    codes: Vec<Option<i32>>,
    folder: TempDir,
    /// The machines that are left.
    left: usize,
}

fn fly(database: &str, wait: &str, destroyed: Option<u32>) -> FlownFleet {
    let folder = tempfile::tempdir().unwrap();
    let app = FlyApp::start(folder.path());
    for (name, text) in
        [("load/shop.toml", SCENARIO.to_owned()), ("data/users.csv", format!("user\n{SECRET}\n"))]
    {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let host = MachineHost {
        url: app.url.clone(),
        folder: folder.path().join("hosts"),
        database: database.to_owned(),
        destroyed,
    };
    let is_over = Arc::new(AtomicBool::new(false));
    let programs = host.serve(Arc::clone(&is_over));
    let mut command = tollgate();
    command.args(["fleet", "fly", "load/shop.toml", "--app", "rehearsal", "--shards", "3"]);
    command.args(["--region", "ord,fra", "--image", "registry.fly.io/load:1"]);
    command.args(["--rendezvous-wait", wait, "--lead", "1s", "--output", "json"]);
    let output =
        environment(&mut command, &app.url, database).current_dir(folder.path()).output().unwrap();
    is_over.store(true, Ordering::SeqCst);
    let codes = programs.join().unwrap().into_values().collect();
    FlownFleet { output, codes, left: machines(&app.url).len(), folder }
}

fn environment<'a>(command: &'a mut Command, url: &str, database: &str) -> &'a mut Command {
    command.env("FLY_FLAPS_BASE_URL", url).env("FLY_API_TOKEN", TOKEN);
    command.env("TOLLGATE_TARGET", url).env("DATABASE_URL", database)
}

#[test]
fn three_machines_make_one_run_with_one_verdict_and_are_gone() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let database = migrated(&cluster, "fleet");
    let FlownFleet { output, codes, folder, left } = fly(&database, "20s", None);
    let said = output_text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!((codes, left), (vec![Some(0); 3], 0), "{said}");
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record["verdict"]["decision"], "pass", "{said}");
    let parts = record["measurement"]["sharing"]["parts"].as_array().unwrap();
    assert_eq!(parts.iter().map(|part| &part["shard"]).collect::<Vec<_>>(), [1, 2, 3]);
    let journals = std::fs::read_dir(folder.path().join("reports/fleets")).unwrap();
    assert_eq!(journals.count(), 0);
    let runs = cluster.sql("fleet", "select count(*) from tollgate.runs");
    assert_eq!(runs[0][0], "4", "three shards and the merged run");
    for text in [
        said,
        cluster.sql("fleet", "select string_agg(r::text, '') from tollgate.runs r")[0][0].clone(),
    ] {
        assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{text}");
    }
}

#[test]
fn a_fleet_whose_shards_are_all_stopped_is_merged_and_inconclusive() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let database = migrated(&cluster, "fleet");
    let stop = "update tollgate.rendezvous set stop = '{\"ended\": \"interrupted\"}'";
    let flown = std::thread::scope(|scope| {
        scope.spawn(|| {
            cluster.wait_for("fleet", SENDING, 3);
            cluster.sql("fleet", stop);
        });
        fly(&database, "20s", None)
    });
    let said = output_text(&flown.output);
    assert_eq!((flown.output.status.code(), flown.left), (Some(3), 0), "{said}");
    assert_eq!(flown.codes, [Some(3); 3], "{said}");
    let record: Value = serde_json::from_slice(&flown.output.stdout).unwrap();
    assert_eq!(record["measurement"]["sharing"]["parts"].as_array().unwrap().len(), 3);
    assert!(said.contains("the run was interrupted after"), "{said}");
}

#[test]
fn a_machine_that_somebody_destroys_makes_the_run_inconclusive_and_is_named() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let database = migrated(&cluster, "fleet");
    let FlownFleet { output, codes, left, .. } = fly(&database, "3s", Some(2));
    let said = output_text(&output);
    assert_eq!((output.status.code(), left), (Some(3), 0), "{said}");
    assert_eq!(codes, [Some(0), None, Some(0)], "{said}");
    assert!(said.contains("shard 2 of 3 is missing"), "{said}");
}
