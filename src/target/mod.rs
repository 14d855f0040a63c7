//! The rehearsal target.
