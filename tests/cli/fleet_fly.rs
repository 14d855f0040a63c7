//! `tollgate fleet fly` and `restore` against the rehearsal of Fly.

mod bench;
mod endings;
mod faults;
mod interruptions;
mod kills;
mod refusals;
