//! Which runs are counted if several merged runs hold the same shard.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use uuid::Uuid;

/// The runs that are not counted, because their exchanges are counted in a merged run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CoveredRuns {
    /// Their ids: shards of the counted merged runs, and merged runs that share a shard with one.
    pub ids: HashSet<Uuid>,
    /// The merged runs among them that also have shards of their own, each with a counted merged
    /// run that holds the others.
    pub overlapping: Vec<(Uuid, Uuid)>,
}

impl CoveredRuns {
    /// Decides which runs are covered, from the merged runs and their parts.
    ///
    /// Each shard counts once: the merged run with the most shards is counted first, of equal ones
    /// the newest that was given no shard twice. Another one that shares a shard with it is
    /// covered. Shards that only the latter holds are not: they count as runs of their own. A part
    /// that is itself a merged run stands for its parts.
    pub fn of(merges: impl IntoIterator<Item = (Uuid, Vec<Uuid>)>) -> Self {
        let merges: BTreeMap<Uuid, Vec<Uuid>> =
            merges.into_iter().filter(|(_, parts)| !parts.is_empty()).collect();
        let mut ranked: Vec<_> = merges.keys().map(|id| (shards(*id, &merges), *id)).collect();
        let is_exact = |id: &Uuid| {
            let parts = merges.get(id).map(Vec::as_slice).unwrap_or_default();
            parts.iter().collect::<HashSet<_>>().len() == parts.len()
        };
        ranked.sort_by_key(|(shards, id)| std::cmp::Reverse((shards.len(), is_exact(id), *id)));
        let mut covered = Self::default();
        let mut holders: BTreeMap<Uuid, Uuid> = BTreeMap::new();
        let mut sharing = Vec::new();
        for (shards, id) in ranked {
            if covered.ids.contains(&id) {
                continue;
            }
            let holder = shards.iter().find_map(|shard| holders.get(shard)).copied();
            match holder {
                None => {
                    holders.extend(shards.iter().map(|shard| (*shard, id)));
                    covered.ids.extend(shards);
                }
                Some(holder) => {
                    covered.ids.insert(id);
                    sharing.push((id, holder, shards));
                }
            }
        }
        // Only now is it known which shards count in a merged run.
        sharing.retain(|(.., shards)| !shards.iter().all(|shard| holders.contains_key(shard)));
        covered.overlapping = sharing.into_iter().map(|(id, holder, _)| (id, holder)).collect();
        covered
    }
}

/// All parts of a merged run, with those of the merged runs among them. A damaged record may name
/// itself.
fn shards(id: Uuid, merges: &BTreeMap<Uuid, Vec<Uuid>>) -> BTreeSet<Uuid> {
    let mut found = BTreeSet::new();
    let mut open = vec![id];
    while let Some(next) = open.pop() {
        for part in merges.get(&next).into_iter().flatten() {
            if *part != id && found.insert(*part) {
                open.push(*part);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    /// The covered runs and the overlapping ones; merged runs have numbers from 100.
    fn covered(merges: &[(u128, &[u128])]) -> (BTreeSet<u128>, Vec<(u128, u128)>) {
        let merges = merges
            .iter()
            .map(|(merged, parts)| (id(*merged), parts.iter().copied().map(id).collect()));
        let covered = CoveredRuns::of(merges);
        let overlapping = covered.overlapping.iter();
        (
            covered.ids.iter().map(Uuid::as_u128).collect(),
            overlapping.map(|(one, by)| (one.as_u128(), by.as_u128())).collect(),
        )
    }

    #[test]
    fn each_shard_is_counted_once_however_often_it_was_merged() {
        for (merges, expected, overlapping) in [
            (&[(100, &[1, 2][..])][..], &[1, 2][..], &[][..]),
            // Merged twice: the newer counts.
            (&[(100, &[1, 2]), (101, &[2, 1])], &[1, 2, 100], &[]),
            // Merged again with a shard given twice: the exact one counts.
            (&[(100, &[1, 2]), (101, &[1, 1, 2])], &[1, 2, 101], &[]),
            // A part of a larger one.
            (&[(101, &[1, 2]), (100, &[1, 2, 3])], &[1, 2, 3, 101], &[]),
            // Shard 3 counts on its own.
            (&[(100, &[2, 3]), (101, &[1, 2])], &[1, 2, 100], &[(100, 101)]),
            // A chain: the outer ones share nothing with each other.
            (&[(100, &[1, 2]), (101, &[2, 3]), (102, &[3, 4])], &[1, 2, 3, 4, 101], &[]),
            // A merged run of merged runs.
            (&[(100, &[1, 2]), (101, &[3, 4]), (102, &[100, 101])], &[1, 2, 3, 4, 100, 101], &[]),
            // Damaged records that name themselves or each other.
            (&[(100, &[100, 1])], &[1], &[]),
            (&[(100, &[101]), (101, &[100])], &[100], &[]),
            (&[], &[], &[]),
        ] {
            let (ids, found) = covered(merges);
            assert_eq!(ids, expected.iter().copied().collect(), "{merges:?}");
            assert_eq!(found, overlapping, "{merges:?}");
        }
    }
}
