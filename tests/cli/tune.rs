//! `tollgate tune PLAN`: sessions against the rehearsal of Fly.

mod bench;
mod interruptions;
mod kills;
mod labels;
mod refusals;
mod sessions;
