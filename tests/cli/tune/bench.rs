//! An app of simulated Fly machines, and a folder with a session's plan.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::{Child, Command, Output};

use serde_json::Value;

pub(super) use crate::bench::wait_until;
use crate::fly_api::app::RehearsalApp;
pub(super) use crate::fly_api::{MACHINES, TOKEN, assert_exit, call, files_below};

/// Simulated seconds in a real one, where nothing has to be seen on its way.
pub(super) const FAST: f64 = 50.0;

/// Slow enough that a machine is seen while it stops: for 250 ms.
pub(super) const SLOW: f64 = 2.0;

/// The scenario that every session measures.
pub(super) const SCENARIO: &str = "name = \"trial\"\nbudgets = [\"errors = 0\"]\n\
    [target]\nbase_url = \"${TOLLGATE_TARGET}\"\ntimeout = \"5s\"\n\
    [headers]\nUser-Agent = \"Shopify POS/HotDashSyntheticCheck\"\n\
    [[request]]\nname = \"page\"\npath = \"/app?mock=1\"\n\
    [gate]\nstalls = \"10ms\"\n\
    [load]\narrival_rate = \"40/s\"\nduration = \"300ms\"\nconnections = 2\n\
    [warmup]\nconnections = 2\nrequests = 2\n";

/// The configuration that every plan compares with.
pub(super) const AS_IT_IS: &str = "[[configuration]]\nname = \"as it is\"\n";

/// A configuration that is applied through the API.
pub(super) const LARGER: &str =
    "[[configuration]]\nname = \"2 GB\"\nmachine = { guest = { memory_mb = 2048 } }\n";

/// One machine that runs.
pub(super) const ONE: &str = "[[machine]]\n";

/// One machine that runs and one that is suspended.
pub(super) const TWO: &str = "[[machine]]\n[[machine]]\nstate = \"suspended\"\n";

/// A machine as a session has to leave it.
#[derive(Debug, PartialEq)]
pub(super) struct MachineLook {
    id: String,
    pub(super) state: String,
    config: Value,
}

/// The app, and the folder of its sessions.
pub(super) struct TuneBench {
    app: RehearsalApp,
    scale: f64,
}

impl Deref for TuneBench {
    type Target = RehearsalApp;

    fn deref(&self) -> &RehearsalApp {
        &self.app
    }
}

impl DerefMut for TuneBench {
    fn deref_mut(&mut self) -> &mut RehearsalApp {
        &mut self.app
    }
}

impl TuneBench {
    /// An app whose machines and further tables are `tables`, and a plan with these
    /// configurations.
    pub(super) fn new(scale: f64, tables: &str, configurations: &str) -> Self {
        Self::with_faults(scale, tables, configurations, "")
    }

    /// An app whose API has these faults.
    pub(super) fn with_faults(
        scale: f64,
        tables: &str,
        configurations: &str,
        faults: &str,
    ) -> Self {
        let own_service = tables.contains("[service]");
        let service = if own_service { "" } else { "[service]\nautostop = \"off\"\n" };
        let app = RehearsalApp::start(&format!(
            "scale = {scale:?}\n{tables}\n{service}\
             [work]\nboot_cpu = \"400ms\"\nrequest_cpu = \"1ms\"\nlatency = \"constant:60ms\"\n\
             warming = 0\ncache_seconds = 0\ncache_cost = \"0ms\"\n\
             [faults]\nrate_limits = false\n{faults}"
        ));
        let bench = Self { app, scale };
        bench.write("scenario.toml", SCENARIO);
        bench.plan("app = \"rehearsal\"\ncold = \"stop\"\nrounds = 1\n", configurations);
        bench
    }

    /// Writes the session's plan.
    pub(super) fn plan(&self, top: &str, configurations: &str) {
        let curve = "[curve]\nrate = \"20/s\"\nlimit = \"1s\"\n";
        let plan = format!("name = \"t\"\nscenario = \"scenario.toml\"\n{top}{curve}");
        self.write("tune.toml", &(plan + configurations));
    }

