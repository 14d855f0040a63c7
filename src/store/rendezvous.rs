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
    /// The longest time from the start to the last response.
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
    /// Another prober has the shard.
    Taken(JoinedShard),
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
    /// Its run; `None` until it sends something.
    pub run: Option<Uuid>,
    /// When it ended.
    pub ended: Option<OffsetDateTime>,
    /// When all began to measure; `None` if that was not agreed yet.
    pub starts: Option<OffsetDateTime>,
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

/// What a prober is told.
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
    pub merged: Option<Uuid>,
    /// The probers that registered, in the order of their shards.
    pub shards: Vec<JoinedShard>,
    /// The runs of theirs that are stored.
    pub stored: Vec<Uuid>,
}

/// How long a prober that keeps in touch may be silent: it asks for news every second.
const SILENCE: time::Duration = time::Duration::seconds(30);

/// How long after the planned end a shard may still arrive.
const DELAY: time::Duration = time::Duration::seconds(60);

impl RendezvousState {
    /// The shards that may still be stored, counted from 1.
    pub fn awaited(&self) -> Vec<u32> {
        self.without_run().filter(|shard| self.may_come(*shard)).collect()
    }

    /// The shards that are not stored and never will be, counted from 1.
    pub fn lost(&self) -> Vec<u32> {
        self.without_run().filter(|shard| !self.may_come(*shard)).collect()
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

    fn may_come(&self, shard: u32) -> bool {
        let Some(starts) = self.starts else {
            // Whoever is there agrees on a start as soon as the wait is over.
            let is_attended = self.shards.iter().any(|joined| !self.is_silent(joined));
            return self.now < self.waits_until || is_attended;
        };
        let ends = starts + self.terms.lasts;
        self.joined(shard).is_some_and(|joined| {
            let is_cut_off = self.is_silent(joined) && (joined.run.is_none() || self.now > ends);
            joined.ended.is_none() && !is_cut_off && self.now < ends + DELAY
        })
    }

    fn is_silent(&self, joined: &JoinedShard) -> bool {
        self.now - joined.seen > SILENCE
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
            run: Some(Uuid::from_u128(shard.into())),
            ended: None,
            starts: Some(START),
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

    #[test]
    fn a_shard_is_awaited_until_it_is_stored_or_a_minute_after_the_planned_end() {
        assert_eq!(state(119).awaited(), [2]);
        assert_eq!((state(120).awaited(), state(120).lost()), (vec![], vec![2]));
        let all = RendezvousState { stored: [1, 2].map(Uuid::from_u128).to_vec(), ..state(10) };
        assert_eq!((all.awaited(), all.lost()), (vec![], vec![]));
    }

    #[test]
    fn a_shard_that_fell_silent_may_have_lost_the_store_only_and_is_awaited_until_the_planned_end()
    {
        let silent = |seconds| {
            let mut state = state(seconds);
            state.shards[1].seen = after(5);
            state
        };
        assert_eq!(silent(59).awaited(), [2]);
        assert_eq!(silent(61).lost(), [2]);
        let mut unsent = silent(40);
        unsent.shards[1].run = None;
        assert_eq!(unsent.lost(), [2]);
    }

    #[test]
    fn a_shard_that_ended_without_a_stored_run_is_lost_at_once() {
        let mut state = state(10);
        state.shards[1].ended = Some(after(9));
        assert_eq!(state.lost(), [2]);
    }

    #[test]
    fn before_the_start_every_shard_is_awaited_as_long_as_somebody_waits() {
        let waiting = |now: i64, seen: i64| {
            let mut state = RendezvousState { starts: None, stored: Vec::new(), ..state(now) };
            state.shards.truncate(1);
            state.shards[0].run = None;
            state.shards[0].seen = after(seen);
            state
        };
        assert_eq!(waiting(100, 0).awaited(), [1, 2]);
        assert_eq!(waiting(281, 280).awaited(), [1, 2]);
        assert_eq!(waiting(320, 280).lost(), [1, 2]);
    }
}
