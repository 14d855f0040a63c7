//! One step of a scenario: prepared before the run, then sent, followed and judged.
//!
//! A request changes its type twice between the plan and the socket. `HttpPlan` becomes a
//! [`prepared::PreparedRequest`] before the run, or for one arrival if captured values change it.
//! An [`hop::OutgoingRequest`] sends that on a connection.

pub(super) mod arrival_state;
pub(super) mod context;
mod cookies;
pub(super) mod exchange_start;
mod hop;
mod http_attempt;
mod in_progress;
mod judgement;
pub(super) mod prepared;
pub(super) mod redirect;
mod server_timing;
pub(super) mod setup_state;
mod sql;
mod sql_attempt;
pub(super) mod step_runner;
mod tries;
