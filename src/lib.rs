//! tollgate: a synthetic load prober that holds a deploy to its latency budget.
//!
//! The map of the rooms, in the order of the data (`docs/architecture.md` has the arrows and one request's life):
//!
//! - [`scenario`]: the file as written; [`plan`]: what will happen, with its schedule as a pure function
//! - [`engine`]: carries a plan out; [`expect`]: judges an answer; [`recorder`]: counts it
//! - [`record`]: all that was measured and decided, as data: the hinge
//! - [`verdict`]: decides; [`store`]: keeps, with [`hlog`] for histograms; [`report`]: shows
//! - [`history`]: looks back over many runs; [`import`]: makes a run of what another tool kept
//! - [`doctor`]: whether this machine can do the job; [`postgres`]: the one way to talk to Postgres
//! - [`target`]: the rehearsal target; [`units`]: numbers with their units; [`cli`]: what can be typed

pub mod cli;
pub mod doctor;
pub mod engine;
pub mod expect;
pub mod history;
pub mod hlog;
pub mod import;
pub mod plan;
pub mod postgres;
pub mod record;
pub mod recorder;
pub mod report;
pub mod scenario;
pub mod store;
pub mod target;
pub mod units;
pub mod verdict;
