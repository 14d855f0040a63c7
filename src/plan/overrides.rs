//! What the command line changes in a plan.

use std::time::Duration;

use super::run_plan::PlannedPart;
use super::target_plan::{Family, Protocol, Resolve};

/// What the command line changes in a plan.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Another length of the measured phase; stages and single arrivals have none to change.
    pub duration: Option<Duration>,
    /// Another period of repetition.
    pub every: Option<Duration>,
    /// The part of the run that is to be carried out; the whole where there is none.
    pub part: Option<PlannedPart>,
    /// Another version of HTTP.
    pub protocol: Option<Protocol>,
    /// Another choice of addresses.
    pub family: Option<Family>,
    /// Given addresses, looked at before the scenarios' own.
    pub resolve: Vec<Resolve>,
    /// Hosts that redirects may lead to, beside the scenarios' own.
    pub allowed_hosts: Vec<String>,
    /// Whether any certificate is believed.
    pub insecure: bool,
}
