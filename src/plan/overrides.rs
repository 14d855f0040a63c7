//! What the command line changes in a plan.

use std::time::Duration;

use super::run_plan::PlannedPart;
use super::target_plan::{Family, Protocol, Resolve};

/// What the command line changes in a plan.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Another length of the measured stage. Ramps and single arrivals have none to change.
    pub duration: Option<Duration>,
    /// Another period of repetition.
    pub every: Option<Duration>,
    /// The part of the run to execute; the whole run if `None`.
    pub part: Option<PlannedPart>,
    /// Another HTTP version.
    pub protocol: Option<Protocol>,
    /// Another choice of addresses.
    pub family: Option<Family>,
    /// Addresses that take precedence over those of the scenarios.
    pub resolve: Vec<Resolve>,
    /// Hosts that redirects may lead to, in addition to those of the scenarios.
    pub allowed_hosts: Vec<String>,
    /// Whether any certificate is accepted.
    pub insecure: bool,
}
