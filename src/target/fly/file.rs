//! The file that describes a rehearsal of Fly, as it is written.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::FLY_TOKEN;
use super::super::latency::LatencyDistribution;
use super::super::warmth::WarmingCurve;
use super::config::MachineShape;
use super::effects::{ConfigEffect, WorkCost};
use super::machine::{JobEnd, MachineState};
use super::metrics::SAMPLE_EVERY;
use super::settings::{ApiFaults, FirstMachine, FlySettings, TimeScale, WorkSettings};
use super::written::{WrittenShift, WrittenSize, WrittenTime, latency, ratio};
use crate::library_text::describe_toml;
use crate::units::{MachineSize, Ratio};

/// The built-in file, named `demo`.
pub(super) const DEMO: &str = include_str!("demo.toml");

/// Most machines of the app.
pub(super) const MOST_MACHINES: usize = 100;

/// Slowest and fastest simulation.
const SCALES: std::ops::RangeInclusive<f64> = 0.01..=1_000.0;

/// Reads a rehearsal from the text of its file. An error says where the mistake is, what it is and
/// what to write instead.
pub(super) fn read_settings(text: &str) -> Result<FlySettings, String> {
    let file: FlyFile = toml::from_str(text).map_err(|error| describe(&error, text))?;
    file.resolve()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FlyFile {
    app: String,
    org: String,
    scale: f64,
    seed: u64,
    region: String,
    regions: Vec<String>,
    secrets: Vec<String>,
    token: String,
    metrics_every: WrittenTime,
    machine: Vec<MachineTable>,
    service: ServiceTable,
    job: JobTable,
    work: WorkTable,
    effect: Vec<EffectTable>,
    faults: FaultTable,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MachineTable {
    count: usize,
    size: WrittenSize,
    memory_mb: u64,
    state: FirstState,
    image: Option<String>,
    env: BTreeMap<String, String>,
    balance: WrittenTime,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FirstState {
    Started,
    Stopped,
    Suspended,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ServiceTable {
    autostart: bool,
    autostop: WrittenAutostop,
    idle: WrittenTime,
    self_ping: Option<WrittenTime>,
    min_machines_running: u32,
    soft_limit: u32,
    hard_limit: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JobTable {
    runs: Option<WrittenTime>,
    exit_code: i64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenAutostop {
    Off,
    Stop,
    Suspend,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WorkTable {
    boot_cpu: WrittenTime,
    resume: WrittenTime,
    request_cpu: WrittenTime,
    #[serde(deserialize_with = "latency")]
    latency: LatencyDistribution,
    warming: u64,
    warming_factor: f64,
    cache_seconds: u64,
    cache_cost: WrittenTime,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EffectTable {
    cpus: Option<u32>,
    cpu_kind: Option<String>,
    memory_mb: Option<u64>,
    env: BTreeMap<String, String>,
    latency: Option<WrittenShift>,
    latency_factor: Option<f64>,
    boot_cpu: Option<WrittenTime>,
    request_cpu: Option<WrittenTime>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FaultTable {
    #[serde(deserialize_with = "ratio")]
    error_rate: Ratio,
    slow_wait: WrittenTime,
    rate_limits: bool,
    full_regions: Vec<String>,
}

impl Default for FlyFile {
    fn default() -> Self {
        Self {
            app: "rehearsal".to_owned(),
            org: "personal".to_owned(),
            scale: 1.0,
            seed: 1,
            region: "ord".to_owned(),
            regions: Vec::new(),
            secrets: Vec::new(),
            token: FLY_TOKEN.to_owned(),
            metrics_every: WrittenTime(SAMPLE_EVERY),
            machine: vec![MachineTable::default()],
            service: ServiceTable::default(),
            job: JobTable::default(),
            work: WorkTable::default(),
            effect: Vec::new(),
            faults: FaultTable::default(),
        }
    }
}

impl Default for MachineTable {
    fn default() -> Self {
        Self {
            count: 1,
            size: WrittenSize(MachineSize::shared(1)),
            memory_mb: 1024,
            state: FirstState::Started,
            image: None,
            env: BTreeMap::new(),
            balance: WrittenTime(Duration::from_secs(5)),
        }
    }
}

impl Default for ServiceTable {
    fn default() -> Self {
        Self {
            autostart: true,
            autostop: WrittenAutostop::Stop,
            idle: WrittenTime(Duration::from_mins(5)),
            self_ping: None,
            min_machines_running: 0,
            soft_limit: 20,
            hard_limit: 25,
        }
    }
}

impl Default for WorkTable {
    fn default() -> Self {
        let millis = |millis| WrittenTime(Duration::from_millis(millis));
        Self {
            boot_cpu: millis(2_000),
            resume: millis(300),
            request_cpu: millis(4),
            latency: LatencyDistribution::LogNormal {
                median: Duration::from_millis(120),
                sigma: 0.1,
            },
            warming: 40,
            warming_factor: 3.0,
            cache_seconds: 300,
            cache_cost: millis(80),
        }
    }
}

impl Default for FaultTable {
    fn default() -> Self {
        Self {
            error_rate: Ratio::ZERO,
            slow_wait: WrittenTime(Duration::ZERO),
            rate_limits: true,
            full_regions: Vec::new(),
        }
    }
}

impl FlyFile {
    fn resolve(self) -> Result<FlySettings, String> {
        self.check()?;
        let mut machines = Vec::new();
        for table in &self.machine {
            let first = self.first_machine(table)?;
            machines.extend(std::iter::repeat_n(first, table.count.min(MOST_MACHINES + 1)));
        }
        if machines.is_empty() || machines.len() > MOST_MACHINES {
            return Err(format!(
                "there are {} machines; write 1 to {MOST_MACHINES}",
                machines.len()
            ));
        }
        Ok(FlySettings {
            token: SecretString::from(self.token),
            seed: self.seed,
            scale: TimeScale(self.scale),
            metrics_every: self.metrics_every.0,
            machines,
            idle: self.service.idle.0,
            self_ping: self.service.self_ping.map(|every| every.0),
            work: self.work.resolve(),
            effects: self.effect.into_iter().map(EffectTable::resolve).collect(),
            faults: ApiFaults {
                error_rate: self.faults.error_rate,
                slow_wait: self.faults.slow_wait.0,
                rate_limits: self.faults.rate_limits,
            },
            app: self.app,
            org: self.org,
            region: self.region,
            regions: self.regions,
            full_regions: self.faults.full_regions,
            secrets: self.secrets,
            job: self.job.runs.map(|runs| JobEnd { after: runs.0, exit_code: self.job.exit_code }),
        })
    }

    /// Checks values that are right in form but make no simulation.
    fn check(&self) -> Result<(), String> {
        let factor = |factor: f64| (0.01..=1_000.0).contains(&factor);
        let positive = |time: WrittenTime| !time.0.is_zero();
        let checks = [
            (!self.app.is_empty(), "`app` is empty; write the app's name"),
            (!self.token.is_empty(), "`token` is empty; write what FLY_API_TOKEN will hold"),
            (
                SCALES.contains(&self.scale),
                "`scale` is out of range; write a number from 0.01 to 1000",
            ),
            (
                self.metrics_every.0 >= Duration::from_secs(1),
                "`metrics_every` is too short; write at least `1s`",
            ),
            (positive(self.service.idle), "`service.idle` is zero; write a time such as `5m`"),
            (
                self.service.self_ping.is_none_or(positive),
                "`service.self_ping` is zero; write a time such as `60s`, or remove the line",
            ),
            (self.service.soft_limit > 0, "`service.soft_limit` is zero; write at least 1"),
            (
                self.service.hard_limit >= self.service.soft_limit,
                "`service.hard_limit` is below `soft_limit`; write at least as much",
            ),
            (
                (1.0..=1_000.0).contains(&self.work.warming_factor),
                "`work.warming_factor` is out of range; write a number from 1 to 1000",
            ),
            (
                self.effect.iter().all(|effect| effect.latency_factor.is_none_or(factor)),
                "`latency_factor` is out of range; write a number from 0.01 to 1000",
            ),
        ];
        checks
            .iter()
            .find(|(good, _)| !good)
            .map_or(Ok(()), |(_, mistake)| Err((*mistake).to_owned()))
    }

    fn first_machine(&self, table: &MachineTable) -> Result<FirstMachine, String> {
        let size = table.size.0;
        let default_image = format!("registry.fly.io/{}:deployment-1", self.app);
        let config = json!({
            "image": table.image.as_ref().unwrap_or(&default_image),
            "env": table.env,
            "guest": {
                "cpu_kind": size.cpu_kind(),
                "cpus": size.cpus(),
                "memory_mb": table.memory_mb,
            },
            "metadata": { "fly_platform_version": "v2", "fly_process_group": "app" },
            "restart": { "policy": "on-failure", "max_retries": 10 },
            "services": [self.service.json()],
        });
        if let Some(mistake) = MachineShape::of(&config).mistake() {
            return Err(format!("machine of size {size}: {mistake}"));
        }
        let state = match table.state {
            FirstState::Started => MachineState::Started,
            FirstState::Stopped => MachineState::Stopped,
            FirstState::Suspended => MachineState::Suspended,
        };
        Ok(FirstMachine { config, state, balance: table.balance.0 })
    }
}

impl ServiceTable {
    fn json(&self) -> Value {
        let autostop = match self.autostop {
            WrittenAutostop::Off => "off",
            WrittenAutostop::Stop => "stop",
            WrittenAutostop::Suspend => "suspend",
        };
        json!({
            "protocol": "tcp",
            "internal_port": 3000,
            "autostart": self.autostart,
            "autostop": autostop,
            "min_machines_running": self.min_machines_running,
            "ports": [
                { "port": 80, "handlers": ["http"], "force_https": true },
                { "port": 443, "handlers": ["http", "tls"] },
            ],
            "concurrency": {
                "type": "requests",
                "soft_limit": self.soft_limit,
                "hard_limit": self.hard_limit,
            },
        })
    }
}

impl WorkTable {
    fn resolve(&self) -> WorkSettings {
        let warming = (self.warming > 0)
            .then_some(WarmingCurve { requests: self.warming, factor: self.warming_factor });
        WorkSettings {
            cost: WorkCost {
                boot_cpu: self.boot_cpu.0,
                resume: self.resume.0,
                request_cpu: self.request_cpu.0,
                latency: self.latency,
                latency_factor: 1.0,
                latency_shift: 0.0,
            },
            warming,
            cache_lifetime: Duration::from_secs(self.cache_seconds),
            cache_cost: self.cache_cost.0,
        }
    }
}

impl EffectTable {
    fn resolve(self) -> ConfigEffect {
        ConfigEffect {
            cpus: self.cpus,
            cpu_kind: self.cpu_kind,
            memory_mb: self.memory_mb,
            env: self.env,
            boot_cpu: self.boot_cpu.map(|time| time.0),
            request_cpu: self.request_cpu.map(|time| time.0),
            latency_factor: self.latency_factor,
            latency_shift: self.latency.map(|shift| shift.0),
        }
    }
}

/// A mistake in the file with its line and column, and the remedy for an unknown key.
fn describe(error: &toml::de::Error, text: &str) -> String {
    let place = error.span().map_or_else(String::new, |span| {
        let before = text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count()) + 1;
        format!("{line}:{column}: ")
    });
    let what = describe_toml(error);
    let remedy =
        if what.starts_with("unknown field") { "; remove it or mend its name" } else { "" };
    format!("{place}{what}{remedy}")
}
