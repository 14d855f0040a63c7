//! The client of Fly's Machines API and of Fly's Prometheus: typed, blocking and rate-limited.
//!
//! A [`MachinesClient`] sees one app only, so that a mistake cannot reach another. A
//! [`PrometheusClient`] reads what Fly measured about that app's machines. Both send their calls
//! through an [`HttpTransport`] and read time from a [`CallClock`], so that every rule below is
//! tested without sockets and without sleeping:
//!
//! - Fly's rate limits are kept before a call is sent.
//! - Calls are repeated after 429, 5xx and lost connections, with growing pauses and within the
//!   caller's limit. A change that may have been carried out is first looked up.
//! - A lease that this client holds is presented with every change.
//! - The token is sent to the configured origin only, and no error contains it.
//!
//! Sources: <https://fly.io/docs/machines/api/>, <https://fly.io/docs/monitoring/metrics/>, and the
//! published description of the Machines API (`OpenAPI`) for the fields on the wire.

mod backoff;
mod caller;
mod clock;
mod environment;
mod error;
mod fetch_transport;
mod lease;
mod machine;
mod machines_client;
mod merge_patch;
mod names;
mod prometheus;
mod rate_limit;
mod token;
mod transport;

pub use clock::{CallClock, CallsStopped, SystemCallClock};
pub use environment::{EnvironmentError, FlyEnvironment};
pub use error::{FlyApi, FlyError, FlyProblem};
pub use fetch_transport::FetchTransport;
pub use lease::{LeaseNonce, MachineLease};
pub use machine::{
    AutostopMode, ImageRef, LastStart, Machine, MachineConfig, MachineEvent, MachineGuest,
    MachineService, MachineState, ServiceConcurrency, StartKind, last_start,
};
pub use machines_client::{
    FailedCreate, MachineUpdate, MachinesClient, NewMachine, WaitGoal, WaitState,
};
pub use names::{AppName, MachineId, NameError};
pub use prometheus::{
    CountedSpan, CountedTime, InstanceMetrics, MetricReading, MetricSample, MetricSeries,
    MetricWindow, PrometheusClient,
};
pub use token::FlyToken;
pub use transport::{HttpCall, HttpReply, HttpTransport, TransportFailure};

#[cfg(test)]
mod tests;
