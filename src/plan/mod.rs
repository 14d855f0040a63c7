//! What a run will do: scenarios with their environment read, their secrets wrapped and their
//! defaults filled in.
//!
//! The types of a plan have a file each; [`Plan::resolve`] makes them from scenarios.

pub(crate) mod capacity;
mod environment;
pub mod live;
mod load_plan;
mod overrides;
mod request_plan;
mod resolve;
mod run_plan;
mod scenario_plan;
mod schedule;
mod secrets;
mod target_plan;

pub use environment::Environment;
pub use load_plan::Load;
pub use overrides::Overrides;
pub use request_plan::{AskPlan, HttpPlan, RequestPlan, SqlPlan, Tries};
pub use run_plan::{Pacing, Plan, PlannedPart};
pub use scenario_plan::{Reuse, ScenarioPlan, Warmup};
pub use schedule::{Arrivals, Ramp, Schedule, Shard};
pub use secrets::Secrets;
pub use target_plan::{ClientIdentity, Family, Protocol, Resolve, TargetPlan, Timeouts, Trust};
