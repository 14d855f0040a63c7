//! The Fly machines behind a scenario.

use std::fmt;
use std::time::Duration;

use crate::units::MachineSize;

/// The machines that serve a scenario's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachinePlan {
    /// The size of each.
    pub size: MachineSize,
    /// How many share the load; at least one.
    pub count: u32,
    /// The CPU time that one request takes; `None` if the scenario does not say.
    pub cpu_per_request: Option<Duration>,
}

/// `2 shared-cpu-1x`
impl fmt::Display for MachinePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.count, self.size)
    }
}
