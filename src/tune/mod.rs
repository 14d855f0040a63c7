//! Tuning sessions, as pure functions: what is tried, and what follows from the attempts.
//!
//! `plan_file` reads what a session tries and `rounds` decides in which order. [`steady`] finds out
//! whether and when a curve becomes steady. `estimate` draws intervals from repeated restarts,
//! `conclude` makes a session's conclusion of them, and `advice` says what to do. `heat` says
//! which samples were cold. `restore` says
//! how an app gets back to what it was. [`rate_search`] looks for the largest rate within budget.
//! `drift` compares what runs with what `fly.toml` says, and `cpu_use` finds the CPU time of a
//! request. The attempts themselves are driven by `cli`.

pub mod conclude;
pub mod cpu_use;
pub mod drift;
pub mod estimate;
pub mod plan_file;
pub mod rate_search;
pub mod restore;
pub mod rounds;
pub mod steady;

mod advice;
mod first_answer;
mod heat;
#[cfg(test)]
mod simulation;
mod words;
