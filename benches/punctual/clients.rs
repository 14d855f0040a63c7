//! The clients, and the command with which each sends at a constant rate.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Load, Result};

/// One way to send requests at a constant rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    Spin,
    Tollgate,
    TollgateWithoutSpin,
    Peer(&'static str),
}

const PEERS: [&str; 6] = ["wrk2", "oha", "vegeta", "k6", "hey", "fortio"];

impl Client {
    /// The reference first, then tollgate with and without spinning, then the installed peers.
    pub(crate) fn all() -> Vec<Self> {
        let peers = PEERS.into_iter().filter(|name| is_installed(name)).map(Self::Peer);
        [Self::Spin, Self::Tollgate, Self::TollgateWithoutSpin].into_iter().chain(peers).collect()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin (one connection, a whole core)",
            Self::Tollgate => "tollgate",
            Self::TollgateWithoutSpin => "tollgate --no-spin",
            Self::Peer(name) => name,
        }
    }

    /// The client's command for a load. Writes the files that it needs to `folder`.
    pub(crate) fn command(self, load: &Load, address: &str, folder: &Path) -> Result<Command> {
        let mut command = match self {
            Self::Spin => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args([
                    "--spin",
                    address,
                    &load.count().to_string(),
                    &load.spacing().to_string(),
                ]);
                command
            }
            Self::Tollgate => tollgate(load, address, folder)?,
            Self::TollgateWithoutSpin => {
                let mut command = tollgate(load, address, folder)?;
                command.arg("--no-spin");
                command
            }
            Self::Peer(name) => peer(name, load, address, folder)?,
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command)
    }
}

fn tollgate(load: &Load, address: &str, folder: &Path) -> Result<Command> {
    let Load { rate, seconds, connections } = load;
    let file = folder.join("punctual.toml");
    let text = format!(
        "name = \"punctual\"\nbudgets = [\"errors < 1%\"]\n[target]\nbase_url = \"http://{address}\"\n\
         [[request]]\nname = \"root\"\npath = \"/\"\n\
         [load]\narrival_rate = \"{rate}/s\"\nduration = \"{seconds}s\"\nconnections = {connections}\n\
         [warmup]\nconnections = {connections}\nrequests = {connections}\n"
    );
    std::fs::write(&file, text)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.arg("run").arg(file).arg("--runs-dir").arg(folder.join("runs"));
    Ok(command)
}

/// A peer's command with the flags for a constant rate and, if it has the choice, even spacing.
fn peer(name: &'static str, load: &Load, address: &str, folder: &Path) -> Result<Command> {
    let Load { rate, seconds, connections } = load;
    let url = format!("http://{address}/");
    let mut arguments = match name {
        "wrk2" => format!("-t1 -c{connections} -d{seconds}s -R{rate}"),
        "oha" => format!("--no-tui -z {seconds}s -c {connections} -q {rate}"),
        "vegeta" => return vegeta(load, &url, folder),
        "k6" => return k6(load, &url, folder),
        "hey" => {
            format!("-z {seconds}s -c {connections} -q {}", *rate as f64 / f64::from(*connections))
        }
        _ => format!("load -quiet -uniform -c {connections} -qps {rate} -t {seconds}s"),
    };
    arguments.push(' ');
    arguments.push_str(&url);
    let mut command = Command::new(name);
    command.args(arguments.split_whitespace());
    Ok(command)
}

fn vegeta(load: &Load, url: &str, folder: &Path) -> Result<Command> {
    let targets = folder.join("targets");
    std::fs::write(&targets, format!("GET {url}\n"))?;
    let mut command = Command::new("vegeta");
    command.arg("attack").arg(format!("-targets={}", targets.display()));
    command.arg(format!("-rate={}/s", load.rate)).arg(format!("-duration={}s", load.seconds));
    command.arg(format!("-workers={}", load.connections)).arg("-output=/dev/null");
    Ok(command)
}

fn k6(load: &Load, url: &str, folder: &Path) -> Result<Command> {
    let Load { rate, seconds, connections } = load;
    let script = folder.join("constant.js");
    let text = format!(
        "import http from 'k6/http';\n\
         export const options = {{ scenarios: {{ constant: {{ executor: 'constant-arrival-rate', rate: {rate}, \
         timeUnit: '1s', duration: '{seconds}s', preAllocatedVUs: {connections} }} }} }};\n\
         export default () => http.get('{url}');\n"
    );
    std::fs::write(&script, text)?;
    let mut command = Command::new("k6");
    command.args(["run", "--quiet"]).arg(script);
    Ok(command)
}

fn is_installed(name: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder: PathBuf| folder.join(name).is_file())
}
