//! What the record says about addresses and connections that carry the exceedances.

use std::net::SocketAddr;

use super::harness::{Script, ScriptedDial, Turn, Watcher, millis, open, watch_run};
use crate::engine::stop_channel;
use crate::record::{PeerCounts, RequestMeasurement};

/// Measures 120 requests on 8 connections, which go to two addresses in turn.
fn measure_two_addresses(turns_of: impl Fn(usize) -> Vec<Turn>) -> RequestMeasurement {
    let addresses = [1, 2].map(|last| SocketAddr::from(([192, 0, 2, last], 80)));
    let script = Script((0..8).map(turns_of).collect());
    let dial = ScriptedDial::new(script).with_addresses(addresses.to_vec());
    let (measurement, _) =
        watch_run(open(60.0, 2, 8), vec![dial], Watcher::default(), stop_channel().1);
    measurement.scenarios[0].requests[0].clone()
}

fn exceeded(counts: &PeerCounts) -> u64 {
    counts.ceilings[0].exceeded
}

fn fast() -> Turn {
    Turn::Answer(millis(1))
}

fn slow() -> Turn {
    Turn::Answer(millis(500))
}

#[test]
fn the_exceedances_of_a_slow_address_are_counted_as_its_own() {
    let request = measure_two_addresses(|connection| {
        let second = if connection % 2 == 1 { slow() } else { fast() };
        [fast(), second].repeat(60)
    });
    let all = request.measured.tally.ceilings[0].exceeded;
    let addresses = &request.peers.addresses;
    assert_eq!(addresses.values().map(|counts| counts.exchanges).sum::<u64>(), 120);
    assert_eq!(exceeded(&addresses["192.0.2.1:80"]), 0);
    assert!(all >= 8 && exceeded(&addresses["192.0.2.2:80"]) == all, "{addresses:?}");
}

#[test]
fn the_exceedances_of_one_slow_connection_are_counted_as_its_own() {
    let request =
        measure_two_addresses(|connection| vec![if connection == 3 { slow() } else { fast() }]);
    let (all, peers) = (request.measured.tally.ceilings[0].exceeded, request.peers);
    assert_eq!((peers.connections, peers.worst.len()), (8, 1));
    let worst = &peers.worst[0];
    assert_eq!(worst.address.as_deref(), Some("192.0.2.2:80"));
    assert!(all >= 3 && (exceeded(&worst.counts), worst.counts.exchanges) == (all, all));
}
