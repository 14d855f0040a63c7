//! What the probers of a shared run tell each other through a store.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::record::RunEnding;

/// What all probers of a shared run must have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RendezvousTerms {
    /// The name of the rendezvous.
    pub name: String,
    /// The number of shards.
    pub shards: u32,
    /// The digest of the plan.
    pub plan: String,
    /// The version of tollgate.
    pub tollgate: String,
    /// The planned length of the measured stage, in whole milliseconds.
    pub lasts: Duration,
}

/// A prober that wants to take part.
#[derive(Debug, Clone)]
pub struct ShardCandidate {
    /// The shard it wants, counted from 1; `None` for any that is free.
    pub shard: Option<u32>,
    /// Stands for this process.
    pub token: Uuid,
    /// The name of its machine.
    pub host: String,
    /// The time it needs from the agreement to the start.
    pub lead: Duration,
    /// How long the probers wait for each other, if this one is the first.
    pub wait: Duration,
}

/// Why a prober cannot take part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinRefusal {
    /// The terms of the rendezvous differ from those of the prober.
    OtherTerms(RendezvousTerms),
    /// Another prober has the shard and waits for the start.
    Taken(JoinedShard),
    /// The shard's prober took part in the run, which has started.
    Repeated(JoinedShard),
    /// All shards have a prober.
    Full,
    /// The start was agreed without this prober.
    Started(OffsetDateTime),
}

/// A prober that registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedShard {
    /// Its shard, counted from 1.
    pub shard: u32,
    /// Stands for its process.
    pub token: Uuid,
    /// The name of its machine.
    pub host: String,
    /// When it registered.
    pub joined: OffsetDateTime,
    /// When it last asked for news.
    pub seen: OffsetDateTime,
    /// How long it has been silent.
    pub silence: Duration,
    /// Its run; `None` until it sends something.
    pub run: Option<Uuid>,
    /// When it ended.
    pub ended: Option<OffsetDateTime>,
    /// Whether it measured its part and stored it.
    pub measured: bool,
}

/// A prober as it says who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardMember {
    /// Its shard, counted from 1.
    pub shard: u32,
    /// Stands for this process.
    pub token: Uuid,
    /// Its run; `None` until it sends something.
    pub run: Option<Uuid>,
}

/// News for a prober.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RendezvousNews {
    /// How many probers are there.
    pub present: u32,
    /// When all begin to measure; `None` until it is agreed.
    pub starts: Option<OffsetDateTime>,
    /// Whether the prober still has its shard.
    pub is_member: bool,
    /// How the whole run ended.
    pub stop: Option<RunEnding>,
}

/// The run that the shards of a rendezvous were merged into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergedRun {
    /// Its id.
    pub id: Uuid,
    /// The number of runs that it was merged from.
    pub parts: usize,
}

/// The state of a rendezvous for the one who merges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RendezvousState {
    /// The time of the database.
    pub now: OffsetDateTime,
    /// Its terms.
    pub terms: RendezvousTerms,
    /// When the probers no longer wait for each other.
    pub waits_until: OffsetDateTime,
    /// When all begin to measure.
    pub starts: Option<OffsetDateTime>,
    /// The merged run.
    pub merged: Option<MergedRun>,
    /// The probers that registered, in the order of their shards.
    pub shards: Vec<JoinedShard>,
    /// The runs of theirs that are stored.
    pub stored: Vec<Uuid>,
}

impl JoinedShard {
    /// How long a prober that waits for the others may be silent before it loses its shard.
    pub const WAITING_SILENCE: Duration = Duration::from_secs(15);

    /// How long a running prober may be silent before it counts as dead. It asks for news every
    /// second, and may have lost the store for a moment.
    pub const RUNNING_SILENCE: Duration = Duration::from_secs(30);

    fn is_silent(&self) -> bool {
        self.silence > Self::RUNNING_SILENCE
    }
}

/// How long after the planned end a shard may still arrive.
const DELAY: Duration = Duration::from_mins(1);

impl RendezvousState {
    /// The shards that may still be stored, counted from 1. `in_touch` is how long the caller has
    /// reached the store without a break: if that was away, every prober seems to have been silent.
    pub fn awaited(&self, in_touch: Duration) -> Vec<u32> {
        self.without_run().filter(|shard| self.may_come(*shard, in_touch)).collect()
    }

    /// The shards that are not stored, counted from 1.
    pub fn lost(&self) -> Vec<u32> {
        self.without_run().collect()
    }

