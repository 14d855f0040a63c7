//! The clients against a scripted API, under a clock that only pauses advance.

mod failures;
mod fake;
mod leases;
mod lifetimes;
mod metrics;
mod requests;
mod waits;
