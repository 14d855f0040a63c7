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
    for (code, exit) in [(2, 2), (4, 4), (137, 4)] {
        let Some((ended, said)) = ended_with(code) else { return };
        assert_eq!(ended, Some(exit), "{said}");
        let each = format!("ended with exit code {code}: `fly logs --app rehearsal --machine");
        assert_eq!(said.matches(&each).count(), 2, "{said}");
        assert!(said.contains("no shard did its part"), "{said}");
    }
}
