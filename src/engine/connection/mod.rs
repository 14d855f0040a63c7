//! Connections: how they are opened, kept and shared, and the exchanges on them.
//!
//! `dial` opens byte streams, `http` speaks HTTP/1.1 or HTTP/2 on them, and `set` keeps the
//! connections of one worker task.

pub(super) mod dial;
mod field_scan;
mod flood;
mod frame_filter;
mod frame_head;
mod frame_rules;
pub(super) mod http;
mod huffman;
pub(super) mod idle_close;
mod interim_scan;
pub(super) mod library_limit;
pub(super) mod sends;
pub(super) mod set;
pub(super) mod shared;
pub(super) mod socket_peek;
pub(super) mod unavailable;
pub(super) mod wire;
