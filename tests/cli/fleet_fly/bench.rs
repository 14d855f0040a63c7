//! An app of the rehearsal that has one machine of its own, and a folder with a scenario.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::{Child, Command, Output};

use serde_json::{Value, json};

use crate::bench::{signal, text, tollgate, wait_until};
use crate::cluster::{self, Cluster};
use crate::fly_api::app::RehearsalApp;
use crate::fly_api::{MACHINES, TOKEN, call, files_below};

/// Machines that run until somebody ends them.
pub(super) const ENDLESS: &str = "";

/// Machines that end by themselves at once.
pub(super) const SHORT: &str = "[job]\nruns = \"1s\"\n";

/// A database that nobody needs before the verdict.
const NO_STORE: &str = "postgresql://nobody:canary-password@127.0.0.1:9/none";

const SCENARIO: &str = "name = \"trial\"\nbudgets = [\"errors = 0\"]\n\
    [target]\nbase_url = \"${TOLLGATE_TARGET}\"\ntimeout = \"1s\"\n\
    [headers]\nAuthorization = \"Bearer ${SHOP_TOKEN}\"\n\
    [[request]]\nname = \"plain\"\npath = \"/plain\"\n\
    [gate]\nstalls = \"10ms\"\n\
    [load]\narrival_rate = \"40/s\"\nduration = \"300ms\"\nconnections = 12\n";

/// The app, and the folder of its fleets.
pub(super) struct FleetBench {
    app: RehearsalApp,
    /// The address of the database.
    store: String,
    cluster: Option<Cluster>,
}

impl Deref for FleetBench {
    type Target = RehearsalApp;

    fn deref(&self) -> &RehearsalApp {
        &self.app
    }
}

impl DerefMut for FleetBench {
    fn deref_mut(&mut self) -> &mut RehearsalApp {
        &mut self.app
    }
}

impl FleetBench {
    /// An app whose file has these further tables, and a database in which machines can meet;
    /// `None` if tests have to do without databases.
    pub(super) fn new(tables: &str) -> Option<Self> {
        Self::with_faults(tables, "")
    }

    /// The same with faults of the API.
    pub(super) fn with_faults(tables: &str, faults: &str) -> Option<Self> {
        if cluster::is_left_out() {
            return None;
        }
        let cluster = Cluster::start();
        let store = cluster.url();
        let migrated = tollgate().args(["db", "migrate"]).env("DATABASE_URL", &store).output();
        assert!(migrated.unwrap().status.success());
        let bench = Self::without_store(tables, faults);
        Some(Self { store, cluster: Some(cluster), ..bench })
    }

    /// The same without a database, for what is refused before it is needed.
    pub(super) fn without_store(tables: &str, faults: &str) -> Self {
        let app = RehearsalApp::start(&format!(
            "scale = 20.0\nregions = [\"fra\", \"syd\"]\n\
             secrets = [\"SHOP_TOKEN\", \"DATABASE_URL\"]\n[[machine]]\n\
             [service]\nautostop = \"off\"\n{tables}\
             [faults]\nrate_limits = false\n{faults}"
        ));
        app.write("shop.toml", SCENARIO);
        Self { app, store: NO_STORE.to_owned(), cluster: None }
    }

    /// Executes SQL in the database.
    pub(super) fn sql(&self, statements: &str) {
        let cluster = self.cluster.as_ref().unwrap();
        cluster.sql_as(&self.store, statements).unwrap();
    }

    /// `tollgate fleet` with the variables of the API.
    pub(super) fn fleet(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("fleet", arguments);
        command.current_dir(self.folder()).env("TOLLGATE_TARGET", &self.target.base_url);
        command.env("DATABASE_URL", &self.store);
        command
    }

    /// `tollgate fleet fly` with machines in two regions, and these further arguments.
    pub(super) fn fly(&self, shards: u32, arguments: &[&str]) -> Command {
        let shards = shards.to_string();
        let own = ["fly", "shop.toml", "--app", "rehearsal", "--shards", &shards];
        let place = ["--region", "ord,fra", "--image", "registry.fly.io/load:1"];
        self.fleet(&[&own[..], &place, arguments].concat())
    }

    /// Starts a fleet whose stderr is a file.
    pub(super) fn start(&self, shards: u32) -> Child {
        self.spawn(self.fly(shards, &[]))
    }

    pub(super) fn restore(&self) -> Output {
        self.fleet(&["restore"]).output().unwrap()
    }

    /// The machines of the app that no fleet made, and those that one did.
    pub(super) fn machines(&self) -> (Vec<Value>, Vec<Value>) {
        let (_, machines) = call(&self.target.base_url, ("GET", MACHINES), &[], "");
        let machines = machines.as_array().unwrap().clone();
        machines.into_iter().partition(|one| one["config"]["metadata"]["tollgate_fleet"].is_null())
    }

    /// How many machines of fleets there are.
    pub(super) fn made(&self) -> usize {
        self.machines().1.len()
    }

    /// Waits until there are so many machines of the fleet.
    pub(super) fn wait_for(&self, machines: usize) {
        wait_until("the machines", || self.made() == machines);
    }

    /// Makes a machine in the app, as somebody else would.
    pub(super) fn make_other(&self, name: &str, config: &Value) -> String {
        let body = json!({"name": name, "config": config}).to_string();
        let (status, machine) = call(&self.target.base_url, ("POST", MACHINES), &[], &body);
        assert_eq!(status, 200, "{machine}");
        machine["id"].as_str().unwrap().to_owned()
    }

    /// The journals of fleets.
    pub(super) fn journals(&self) -> Vec<PathBuf> {
        let folder = self.path("reports/fleets");
        if folder.exists() { files_below(&folder) } else { Vec::new() }
    }

    /// Asserts that the app is as it was before any fleet.
    pub(super) fn assert_untouched(&self) {
        let (own, made) = self.machines();
        assert_eq!(made, [Value::Null; 0], "{}", self.stderr());
        let states: Vec<_> = own.iter().map(|machine| machine["state"].clone()).collect();
        assert_eq!(states, ["started"], "{}", self.stderr());
        assert_eq!(self.journals(), Vec::<PathBuf>::new(), "{}", self.stderr());
    }

    /// Asserts that neither the token nor the password is in an output or a file.
    pub(super) fn assert_no_secret(&self, output: &Output) {
        let mut texts = vec![text(&output.stdout), text(&output.stderr), self.stderr()];
        for file in files_below(self.folder()) {
            if !file.ends_with("fly.toml") {
                texts.push(text(&std::fs::read(file).unwrap()));
            }
        }
        for text in texts {
            assert!(!text.contains(TOKEN) && !text.contains("canary-password"), "{text}");
        }
    }
}

/// Interrupts a fleet, and waits until it has ended.
pub(super) fn interrupt(child: &mut Child, name: &str) -> Option<i32> {
    signal(child, name);
    child.wait().unwrap().code()
}
