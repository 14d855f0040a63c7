//! A fleet of Fly Machines: their configurations, their cost, and the journal by which they are
//! found again.

mod cost;
mod files;
mod journal;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use self::files::GuestFiles;
use super::deadline::MeetingTimes;
use super::error::JobError;
use super::job::{FleetJob, JobFile, STORE_VARIABLE, STORE_VARIABLES, VariableOrigin};
use super::shell;
use crate::units::{MachineSize, duration_literal};

pub use cost::{FleetCost, HourlyPrice};
pub use journal::{FleetJournal, JournalError, JournalLine, JournalStart, ListedMachine};

/// The metadata that says which fleet a machine belongs to.
pub const FLEET_MARK: &str = "tollgate_fleet";

/// The metadata that says which shard a machine runs.
const SHARD_MARK: &str = "tollgate_shard";

/// How long making one machine may take, while those that were made before wait: Fly takes one
/// create a second.
const MADE_WITHIN: Duration = Duration::from_secs(2);

/// What a fleet is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetName {
    /// The name of the rendezvous, with which the names of machines begin.
    pub name: String,
    /// What marks its machines. No other fleet has it, even one of the same name.
    pub mark: String,
}

/// What every machine of a fleet is.
#[derive(Debug, Clone)]
pub struct FlyMachineKind {
    /// The size of each machine.
    pub size: MachineSize,
    /// The image that they run.
    pub image: String,
    /// What replaces the image's entrypoint: the path of tollgate in the image.
    pub entrypoint: Option<String>,
    /// How long a shard waits for the others once all machines are made.
    pub rendezvous_wait: Duration,
    /// The time for setup and warm-up, once all are there; `None` for what the plan needs.
    pub lead: Option<Duration>,
}

/// Machines that share one run.
#[derive(Debug, Clone)]
pub struct FlyFleet {
    /// Its name.
    pub name: FleetName,
    /// The number of machines.
    pub shards: u32,
    /// The regions, which the machines take in turns.
    regions: Vec<String>,
    kind: FlyMachineKind,
    /// The words of the command line after the program.
    command: Vec<String>,
    /// The public variables. Secrets come from the app.
    variables: BTreeMap<String, String>,
    /// The variables that the app has to have as secrets.
    needed: BTreeSet<String>,
    files: GuestFiles,
    /// The longest load.
    length: Duration,
}

/// One machine to make.
#[derive(Debug)]
pub struct FleetMachine {
    /// Unique in the app.
    pub name: String,
    /// The region's three letters.
    pub region: String,
    /// The `config` in the body of *Create Machine*.
    pub config: Value,
}

impl FlyMachineKind {
    /// How long the first of so many shards waits for the others.
    fn wait_of(&self, shards: u32) -> Duration {
        self.rendezvous_wait + MADE_WITHIN.saturating_mul(shards)
    }
}

impl FlyFleet {
    /// The machines of a job, in these regions, of which there is at least one.
    ///
    /// Fails if files cannot be given to machines.
    pub fn of_job(
        job: &FleetJob,
        name: FleetName,
        regions: Vec<String>,
        kind: FlyMachineKind,
    ) -> Result<Self, JobError> {
        let files = GuestFiles::of(job)?;
        let mut variables = BTreeMap::new();
        let mut needed: BTreeSet<String> = files.secrets().map(str::to_owned).collect();
        needed.extend(job.reads_store.then(|| STORE_VARIABLE.to_owned()));
        for variable in &job.variables {
            let name = variable.name.clone();
            match &variable.origin {
                VariableOrigin::Public(value) => drop(variables.insert(name, value.clone())),
                VariableOrigin::PublicElsewhere | VariableOrigin::Secret { is_required: true } => {
                    needed.insert(name);
                }
                VariableOrigin::Secret { is_required: false } => {}
            }
        }
        Ok(Self {
            command: command(job, &name.name, &files, &kind),
            name,
            shards: job.shards,
            regions,
            kind,
            variables,
            needed,
            files,
            length: job.length,
        })
    }

    /// The machines, in the order of their shards.
    pub fn machines(&self) -> impl Iterator<Item = FleetMachine> {
        (0..self.shards).map(|index| FleetMachine {
            name: format!("{}-{}", self.name.name, index + 1),
            region: self.region_of(index).to_owned(),
            config: self.config(index),
        })
    }

