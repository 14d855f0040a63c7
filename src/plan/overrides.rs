//! What the command line changes in a plan.

use std::time::Duration;

use super::run_plan::ShardPlan;
use super::target_plan::{AddressFamily, HttpProtocol, PinnedAddresses};

/// What the command line changes in a plan.
#[derive(Debug, Clone, Default)]
pub struct PlanOverrides {
    /// Another length of the measured stage. Ramps and single arrivals have none to change.
    pub duration: Option<Duration>,
    /// Another period of repetition.
    pub every: Option<Duration>,
    /// The part of the run to execute; the whole run if `None`.
    pub shard_plan: Option<ShardPlan>,
    /// Whether the run adds to the evidence of an earlier one, so that its own blocks need not
    /// suffice for a verdict.
    pub adds_to_earlier: bool,
    /// Another HTTP version.
    pub protocol: Option<HttpProtocol>,
    /// Another choice of addresses.
    pub family: Option<AddressFamily>,
    /// Addresses that take precedence over those of the scenarios.
    pub pinned_addresses: Vec<PinnedAddresses>,
    /// Hosts that redirects may lead to, in addition to those of the scenarios.
    pub allowed_hosts: Vec<String>,
    /// Whether any certificate is accepted.
    pub insecure: bool,
    /// The seed of the coin, if each pair of scenarios is the two sides of a duet.
    pub duet_seed: Option<u64>,
    /// Whether the environment's variables, such as `HTTPS_PROXY`, name the proxies.
    pub proxy_from_environment: bool,
}
