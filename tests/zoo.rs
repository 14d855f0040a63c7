//! A zoo of targets that break the rules of a protocol, or use them against the prober.
//!
//! Each case is a target in raw bytes and the outcome of one exchange with it. The cases of a table
//! are one run, next to a healthy target, which no case may disturb. A run has a limit of time, and
//! the process one of memory.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]
#![allow(clippy::disallowed_methods, reason = "targets and the real program run in real time")]
#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "`under_floods` uses it"))]

#[path = "support/peak_memory.rs"]
mod peak_memory;
#[path = "support/program.rs"]
mod program;
#[path = "support/whole_run.rs"]
mod whole_run;

#[path = "zoo/floods.rs"]
mod floods;
#[path = "zoo/guard.rs"]
mod guard;
#[path = "zoo/http1.rs"]
mod http1;
#[path = "zoo/http2.rs"]
mod http2;
#[path = "zoo/http2_frames.rs"]
mod http2_frames;
#[path = "zoo/keeper.rs"]
mod keeper;
#[path = "zoo/tls.rs"]
mod tls;
#[cfg(target_os = "linux")] // It reads `/proc`.
#[path = "zoo/under_floods.rs"]
mod under_floods;
