//! What a job is made from, for every engine.

use std::ffi::OsString;

use crate::fleet::JobName;

/// What is run, and on how many machines.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct SharedArgs {
    /// URLs and scenario files; all of them run at the same time
    #[arg(required = true, value_name = "URL|FILE")]
    pub(super) sources: Vec<OsString>,
    /// The number of machines
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(super) shards: u32,
    /// The name of the job: lower-case letters, digits and `-` [default: the name of the first
    /// scenario, for Kubernetes and Fly with the time]. A name is used once on Fly; for Kubernetes,
    /// random characters follow it
    #[arg(long, value_name = "NAME", value_parser = JobName::parse)]
    pub(super) name: Option<JobName>,
    /// Flags of `tollgate run` for each machine, such as `--rate 800/s`
    #[arg(last = true, value_name = "FLAGS")]
    pub(super) flags: Vec<OsString>,
}
