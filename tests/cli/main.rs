//! Runs the real program against real sockets: exit codes, output, files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod addresses;
mod bench;
mod compare;
mod data;
mod demo;
mod doctor;
mod duet;
mod every;
mod evidence;
mod flags;
mod history;
mod import;
mod late;
mod logs;
mod pipes;
mod routes;
mod runs;
mod secrets;
mod setup;
mod shards;
mod shell;
mod synthetic_check;
mod url;
