//! tollgate: a synthetic load prober that holds a deploy to its latency budget.
//!
//! The rooms, in the order of the data. `docs/architecture.md` shows which room may use which, and
//! follows one request through them.
//!
//! - [`scenario`] parses the file as written; [`plan`] resolves it, with a pure function as
//!   schedule
//! - [`engine`] executes a plan; [`expect`] judges a response; [`recorder`] counts it
//! - [`record`] holds everything that was measured and decided, as data
//! - [`verdict`] judges; [`store`] keeps runs, with [`hlog`] for histograms; [`report`] renders
//!   them
//! - [`history`] finds trends over many runs; [`import`] turns results of other tools into runs
//! - [`doctor`] checks whether this machine can run a plan; [`postgres`] is the only access to
//!   Postgres
//! - [`fly`] calls Fly's Machines API and reads Fly's metrics
//! - [`fleet`] tells which shard this machine runs
//! - [`tune`] decides what a tuning session tries, and concludes from its attempts
//! - [`library_text`] says in plain English what an error of a library means
//! - [`target`] is the rehearsal target; [`units`] are numbers with units; [`files`] opens files
//!   that may be anything; [`certificates`] reads certificates; [`cli`] is the command line

pub mod certificates;
pub mod cli;
pub mod doctor;
pub mod engine;
pub mod expect;
pub mod files;
pub mod fleet;
pub mod fly;
pub mod history;
pub mod hlog;
pub mod import;
pub mod library_text;
pub mod plan;
pub mod postgres;
pub mod record;
pub mod recorder;
pub mod report;
pub mod scenario;
pub mod store;
pub mod target;
pub mod tune;
pub mod units;
pub mod verdict;
