//! `tollgate fleet print`

use std::path::PathBuf;
use std::time::Duration;

use super::super::console::Console;
use super::super::exit::{CommandError, ExitStatus};
use super::job_command::JobCommand;
use super::print_job;
use super::shared_args::SharedArgs;
use crate::fleet::{FleetEngine, JobError, JobName, MeetingPlace};
use crate::units::parse_duration;

const EXAMPLES: &str = "\
Examples:
  tollgate fleet print kubernetes shop.toml --shards 8 | kubectl create -f -
  tollgate fleet print slurm shop.toml --shards 8 > shop.sh && sh shop.sh
  tollgate fleet print github scenarios/shop.toml --shards 4 > .github/workflows/load.yml
  tollgate fleet print gitlab scenarios/shop.toml --shards 4 > load.gitlab-ci.yml
  tollgate fleet print slurm shop.toml --shards 8 --without-store -- --rate 800/s --yes-load-this-host

Exit codes:
  0  the file was printed
  2  usage: a flag or a scenario file is wrong, or the load cannot be shared; nothing was printed
  4  internal: the file could not be printed, or a defect";

/// Print the file that makes an engine run a scenario on several machines
///
/// The file starts one shard per machine, and then merges their runs, so that its last job has the
/// verdict. It names variables that are secret, and never has their values. Public ones get the
/// value that they have here.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    engine: PrintCommand,
}

#[derive(Debug, clap::Subcommand)]
enum PrintCommand {
    /// Print the manifest of an Indexed Job, of a Job that merges, and of the files that they need
    ///
    /// The shards meet in the database that `DATABASE_URL` of the Secret names. The manifest is for
    /// one run: created again, it sends nothing.
    Kubernetes(KubernetesArgs),
    /// Print a shell script that submits an array and a job that merges, and exits with the verdict
    Slurm(SlurmArgs),
    /// Print a workflow with a matrix of shards and a job that merges
    Github(GithubArgs),
    /// Print a pipeline with parallel shards and a stage that merges
    Gitlab(GitlabArgs),
}

/// How the shards meet without a database.
#[derive(Debug, Clone, Copy, clap::Args)]
#[group(skip)]
struct StoreArgs {
    /// Do without a database: the shards start at a time that is fixed when the job starts, and the
    /// merge reads their folders
    #[arg(long)]
    without_store: bool,
    /// How long after the start of the job all machines measure; all must have begun and warmed up
    /// by then
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "5m")]
    #[arg(requires = "without_store")]
    start_in: Duration,
}

#[derive(Debug, clap::Args)]
struct KubernetesArgs {
    #[command(flatten)]
    shared: SharedArgs,
    /// The image of tollgate
    #[arg(long, default_value = concat!("ghcr.io/OWNER/tollgate:", env!("CARGO_PKG_VERSION")))]
    image: String,
    /// The Secret with the variables
    #[arg(long, value_name = "NAME", value_parser = JobName::parse, default_value = "tollgate")]
    secret: JobName,
    /// A PEM file with the certificate authorities of the database, if its address needs one; write
    /// no `sslrootcert` into the address then
    #[arg(long, value_name = "FILE")]
    store_ca: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct SlurmArgs {
    #[command(flatten)]
    shared: SharedArgs,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
struct GithubArgs {
    #[command(flatten)]
    shared: SharedArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// The action with its version; a commit is safer than a tag
    #[arg(long, default_value = concat!("OWNER/tollgate@v", env!("CARGO_PKG_VERSION")))]
    action: String,
}

#[derive(Debug, clap::Args)]
struct GitlabArgs {
    #[command(flatten)]
    shared: SharedArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// The address of the release to download
    #[arg(
        long,
        value_name = "URL",
        default_value = concat!(
            "https://github.com/OWNER/tollgate/releases/download/v", env!("CARGO_PKG_VERSION")
        )
    )]
    release: String,
}

impl StoreArgs {
    fn meeting(self) -> MeetingPlace {
        if self.without_store {
            MeetingPlace::StartTime(self.start_in)
        } else {
            MeetingPlace::Store
        }
    }
}

impl PrintCommand {
    fn shared(&self) -> &SharedArgs {
        match self {
            Self::Kubernetes(KubernetesArgs { shared, .. })
            | Self::Slurm(SlurmArgs { shared, .. })
            | Self::Github(GithubArgs { shared, .. })
            | Self::Gitlab(GitlabArgs { shared, .. }) => shared,
        }
    }

    fn meeting(&self) -> MeetingPlace {
        match self {
            Self::Kubernetes(_) => MeetingPlace::Store,
            Self::Slurm(SlurmArgs { store, .. })
            | Self::Github(GithubArgs { store, .. })
            | Self::Gitlab(GitlabArgs { store, .. }) => store.meeting(),
        }
    }

    fn engine(&self) -> Result<FleetEngine, CommandError> {
        Ok(match self {
            Self::Kubernetes(KubernetesArgs { image, secret, store_ca, .. }) => {
                let store_ca = store_ca.as_deref().map(print_job::read_pem).transpose()?;
                FleetEngine::Kubernetes { image: image.clone(), secret: secret.clone(), store_ca }
            }
            Self::Slurm(_) => FleetEngine::Slurm,
            Self::Github(GithubArgs { action, .. }) => {
                FleetEngine::GitHub { action: action.clone() }
            }
            Self::Gitlab(GitlabArgs { release, .. }) => {
                FleetEngine::GitLab { release: release.clone() }
            }
        })
    }

    /// The name that was typed, or one made of the first scenario's.
    fn name(&self, scenario: &str) -> JobName {
        let has_time = matches!(self, Self::Kubernetes(_));
        let end = if has_time { print_job::time_suffix() } else { String::new() };
        let typed = self.shared().name.clone();
        typed.unwrap_or_else(|| JobName::of_scenario(scenario, &end))
    }
}

pub(super) fn print(args: &Args) -> Result<ExitStatus, CommandError> {
    let command = &args.engine;
    let shared = command.shared();
    let form = JobCommand::Print(command.meeting());
    let job = print_job::job(form, shared, |scenario| command.name(scenario))?;
    let engine = command.engine()?;
    let text = job.write(&engine).map_err(|error| refusal(&error))?;
    for warning in job.warnings(&engine) {
        tracing::warn!("WARNING: {warning}");
    }
    Console::exactly(&text)?;
    Ok(ExitStatus::Pass)
}

fn refusal(error: &JobError) -> CommandError {
    CommandError::usage(format!("error: {error}"))
}
