//! Measures this machine and targets under the conditions of a run; only [`fetch`] sends a request.
//!
//! Each function measures or reads one thing, with the code that a run uses, and leaves the
//! judgement to the caller. None of them blocks for longer than its limit.

mod fetch;
mod reach;
mod session;
mod timers;

use std::time::Duration;

use super::assignment::{ARRIVALS_PER_LANE, own_share};
use super::error::EngineError;
use super::limits::{descriptors, ports};
use crate::engine::connection::dial;
use crate::plan::{CertificateTrust, Plan};

pub use crate::engine::connection::dial::{HandshakeProblem, RootCertificates};
pub use crate::engine::limits::descriptors::DescriptorNeed;
pub use fetch::{FetchOutcome, FetchRequest, FetchedPage, FollowedRedirect, fetch};
pub use reach::{
    AddressAttempt, AddressSource, ConnectionFailure, OpenedConnection, TargetAddresses,
    TargetReach, reach,
};
pub use session::session;
pub use timers::{TimerLateness, timers};

/// The shortest hiccup that counts as a standstill; timers alone are late by less.
pub const STANDSTILL: Duration = crate::engine::time::hiccups::HiccupMeter::STANDSTILL;

/// Arrivals per second that one thread sends with ease.
pub const ARRIVALS_PER_CORE: f64 = ARRIVALS_PER_LANE;

/// The file descriptors that a plan needs, and how many this process may open. Raises the limit as
/// far as the plan needs, as a run does.
///
/// Fails if the limit cannot be raised that far.
pub fn descriptors(plan: &Plan) -> Result<DescriptorNeed, EngineError> {
    let seen = descriptors::look_at(&own_share(plan));
    descriptors::provide(seen.connections)?;
    Ok(seen)
}

/// How many local ports this machine provides for connections to one address; `None` if it does not
/// report that.
///
/// Fails if a plan needs more. [`super::port_warnings`] covers what depends on how the run goes.
pub fn ports(plan: &Plan) -> Result<Option<u64>, EngineError> {
    ports::provide(&own_share(plan))?;
    Ok(ports::free())
}

/// The certificates that a handshake trusts; `None` if any certificate is trusted.
pub fn roots(trust: &CertificateTrust) -> Result<Option<RootCertificates>, EngineError> {
    dial::roots(trust)
}
