//! Runs the real program against real sockets: exit codes, output, files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

#[path = "../support/cluster/mod.rs"]
mod cluster;
#[path = "../support/history_year.rs"]
mod history_year;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/status_server.rs"]
mod status_server;

mod addresses;
mod alerts;
mod before_traffic;
mod bench;
mod closed_port;
mod compare;
mod continuation;
mod data;
mod demo;
mod doctor;
mod duet;
mod early_end;
mod echoes;
mod every;
mod evidence;
mod find_rate;
mod flags;
mod fleet_fly;
mod fleet_print;
mod fly_api;
mod gate;
mod history;
mod hostile_records;
mod import;
mod late;
mod learned_limits;
mod logs;
mod mid_run;
mod outputs;
mod own_files;
mod pipes;
mod report_site;
mod routes;
mod runs;
mod secrets;
mod setup;
mod shards;
mod shell;
mod synthetic_check;
mod tune;
mod tune_show;
mod tuning_records;
mod url;
mod warm;