    /// The secrets that the scenarios need and the app, whose secrets have these names, lacks.
    /// `DATABASE_URL` is one of them if nothing names the store.
    pub fn missing_secrets(&self, of_app: &[String]) -> Vec<String> {
        let is_there = |name: &str| of_app.iter().any(|known| known == name);
        let store = STORE_VARIABLE.to_owned();
        let store = (!STORE_VARIABLES.into_iter().any(is_there)).then_some(store);
        let missing: BTreeSet<String> = self.needed.iter().cloned().chain(store).collect();
        missing.into_iter().filter(|name| !is_there(name)).collect()
    }

    /// What has to be done about one of them.
    pub fn secret_remedy(&self, name: &str) -> String {
        match self.files.file_of(name) {
            Some(path) => format!("{name}=\"$(base64 <{} | tr -d '\\n')\"", shell::quote(path)),
            None => format!("{name}=…"),
        }
    }

    /// The longest time that one machine lives, in whole minutes.
    pub fn longest_life(&self) -> Duration {
        let wait = Some(self.kind.wait_of(self.shards));
        MeetingTimes { wait, lead: self.kind.lead }.longest_life(self.length)
    }

    /// What is about to be made, for a person: number, regions, size and image.
    pub fn summary(&self) -> String {
        let FlyMachineKind { size, image, .. } = &self.kind;
        let places: Vec<_> =
            self.counts().iter().map(|(region, count)| format!("{count} in {region}")).collect();
        format!(
            "{} machines: {}\n  each {size} with {} MB, from {image}, for at most {}",
            self.shards,
            places.join(", "),
            size.default_memory_mb(),
            duration_literal(self.longest_life())
        )
    }

    /// How many machines each region gets, in the order of the regions.
    fn counts(&self) -> Vec<(&str, usize)> {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for index in 0..self.shards {
            let region = self.region_of(index);
            match counts.iter_mut().find(|(known, _)| *known == region) {
                Some((_, count)) => *count += 1,
                None => counts.push((region, 1)),
            }
        }
        counts
    }

    fn region_of(&self, index: u32) -> &str {
        let turn = usize::try_from(index).unwrap_or_default() % self.regions.len().max(1);
        self.regions.get(turn).map_or("", String::as_str)
    }

    /// What the machine of a shard is. It has no service, so that Fly's proxy does not know it, and
    /// it is gone once its program has ended.
    fn config(&self, index: u32) -> Value {
        let mut env = self.variables.clone();
        env.insert("TOLLGATE_SHARD_INDEX".to_owned(), index.to_string());
        env.insert("TOLLGATE_SHARD_COUNT".to_owned(), self.shards.to_string());
        let mut init = json!({"cmd": self.command});
        if let Some(entrypoint) = &self.kind.entrypoint {
            init["entrypoint"] = json!([entrypoint]);
        }
        let size = self.kind.size;
        json!({
            "image": self.kind.image,
            "init": init,
            "env": env,
            "files": self.files.json(),
            "guest": {
                "cpu_kind": size.cpu_kind(),
                "cpus": size.cpus(),
                "memory_mb": size.default_memory_mb(),
            },
            "metadata": {
                FLEET_MARK: self.name.mark,
                SHARD_MARK: format!("{}/{}", index + 1, self.shards),
            },
            "restart": {"policy": "no"},
            "auto_destroy": true,
        })
    }
}

/// The words after the program. Reports are off: the machine's disk is destroyed with it.
fn command(
    job: &FleetJob,
    rendezvous: &str,
    files: &GuestFiles,
    kind: &FlyMachineKind,
) -> Vec<String> {
    let path = |file: &JobFile| files.guest_path(&file.path).unwrap_or(&file.path).to_owned();
    let mut words = vec!["run".to_owned()];
    words.extend(job.sources.iter().map(|source| source.word(path)));
    let mut flag = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    flag("--rendezvous", rendezvous);
    flag("--rendezvous-wait", &duration_literal(kind.wait_of(job.shards)).replace(' ', ""));
    if let Some(lead) = kind.lead {
        flag("--lead", &duration_literal(lead).replace(' ', ""));
    }
    flag("--shard", "auto");
    flag("--shard-exit", "done");
    if !job.flags.iter().any(|flag| flag.split('=').next() == Some("--report")) {
        flag("--report", "none");
    }
    words.extend(job.run_flags(path));
    words
}

#[cfg(test)]
mod tests;
