//! `tollgate tune PLAN`: sessions against the rehearsal of Fly.

mod api_calls;
mod bench;
mod cold_states;
mod demo;
mod faults;
mod interruptions;
mod kills;
mod labels;
mod refusals;
mod sessions;
