//! Machines register at a rendezvous, many of them at once.

use std::collections::BTreeSet;
use std::time::Duration;

use tollgate::store::{Database, DatabaseError, JoinRefusal, RendezvousTerms, ShardCandidate};
use uuid::Uuid;

use crate::bench::{migrated, open};
use crate::cluster::{self, Cluster};

fn terms(shards: u32) -> RendezvousTerms {
    RendezvousTerms {
        name: "deploy-42".to_owned(),
        shards,
        plan: "plan".to_owned(),
        tollgate: "0.1.0".to_owned(),
        lasts: Duration::from_mins(1),
    }
}

/// A machine that wants this shard, or any.
fn candidate(shard: Option<u32>) -> ShardCandidate {
    ShardCandidate {
        shard,
        token: Uuid::new_v4(),
        host: "web".to_owned(),
        lead: Duration::from_secs(10),
        wait: Duration::from_mins(5),
    }
}

/// Registers a machine for this shard, or any, of forty.
fn join(database: &mut Database, shard: Option<u32>) -> Result<u32, Box<JoinRefusal>> {
    database.join_rendezvous(&terms(40), &candidate(shard)).unwrap().map_err(Box::new)
}

/// Registers forty machines at once, each on its own connection; returns their shards.
fn join_all(url: &str, wanted: impl Fn(u32) -> Option<u32>) -> BTreeSet<u32> {
    let connections: Vec<_> = (1..=40).map(|number| (open(url), wanted(number))).collect();
    std::thread::scope(|scope| {
        let joining: Vec<_> = connections
            .into_iter()
            .map(|(mut database, shard)| scope.spawn(move || join(&mut database, shard)))
            .collect();
        joining.into_iter().map(|joined| joined.join().unwrap().unwrap()).collect()
    })
}

#[test]
fn forty_machines_that_register_at_once_each_get_a_shard_of_their_own() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    for (name, wanted) in [("any", None), ("named", Some(()))] {
        let url = migrated(&cluster, name);
        let shards = join_all(&url, |number| wanted.map(|()| number));
        assert_eq!(shards, (1..=40).collect(), "{name}");
        assert_eq!(join(&mut open(&url), None), Err(Box::new(JoinRefusal::Full)));
    }
}

#[test]
fn a_machine_does_not_wait_for_another_that_registers_slowly() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let url = migrated(&cluster, "fleet");
    let mut database = open(&url);
    assert_eq!(join(&mut database, None), Ok(1));
    let slow = "begin; insert into tollgate.rendezvous_shards (rendezvous, shard, token, host, lead_ms) \
                values ('deploy-42', 3, gen_random_uuid(), 'slow', 1); select pg_sleep(600)";
    std::thread::scope(|scope| {
        scope.spawn(|| cluster.sql_as(&url, slow));
        cluster.wait_for("fleet", cluster::ASLEEP, 1);
        let joined = database.join_rendezvous(&terms(40), &candidate(Some(2)));
        cluster.end_sleeps("fleet");
        assert_eq!(joined.unwrap(), Ok(2));
    });
}

#[test]
fn a_machine_whose_answer_was_lost_keeps_its_shard_and_a_shard_is_given_once() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let mut database = open(&migrated(&cluster, "fleet"));
    let machine = candidate(None);
    for _ in 0..2 {
        assert_eq!(database.join_rendezvous(&terms(3), &machine).unwrap(), Ok(1));
    }
    let again = database.join_rendezvous(&terms(3), &candidate(Some(1))).unwrap();
    assert!(matches!(again, Err(JoinRefusal::Taken(holder)) if holder.shard == 1));
    let other = RendezvousTerms { plan: "other".to_owned(), ..terms(3) };
    let refused: Result<_, DatabaseError> = database.join_rendezvous(&other, &candidate(None));
    assert_eq!(refused.unwrap(), Err(JoinRefusal::OtherTerms(terms(3))));
    cluster.sql("fleet", "update tollgate.rendezvous set starts = now()");
    let late = database.join_rendezvous(&terms(3), &candidate(None)).unwrap();
    assert!(matches!(late, Err(JoinRefusal::Started(_))), "{late:?}");
    let repeated = database.join_rendezvous(&terms(3), &candidate(Some(1))).unwrap();
    assert!(matches!(repeated, Err(JoinRefusal::Repeated(_))), "{repeated:?}");
}
