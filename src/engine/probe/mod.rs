//! Looks at this machine and at targets as a run would meet them; [`fetch`] alone sends a request.
//!
//! Each function measures or reads one thing now, by the parts that carry runs out; what to make of
//! it is for others to say. None of them blocks for longer than it is told.

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

/// From here on a hiccup is a standstill; timers alone are late by less.
pub const STANDSTILL: Duration = crate::engine::time::hiccups::HiccupMeter::STANDSTILL;

/// Arrivals a second that one thread sends with ease.
pub const ARRIVALS_PER_CORE: f64 = ARRIVALS_PER_LANE;

/// What a plan needs of file descriptors and what this process may have; the limit is raised as far
/// as is needed, as a run raises it.
///
/// The error says that it cannot be raised so far.
pub fn descriptors(plan: &Plan) -> Result<DescriptorNeed, EngineError> {
    let seen = descriptors::look_at(&own_share(plan));
    descriptors::provide(seen.connections)?;
    Ok(seen)
}

/// How many local ports this machine lends to connections towards one address; `None` where it does
/// not say.
///
/// The error says that a plan needs more. What depends on the run is in [`super::port_warnings`].
pub fn ports(plan: &Plan) -> Result<Option<u64>, EngineError> {
    ports::provide(&own_share(plan))?;
    Ok(ports::free())
}

/// The certificates that a handshake begins from; `None` where any certificate is believed.
pub fn roots(trust: &CertificateTrust) -> Result<Option<RootCertificates>, EngineError> {
    dial::roots(trust)
}