    /// `tollgate tune` with the folder of sessions and the API's variables.
    pub(super) fn tune(&self, arguments: &[&str]) -> Command {
        let mut command = self.tune_anywhere(arguments);
        command.arg("--sessions-dir").arg(self.path("sessions"));
        command
    }

    /// `tollgate tune` with the API's variables.
    pub(super) fn tune_anywhere(&self, arguments: &[&str]) -> Command {
        let url = &self.url;
        let mut command = self.command("tune", arguments);
        command.env("FLY_PROMETHEUS_URL", format!("{url}/prometheus")).env("FLY_ORG", "personal");
        command.env("TOLLGATE_TARGET", url);
        command
    }

    /// A session of the plan with `--app` and these flags.
    pub(super) fn session(&self, flags: &[&str]) -> Command {
        self.session_of(&[&["--app", "rehearsal"], flags].concat())
    }

    /// A session of the plan with these flags only.
    pub(super) fn session_of(&self, flags: &[&str]) -> Command {
        let mut command = self.tune(&[]);
        command.arg(self.path("tune.toml")).args(flags).arg("--runs-dir").arg(self.path("runs"));
        // The rehearsal samples its metrics every 15 simulated seconds.
        let step = format!("{}ms", (15_000.0 / self.scale).ceil());
        if self.scale >= FAST {
            command.args(["--metric-interval", &step]);
        } else {
            command.args(["--metric-interval", "10ms"]);
        }
        command
    }

    /// Runs a session to its end.
    pub(super) fn run(&self, flags: &[&str]) -> Output {
        self.session(flags).output().unwrap()
    }

    /// Starts a session whose stderr is a file.
    pub(super) fn start(&self, flags: &[&str]) -> Child {
        self.spawn(self.session(flags))
    }

    pub(super) fn restore(&self) -> Output {
        self.tune(&["restore"]).output().unwrap()
    }

    /// A call of the Machines API, below the app's machines, and the JSON that it answers.
    pub(super) fn api(&self, method: &str, path: &str, body: &str) -> Value {
        call(&self.target.base_url, (method, &format!("{MACHINES}{path}")), &[], body).1
    }

    pub(super) fn machines(&self) -> Vec<MachineLook> {
        let machines = self.api("GET", "", "");
        let look = |machine: &Value| MachineLook {
            id: machine["id"].as_str().unwrap().to_owned(),
            state: machine["state"].as_str().unwrap().to_owned(),
            config: machine["config"].clone(),
        };
        machines.as_array().unwrap().iter().map(look).collect()
    }

    pub(super) fn machine_id(&self, index: usize) -> String {
        self.machines()[index].id.clone()
    }

    /// Whether a machine is in this state now.
    pub(super) fn shows(&self, state: &str) -> bool {
        self.machines().iter().any(|machine| machine.state == state)
    }

    /// The folders of all sessions.
    pub(super) fn session_folders(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path("sessions")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The restore file of the only session, if there is one.
    pub(super) fn restore_file(&self) -> Option<PathBuf> {
        let files = self.session_folders().into_iter().map(|folder| folder.join("restore.json"));
        files.into_iter().find(|file| file.exists())
    }

    /// The folder of the only session.
    pub(super) fn session_folder(&self) -> PathBuf {
        let folders = self.session_folders();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders[0].clone()
    }

    /// The record of the only session.
    pub(super) fn record(&self) -> Value {
        let path = self.session_folder().join("session.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    /// The reason why a session is refused, with exit code 2. Neither the app nor the disk is
    /// changed.
    pub(super) fn refused(&self, command: &mut Command) -> String {
        let before = self.api("GET", "", "");
        let folders = self.session_folders();
        let output = command.output().unwrap();
        let problem = crate::bench::words(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{problem}");
        assert_eq!(self.api("GET", "", ""), before, "{problem}");
        assert_eq!(self.session_folders(), folders, "{problem}");
        assert!(!self.path("runs").exists() || !folders.is_empty(), "{problem}");
        problem
    }
}
