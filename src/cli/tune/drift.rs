//! `tollgate tune drift`

use std::path::PathBuf;

use crate::cli::console::{Console, OutputFormat};
use crate::cli::exit::{CommandError, ExitStatus};
use crate::cli::fly_access;
use crate::fly::{
    AppName, FetchTransport, Machine, MachineConfig, MachineService, MachinesClient,
    SystemCallClock,
};
use crate::tune::drift::{
    ComparedSetting, DriftReport, FlyToml, RunningMachine, RunningService, find_drift,
};

const EXAMPLES: &str = "\
Examples:
  tollgate tune drift fly.toml --app hotdash-staging
  tollgate tune drift deploy/chatwoot.toml --app hotdash-chatwoot --output json

FLY_API_TOKEN allows the requests; a read-only token is enough. Nothing is changed.

Exit codes:
  0  every machine is as the file says
  1  a setting differs, or the app has no machines
  2  usage: a flag, a variable or the file is wrong, or the API refuses the app
  4  internal: the Machines API could not be asked";

/// Compare what runs on Fly with what fly.toml says
///
/// Compares memory, CPUs, autostop, autostart, the minimum of running machines, concurrency limits,
/// regions and process groups of every machine, line by line of the file.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The app's fly.toml
    #[arg(value_name = "FLY_TOML", default_value = "fly.toml")]
    file: PathBuf,
    /// The Fly app whose machines are compared
    #[arg(long, value_name = "NAME", value_parser = AppName::parse)]
    app: AppName,
    /// What to print on stdout
    #[arg(long, value_enum, value_name = "text|json", default_value = "text")]
    #[arg(hide_possible_values = true)]
    output: OutputFormat,
}

pub(super) fn drift(args: &Args) -> Result<ExitStatus, CommandError> {
    let file = FlyToml::read(&args.file)?;
    let environment = fly_access::environment()?;
    let clock = SystemCallClock::new();
    let mut client = MachinesClient::new(&environment, args.app.clone(), FetchTransport, clock);
    let machines = client.list_machines().map_err(|error| fly_access::api_error(&error))?;
    let running: Vec<RunningMachine> = machines.iter().map(running_machine).collect();
    let mut report = find_drift(&file, &running);
    report.notes.extend(other_app(&file, &args.app));
    report.notes.extend(machines.iter().filter_map(unreachable));
    match args.output {
        OutputFormat::Json => {
            let json = serde_json::to_string_pretty(&report).map_err(CommandError::internal)?;
            Console::print_json(&json)?;
        }
        OutputFormat::Text => {
            let console = Console { output: OutputFormat::Text };
            console.print_result(&text(args, &report))?;
        }
    }
    let differs = report.machines == 0 || report.count_differences() > 0;
    Ok(if differs { ExitStatus::Fail } else { ExitStatus::Pass })
}

/// Says that the file is that of another app: several apps may share one file.
fn other_app(file: &FlyToml, app: &AppName) -> Option<String> {
    let named = file.app().filter(|named| *named != app.as_str())?;
    Some(format!("the file names the app `{named}`, and `{app}` was compared"))
}

/// Says that a machine's host cannot be reached, so that little of its config is known.
fn unreachable(machine: &Machine) -> Option<String> {
    let id = &machine.id;
    machine
        .config
        .is_none()
        .then(|| format!("Fly cannot reach the host of {id} now, so its settings may be unknown"))
}

fn running_machine(machine: &Machine) -> RunningMachine {
    let config = machine.config.as_ref().or(machine.incomplete_config.as_ref());
    let guest = config.map(MachineConfig::guest).unwrap_or_default();
    let services = config.map(MachineConfig::services).unwrap_or_default();
    RunningMachine {
        id: machine.id.clone(),
        state: machine.state.as_str().to_owned(),
        region: machine.region.clone(),
        group: config.and_then(|config| config.metadata("fly_process_group")).map(str::to_owned),
        cpu_kind: guest.cpu_kind,
        cpus: guest.cpus,
        memory_mb: guest.memory_mb,
        services: services.into_iter().map(running_service).collect(),
    }
}

fn running_service(service: MachineService) -> RunningService {
    RunningService {
        internal_port: service.internal_port,
        protocol: service.protocol,
        autostart: service.autostart,
        autostop: service.autostop.map(|mode| mode.as_str().to_owned()),
        min_machines_running: service.min_machines_running,
        counted: service.concurrency.counted,
        soft_limit: service.concurrency.soft_limit,
        hard_limit: service.concurrency.hard_limit,
    }
}

fn text(args: &Args, report: &DriftReport) -> String {
    let file = args.file.display();
    let machines = match report.machines {
        0 => "no machines".to_owned(),
        1 => "1 machine".to_owned(),
        machines => format!("{machines} machines"),
    };
    let mut lines = vec![format!("{file} against {machines} of {}", args.app)];
    let place = |setting: &ComparedSetting| format!("{file}:{}", setting.line);
    let places = report.settings.iter().map(|setting| place(setting).len()).max().unwrap_or(0);
    for setting in &report.settings {
        let state = if setting.differs() { "differs" } else { "same   " };
        lines.push(format!("{state}  {:places$}  {}", place(setting), setting.file));
        if setting.differs() {
            let found = setting.differing.iter().map(ToString::to_string);
            let indent = " ".repeat(places + 11);
            let found = found.chain(setting.together.clone());
            let wanted = match setting.compared {
                0 => String::new(),
                _ => format!(", not {}", setting.expected),
            };
            lines.extend(found.map(|found| format!("{indent}{found}{wanted}")));
        }
    }
    lines.extend(report.notes.iter().map(|note| format!("note     {note}")));
    lines.push(conclusion(report));
    lines.join("\n")
}

/// What follows, in one line.
fn conclusion(report: &DriftReport) -> String {
    let compared = report.settings.len();
    match (report.machines, report.count_differences()) {
        (0, _) => {
            "The app has no machines, so no setting could be compared; `fly deploy` makes them."
                .to_owned()
        }
        (_, 0) => format!("Nothing differs in {compared} settings."),
        (_, differing) => format!(
            "{differing} of {compared} settings {}. `fly deploy` applies the file; `fly config save` \
             writes what runs into it.",
            if differing == 1 { "differs" } else { "differ" }
        ),
    }
}
