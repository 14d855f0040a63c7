//! Runs that lack shards, or have one more than once.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{judged, reason_texts, tile};
use crate::record::{Decision, LostShard, ShardRecord, ShardSharing};

/// A run over this many machines; the record holds only these shards.
fn shared(shards: &[u32], of: u32) -> ShardSharing {
    let part = |&shard: &u32| ShardRecord {
        shard,
        run: Uuid::from_u128(u128::from(shard)),
        host: "machine".to_owned(),
        clock: None,
    };
    let start = OffsetDateTime::UNIX_EPOCH;
    ShardSharing { of, start, parts: shards.iter().map(part).collect(), lost: Vec::new() }
}

#[test]
fn a_record_of_every_shard_is_believed() {
    let verdict = judged(&[tile(100, 0)], |run| run.sharing = Some(shared(&[3, 1, 2], 3)));
    assert_eq!(verdict.decision, Decision::Pass);
    assert!(verdict.reasons.is_empty());
}

#[test]
fn a_shard_that_is_missing_or_there_more_than_once_voids_a_pass_and_is_named() {
    for (shards, of, first_reason) in [
        (&[1][..], 3, "shards 2 and 3 of 3 are missing"),
        (&[3, 1], 3, "shard 2 of 3 is missing"),
        (&[1, 2, 1, 3], 3, "shard 1 of 3 occurs twice"),
        (&[1, 2, 2, 2, 3, 3, 4, 4], 4, "shard 2 of 4 occurs 3 times, and 2 more are repeated"),
        (&[2], 1_000, "shards 1, 3, 4, 5, 6, 7, 8, 9 and 991 more of 1000 are missing"),
    ] {
        let verdict = judged(&[tile(100, 0)], |run| run.sharing = Some(shared(shards, of)));
        assert_eq!(verdict.decision, Decision::Inconclusive, "{shards:?}");
        assert_eq!(reason_texts(&verdict), [first_reason]);
        assert!(verdict.reasons[0].next.contains("tollgate merge"));
        assert!(
            verdict.budgets[0].reason.what.ends_with(first_reason),
            "{}",
            verdict.budgets[0].reason.what
        );
    }
    let both = judged(&[tile(100, 0)], |run| run.sharing = Some(shared(&[1, 1], 2)));
    assert_eq!(reason_texts(&both), ["shard 2 of 2 is missing", "shard 1 of 2 occurs twice"]);
}

#[test]
fn a_verdict_says_why_shards_are_missing() {
    let lost = |shard, host: Option<&str>, why: &str| LostShard {
        shard,
        host: host.map(str::to_owned),
        why: why.to_owned(),
        can_be_stored: false,
    };
    let sent_nothing = lost(2, Some("web-2"), "sent nothing");
    let absent = lost(3, None, "no machine was there for it");
    for (shards, lost, first_reason) in [
        (&[1, 2][..], vec![absent.clone()], "shard 3 of 3 is missing: no machine was there for it"),
        (
            &[1],
            vec![sent_nothing.clone(), absent],
            "shards 2 and 3 of 3 are missing (2: web-2 sent nothing; 3: no machine was there for it)",
        ),
        (&[1], vec![sent_nothing], "shards 2 and 3 of 3 are missing (2: web-2 sent nothing)"),
    ] {
        let verdict = judged(&[tile(100, 0)], |run| {
            run.sharing = Some(ShardSharing { lost: lost.clone(), ..shared(shards, 3) });
        });
        assert_eq!(reason_texts(&verdict), [first_reason]);
    }
}

#[test]
fn a_budget_that_is_undecided_without_a_shard_needs_the_shard_and_not_more_time() {
    let undecided = |shards: &[u32]| {
        let verdict = judged(&[tile(20, 0)], |run| run.sharing = Some(shared(shards, 3)));
        assert_eq!(verdict.budgets[0].decision, Decision::Inconclusive);
        verdict.budgets[0].reason.next.clone()
    };
    assert!(undecided(&[1, 2, 3]).contains(" more "), "{}", undecided(&[1, 2, 3]));
    assert_eq!(undecided(&[1, 2]), "merge the runs of all shards: `tollgate merge RUN RUN…`");
}

#[test]
fn a_proven_fail_stands_though_a_shard_is_missing() {
    let verdict = judged(&[tile(50, 50)], |run| run.sharing = Some(shared(&[1], 3)));
    assert_eq!(verdict.decision, Decision::Fail);
}
