//! Fleets that are refused before anything is made.

use std::process::Command;

use super::bench::{ENDLESS, FleetBench};
use crate::bench::words;

/// Asserts that a command is refused with exit code 2, and that nothing was made; returns why.
fn refused(bench: &FleetBench, command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = words(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    bench.assert_untouched();
    bench.assert_no_secret(&output);
    said
}

#[test]
fn what_cannot_be_shared_or_needs_consent_is_refused_before_the_api_is_asked() {
    let mut bench = FleetBench::without_store(ENDLESS, "");
    let relay = bench.relay(|_| None);
    let closed = "name = \"closed\"\nbudgets = [\"errors = 0\"]\n\
                  [target]\nbase_url = \"http://127.0.0.1:9\"\n\
                  [[request]]\nname = \"a\"\npath = \"/\"\n\
                  [load]\nconnections = 20\nduration = \"9s\"\n";
    bench.write("closed.toml", closed);
    let with = |shards, arguments: &[&str]| bench.fly(shards, arguments);
    for (mut command, why) in [
        (
            with(9, &[]),
            "more than 8 machines need your consent; add --yes to make them Fleet trial-",
        ),
        (with(9, &["--hourly-price", "0.1"]), "so at most $"),
        (with(2, &["closed.toml"]), "a closed load cannot be split across several machines"),
        (with(40, &["--yes"]), "12 connections cannot be split across 40 machines"),
        (with(1, &[]), "invalid value '1' for '--shards <N>'"),
        (with(2, &["missing.toml"]), "missing.toml"),
        (with(2, &["--region", "Ord"]), "`Ord` is not a region; write three letters"),
        (with(2, &["--size", "huge"]), "not a size of Fly's machines"),
        (with(2, &["--hourly-price", "cheap"]), "write US dollars"),
        (with(2, &["--", "--shard", "1/2"]), "--shard cannot be passed on"),
    ] {
        let said = refused(&bench, &mut command);
        assert!(said.contains(why), "{why} is not in {said}");
    }
    let without = |name: &str| {
        let mut command = bench.fly(2, &[]);
        command.env_remove(name);
        command
    };
    for (name, why) in [
        (
            "DATABASE_URL",
            "the machines meet in a database, and none is named: set DATABASE_URL or give --store",
        ),
        ("FLY_API_TOKEN", "FLY_API_TOKEN is not set"),
    ] {
        let said = refused(&bench, &mut without(name));
        assert!(said.contains(why), "{why} is not in {said}");
    }
    assert_eq!(relay.exchanges().len(), 0, "{:?}", relay.exchanges());
}

#[test]
fn an_app_that_does_not_exist_or_lacks_secrets_gets_no_machine() {
    let bench = FleetBench::without_store(ENDLESS, "");
    let said = refused(&bench, &mut bench.fly(2, &["--app", "rehearsal2"]));
    assert!(said.contains("cannot be used multiple times"), "{said}");
    let mut elsewhere = bench.fleet(&["fly", "shop.toml", "--app", "elsewhere", "--shards", "2"]);
    elsewhere.args(["--region", "ord", "--image", "i"]);
    let said = refused(&bench, &mut elsewhere);
    assert!(said.contains("app `elsewhere`: Fly does not find it"), "{said}");
    let more = "[request.headers]\nX-Key = \"${SHOP_KEY}\"\nX-Note = \"${SHOP_NOTE:-none}\"\n";
    let scenario = std::fs::read_to_string(bench.path("shop.toml")).unwrap();
    let scenario = scenario.replace("path = \"/plain\"\n", &format!("path = \"/plain\"\n{more}"));
    bench.write("shop.toml", &scenario);
    let said = refused(&bench, &mut bench.fly(2, &[]));
    let expected = "the shards need secrets that app rehearsal does not have: SHOP_KEY; set them \
                    with `fly secrets set SHOP_KEY=… --stage --app rehearsal`";
    assert!(said.contains(expected), "{said}");
    // The machines have them, not this one.
    assert!(!said.contains("is not set"), "{said}");
}

/// Load that nobody could judge must not be sent.
#[test]
fn a_database_that_cannot_be_reached_from_here_is_found_before_anything_is_made() {
    let bench = FleetBench::without_store(ENDLESS, "");
    let output = bench.fly(2, &[]).output().unwrap();
    let said = words(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("cannot be reached"), "{said}");
    bench.assert_untouched();
    bench.assert_no_secret(&output);
}

#[test]
fn a_region_that_does_not_exist_is_a_usage_error_only_if_no_machine_was_made() {
    let Some(bench) = FleetBench::new(ENDLESS) else { return };
    let fleet = |regions: &str| {
        let mut fleet = bench.fleet(&["fly", "shop.toml", "--app", "rehearsal", "--shards", "2"]);
        fleet.args(["--region", regions, "--image", "registry.fly.io/load:1"]);
        fleet
    };
    let said = refused(&bench, &mut fleet("mon,ord"));
    assert!(said.contains("region mon is unknown"), "{said}");
    assert!(!said.contains("Destroyed"), "{said}");
    let output = fleet("ord,mon").output().unwrap();
    let said = words(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("region mon is unknown"), "{said}");
    assert!(said.contains("Destroyed the machine that was left"), "{said}");
    bench.assert_untouched();
}

#[test]
fn a_second_fleet_of_the_same_name_is_refused_and_leaves_the_first_alone() {
    let Some(bench) = FleetBench::new(ENDLESS) else { return };
    let named = || bench.fly(2, &["--name", "shop"]);
    let mut first = bench.spawn(named());
    bench.wait_for(2);
    let second = named().output().unwrap();
    let said = words(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(said.contains("a fleet named shop has a journal already"), "{said}");
    assert_eq!(bench.made(), 2);
    assert_eq!(super::bench::interrupt(&mut first, "INT"), Some(3), "{}", bench.stderr());
    bench.sql(
        "insert into tollgate.rendezvous (name, shards, plan, tollgate, waits_until, lasts_ms) \
         values ('shop', 2, '', '', now(), 1)",
    );
    let said = refused(&bench, &mut named());
    assert!(said.contains("`shop` has had its run"), "{said}");
}
