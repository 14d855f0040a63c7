//! Machines that share a run: which shard this machine runs, from what its orchestrator says,
//! whether all would do the same, and the files that make an orchestrator start all of them.

mod deadline;
mod error;
mod fly_fleet;
mod job;
mod place;
mod plan_digest;
mod shell;
mod yaml;

pub use deadline::{MeetingTimes, RENDEZVOUS_WAIT};
pub use error::JobError;
pub use fly_fleet::{
    FLEET_MARK, FleetCost, FleetJournal, FleetMachine, FleetName, FlyFleet, FlyMachineKind,
    HourlyPrice, JournalError, JournalLine, JournalStart, ListedMachine,
};
pub use job::{
    AttachedContent, FileContent, FleetEngine, FleetJob, JobFile, JobName, JobSource, JobVariable,
    MeetingPlace, STORE_VARIABLE, STORE_VARIABLES, VariableOrigin,
};
pub use place::{FoundPlace, Orchestrator, PlaceError, find_orchestrator, find_place};
pub use plan_digest::{digest_plan, digest_written_plan};