    /// Whether nothing is left to be ended: every shard has ended, or none is awaited any more.
    pub fn is_over(&self) -> bool {
        self.starts.is_some_and(|starts| {
            self.now >= starts + self.terms.lasts + DELAY
                || self.shards.iter().all(|joined| joined.ended.is_some())
        })
    }

    fn without_run(&self) -> impl Iterator<Item = u32> {
        (1..=self.terms.shards).filter(|shard| {
            let run = self.joined(*shard).and_then(|joined| joined.run);
            run.is_none_or(|run| !self.stored.contains(&run))
        })
    }

    fn joined(&self, shard: u32) -> Option<&JoinedShard> {
        self.shards.iter().find(|joined| joined.shard == shard)
    }

    fn may_come(&self, shard: u32, in_touch: Duration) -> bool {
        let is_silent =
            |joined: &JoinedShard| joined.is_silent() && in_touch > JoinedShard::RUNNING_SILENCE;
        let Some(starts) = self.starts else {
            // Whoever is there agrees on a start as soon as the wait is over.
            return self.now < self.waits_until || self.shards.iter().any(|it| !is_silent(it));
        };
        let ends = starts + self.terms.lasts;
        self.joined(shard).is_some_and(|joined| {
            let is_cut_off = is_silent(joined) && (joined.run.is_none() || self.now > ends);
            joined.ended.is_none() && !is_cut_off && self.now < ends + DELAY
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-11-29 12:00 UTC);

    fn after(seconds: i64) -> OffsetDateTime {
        START + time::Duration::seconds(seconds)
    }

    /// A minute's run of two shards that started together, `seconds` after its start.
    fn state(seconds: i64) -> RendezvousState {
        let shard = |shard: u32| JoinedShard {
            shard,
            token: Uuid::nil(),
            host: "web".to_owned(),
            joined: after(-20),
            seen: after(seconds),
            silence: Duration::ZERO,
            run: Some(Uuid::from_u128(shard.into())),
            ended: None,
            measured: false,
        };
        RendezvousState {
            now: after(seconds),
            terms: RendezvousTerms {
                name: "deploy-42".to_owned(),
                shards: 2,
                plan: String::new(),
                tollgate: String::new(),
                lasts: Duration::from_mins(1),
            },
            waits_until: after(280),
            starts: Some(START),
            merged: None,
            shards: vec![shard(1), shard(2)],
            stored: vec![Uuid::from_u128(1)],
        }
    }

    const LONG: Duration = Duration::from_hours(1);

    #[test]
    fn a_shard_is_awaited_until_it_is_stored_or_a_minute_after_the_planned_end() {
        assert_eq!(state(119).awaited(LONG), [2]);
        assert_eq!((state(120).awaited(LONG), state(120).lost()), (vec![], vec![2]));
        let all = RendezvousState { stored: [1, 2].map(Uuid::from_u128).to_vec(), ..state(10) };
        assert_eq!((all.awaited(LONG), all.lost()), (vec![], vec![]));
    }

    #[test]
    fn a_shard_that_fell_silent_may_have_lost_the_store_only_and_is_awaited_until_the_planned_end()
    {
        let silent = |seconds| {
            let mut state = state(seconds);
            state.shards[1].silence = Duration::from_secs(31);
            state
        };
        assert_eq!(silent(59).awaited(LONG), [2]);
        assert!(silent(61).awaited(LONG).is_empty());
        let mut unsent = silent(40);
        unsent.shards[1].run = None;
        assert!(unsent.awaited(LONG).is_empty());
    }

    #[test]
    fn nobody_is_silent_for_whoever_has_just_reached_the_store_again() {
        let mut state = state(61);
        state.shards[1].silence = Duration::from_secs(50);
        assert_eq!(state.awaited(Duration::from_secs(5)), [2]);
        assert!(state.awaited(Duration::from_secs(31)).is_empty());
    }

    #[test]
    fn a_shard_that_ended_without_a_stored_run_is_lost_at_once() {
        let mut state = state(10);
        state.shards[1].ended = Some(after(9));
        assert_eq!((state.awaited(LONG), state.lost()), (vec![], vec![2]));
    }

    #[test]
    fn before_the_start_every_shard_is_awaited_as_long_as_somebody_waits() {
        let waiting = |now: i64, silence: u64| {
            let mut state = RendezvousState { starts: None, stored: Vec::new(), ..state(now) };
            state.shards.truncate(1);
            state.shards[0].run = None;
            state.shards[0].silence = Duration::from_secs(silence);
            state
        };
        assert_eq!(waiting(100, 100).awaited(LONG), [1, 2]);
        assert_eq!(waiting(281, 1).awaited(LONG), [1, 2]);
        assert!(waiting(320, 40).awaited(LONG).is_empty());
    }
}
