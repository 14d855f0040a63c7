//! How the machines of a fleet end, and what follows from it.

use super::bench::FleetBench;
use crate::bench::words;

/// A fleet whose machines all end with this code; its own exit code and words.
fn ended_with(code: i64) -> Option<(Option<i32>, String)> {
    let bench = FleetBench::new(&format!("[job]\nruns = \"1s\"\nexit_code = {code}\n"))?;
    let output = bench.fly(2, &[]).output().unwrap();
    bench.assert_untouched();
    Some((output.status.code(), words(&output.stderr)))
}

#[test]
fn a_fleet_in_which_no_shard_did_its_part_is_not_merged() {
    for code in [2, 4, 137] {
        let Some((ended, said)) = ended_with(code) else { return };
        assert_eq!(ended, Some(4), "{said}");
        let each = format!("ended with exit code {code}: `fly logs --app rehearsal --machine");
        assert_eq!(said.matches(&each).count(), 2, "{said}");
        assert!(said.contains("no shard did its part"), "{said}");
    }
}

#[test]
fn a_fleet_whose_shards_are_not_in_the_database_is_an_error_but_not_of_usage() {
    let Some((ended, said)) = ended_with(3) else { return };
    assert_eq!(ended, Some(4), "{said}");
    assert!(said.contains("no machine came to the rendezvous"), "{said}");
}
