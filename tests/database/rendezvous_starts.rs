//! Machines that meet begin to measure together.

use std::time::{Duration, Instant};

use tollgate::store;

use crate::bench::record;
use crate::cluster;
use crate::meeting::{Meeting, assert_exit, ended, spawn};

/// Arrivals per second, of all machines together.
const RATE: u32 = 75;

const MACHINES: u32 = 3;

/// How late the quickest of a hundred requests may be on a busy machine. Machines that do not agree
/// on a start begin seconds apart.
const LATE: Duration = Duration::from_millis(100);

/// When a machine began to measure, by the times at which its requests came: each is due a whole
/// number of arrivals after the start, and comes a little later.
fn start_of(shard: u32, came: &[Instant]) -> Instant {
    let starts = came.iter().zip(0_u32..).map(|(came, turn)| {
        came.checked_sub(Duration::from_secs(1) * (shard - 1 + turn * MACHINES) / RATE).unwrap()
    });
    starts.min().unwrap()
}

#[test]
fn machines_start_as_close_together_as_their_records_say() {
    if cluster::is_left_out() {
        return;
    }
    let meeting = Meeting::new(4);
    let scenario = meeting.folder.path().join("shop.toml");
    let text = std::fs::read_to_string(&scenario).unwrap();
    // A secret may differ between machines.
    let headers = "[headers]\nX-Machine = \"${MACHINE}\"\n[[request]]";
    std::fs::write(&scenario, text.replace("[[request]]", headers)).unwrap();
    let machines: Vec<_> = (1..=MACHINES)
        .map(|shard| {
            let place = format!("{shard}/{MACHINES}");
            let mut machine = meeting.machine(&format!("of-{shard}"), &["--shard", &place]);
            machine.env("MACHINE", format!("machine-{shard}"));
            spawn(machine)
        })
        .collect();
    for machine in machines {
        assert_exit(&ended(machine), 0, &[]);
    }
    let starts: Vec<(Instant, Duration)> = (1..=MACHINES)
        .map(|shard| {
            let folder = meeting.folder.path().join(format!("of-{shard}"));
            let run = record(&store::run_folders(&folder).unwrap()[0]);
            let clock = run.measurement.sharing.unwrap().parts[0].clock.unwrap();
            let came = meeting.server.times(&format!("x-machine: machine-{shard}"));
            // Those of the warm-up came before.
            let measured = &came[came.len() - 100..];
            (start_of(shard, measured), Duration::from_micros(clock.error_us))
        })
        .collect();
    for (one, error) in &starts {
        for (other, also) in &starts {
            let apart = one.max(other).duration_since(*one.min(other));
            assert!(apart <= *error + *also + LATE, "{apart:?} apart: {starts:?}");
        }
    }
}
