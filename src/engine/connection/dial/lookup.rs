//! When names are looked up: before the first connection to a name, and later in the background.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::address_rules::AddressRules;
use crate::engine::time::clock::{self, Instant};
use crate::library_text::describe_io;
use crate::plan::TargetPlan;
use crate::record::LookupMeasurement;

/// The result of a look-up.
pub(in crate::engine) type LookupFuture =
    Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>>>>;

/// Resolves names to addresses.
pub(in crate::engine) trait NameResolver {
    fn look_up(&self, name: &str, port: u16) -> LookupFuture;
}

/// The system's resolver, on its own threads.
pub(in crate::engine) struct SystemResolver;

impl NameResolver for SystemResolver {
    fn look_up(&self, name: &str, port: u16) -> LookupFuture {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name, port)).await?.collect()) })
    }
}

/// The usable addresses of a name, at least one; the error says why there is none.
type LookupResult = Result<Rc<[SocketAddr]>, String>;

/// The result of a look-up, for the tasks that wait for it; it stays empty if the look-up took too
/// long.
type LookupOutcome = watch::Receiver<Option<LookupResult>>;

/// The addresses that a lane has found for names.
///
/// A name is looked up when a connection first needs it. Connections that need it at the same time
/// wait for the same look-up. Later ones use the addresses found. If these are older than
/// `refresh`, the next connection also starts a look-up in the background.
pub(super) struct AddressCache {
    names: AddressRules,
    resolver: Box<dyn NameResolver>,
    refresh: Duration,
    limit: Duration,
    entries: RefCell<HashMap<(String, u16), SharedCacheEntry>>,
    lookups: Rc<RefCell<LookupMeasurement>>,
    under_way: RefCell<JoinSet<()>>,
}

/// A shared entry; the look-up in progress will update it.
type SharedCacheEntry = Rc<RefCell<CacheEntry>>;

/// What is known about one name.
#[derive(Default)]
struct CacheEntry {
    found: Option<CachedAddresses>,
    under_way: Option<LookupOutcome>,
}

struct CachedAddresses {
    addresses: Rc<[SocketAddr]>,
    /// When the addresses have to be looked up again.
    fresh_until: Instant,
}

impl AddressCache {
    /// Maximum number of names remembered, so that a target that keeps redirecting to new ports
    /// does not fill the memory.
    const MAX_ENTRIES: usize = 64;

    /// How much longer a look-up may run than the phase lasts. A task that waited for the whole
    /// look-up then reaches its own timeout first and does not start another one.
    const GRACE: Duration = Duration::from_millis(10);

    /// How long to wait after a failed background look-up before the next one.
    const PAUSE: Duration = Duration::from_secs(1);

    /// An empty cache.
    pub(super) fn new(target: &TargetPlan, resolver: Box<dyn NameResolver>) -> Self {
        Self {
            names: AddressRules::new(target),
            resolver,
            refresh: target.dns_refresh,
            limit: target.timeouts.dns + Self::GRACE,
            entries: RefCell::default(),
            lookups: Rc::default(),
            under_way: RefCell::default(),
        }
    }

    /// How long look-ups took so far, and how many failed.
    pub(super) fn lookups(&self) -> LookupMeasurement {
        self.lookups.borrow().clone()
    }

    /// The addresses known for a name; starts a background look-up if they are too old.
    pub(super) fn known(&self, name: &str, port: u16) -> Option<Rc<[SocketAddr]>> {
        let entry = Rc::clone(self.entries.borrow().get(&(name.to_owned(), port))?);
        let (addresses, is_stale) = {
            let known = entry.borrow();
            let found = known.found.as_ref()?;
            let is_stale = known.under_way.is_none() && clock::now() >= found.fresh_until;
            (Rc::clone(&found.addresses), is_stale)
        };
        if is_stale {
            self.start(name, port, &entry);
        }
        Some(addresses)
    }

    /// Forgets the addresses of a name: none of them could be connected to.
    pub(super) fn forget(&self, name: &str, port: u16) {
        if let Some(entry) = self.entries.borrow().get(&(name.to_owned(), port)) {
            entry.borrow_mut().found = None;
        }
    }

    /// Looks up a name whose addresses are not known.
    pub(super) async fn find(&self, name: &str, port: u16) -> LookupResult {
        let entry = self.entry(name, port);
        loop {
            if let Some(found) = &entry.borrow().found {
                return Ok(Rc::clone(&found.addresses));
            }
            let under_way = entry.borrow().under_way.clone();
            let mut outcome = under_way.unwrap_or_else(|| self.start(name, port, &entry));
            // A look-up that took too long ends without a result. Tasks that joined it late have
            // time for another one.
            if let Ok(answer) = outcome.wait_for(Option::is_some).await
                && let Some(answer) = &*answer
            {
                return answer.clone();
            }
        }
    }

    /// The entry of a name; a new one for each look-up if nothing is cached.
    fn entry(&self, name: &str, port: u16) -> SharedCacheEntry {
        if self.refresh.is_zero() {
            return Rc::default();
        }
        let mut entries = self.entries.borrow_mut();
        let key = (name.to_owned(), port);
        if entries.len() >= Self::MAX_ENTRIES && !entries.contains_key(&key) {
            entries.clear();
        }
        Rc::clone(entries.entry(key).or_default())
    }

    /// Starts a look-up that continues until the cache is dropped, even if no task waits for it.
    fn start(&self, name: &str, port: u16, entry: &SharedCacheEntry) -> LookupOutcome {
        let (sender, outcome) = watch::channel(None);
        entry.borrow_mut().under_way = Some(outcome.clone());
        let (finding, limit) = (self.resolver.look_up(name, port), self.limit);
        let (names, name) = (self.names.clone(), name.to_owned());
        let (entry, lookups, refresh) = (Rc::clone(entry), Rc::clone(&self.lookups), self.refresh);
        let work = async move {
            let begun = clock::now();
            let answer = match timeout(limit, finding).await {
                Ok(Ok(found)) => Some(names.usable(&name, found.into_iter()).map(Rc::from)),
                Ok(Err(error)) => Some(Err(describe_io(&error))),
                Err(_elapsed) => None,
            };
            let now = clock::now();
            note(
                &mut lookups.borrow_mut(),
                answer.as_ref().is_some_and(Result::is_ok),
                now - begun,
            );
            entry.borrow_mut().update(answer.as_ref(), now, refresh);
            if answer.is_some() {
                sender.send_replace(answer);
            }
        };
        let mut under_way = self.under_way.borrow_mut();
        while under_way.try_join_next().is_some() {}
        under_way.spawn_local(work);
        outcome
    }
}

fn note(lookups: &mut LookupMeasurement, is_found: bool, took: Duration) {
    if is_found {
        lookups.took.record(took);
    } else {
        lookups.failed += 1;
    }
}

impl CacheEntry {
    /// Stores the result of a look-up. If it failed, the earlier addresses stay.
    fn update(&mut self, answer: Option<&LookupResult>, now: Instant, refresh: Duration) {
        self.under_way = None;
        if let Some(Ok(addresses)) = answer {
            self.found = Some(CachedAddresses {
                addresses: Rc::clone(addresses),
                fresh_until: now + refresh,
            });
        } else if let Some(found) = &mut self.found {
            found.fresh_until = now + AddressCache::PAUSE;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::VecDeque;

    use super::*;
    use crate::engine::tests::harness::{self, millis, paused};

    /// How long the resolver takes for one look-up, and what it returns.
    type Turn = (Duration, Result<&'static str, &'static str>);

    /// Returns its answers in turn and then repeats the last one; counts the look-ups.
    struct Scripted {
        turns: RefCell<VecDeque<Turn>>,
        look_ups: Rc<Cell<u32>>,
    }

    impl NameResolver for Scripted {
        fn look_up(&self, _: &str, port: u16) -> LookupFuture {
            self.look_ups.set(self.look_ups.get() + 1);
            let mut turns = self.turns.borrow_mut();
            let (after, answer) =
                if turns.len() > 1 { turns.pop_front().unwrap() } else { turns[0] };
            Box::pin(async move {
                tokio::time::sleep(after).await;
                let found = answer.map_err(io::Error::other)?;
                Ok(found.split(' ').map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect())
            })
        }
    }

    fn cache(refresh: Duration, turns: &[Turn]) -> (Rc<AddressCache>, Rc<Cell<u32>>) {
        let mut target = harness::open(1.0, 1, 1).target;
        target.dns_refresh = refresh;
        let look_ups = Rc::new(Cell::new(0));
        let turns = RefCell::new(turns.iter().copied().collect());
        let resolver = Scripted { turns, look_ups: Rc::clone(&look_ups) };
        (Rc::new(AddressCache::new(&target, Box::new(resolver))), look_ups)
    }

    fn known(cache: &AddressCache) -> Option<String> {
        let known = cache.known("name", 80)?;
        Some(known.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(" "))
    }

    async fn pass(duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    #[test]
    fn connections_that_need_a_name_at_the_same_time_share_one_look_up() {
        paused(async {
            let (cache, look_ups) = cache(millis(30_000), &[(millis(50), Ok("10.0.0.1"))]);
            assert_eq!(known(&cache), None);
            let begun = clock::now();
            let late = async {
                pass(millis(20)).await;
                cache.find("name", 80).await
            };
            let (first, second) = tokio::join!(cache.find("name", 80), late);
            assert_eq!((first.unwrap(), look_ups.get()), (second.unwrap(), 1));
            assert!(clock::now() - begun < millis(55));
            assert_eq!(known(&cache).as_deref(), Some("10.0.0.1"));
            assert_eq!((cache.lookups().took.count(), cache.lookups().failed), (1, 0));
        });
    }

    #[test]
    fn an_old_answer_is_used_until_the_next_one_arrives() {
        paused(async {
            let turns = [(millis(5), Ok("10.0.0.1")), (millis(100), Ok("10.0.0.2"))];
            let (cache, look_ups) = cache(millis(30_000), &turns);
            cache.find("name", 80).await.unwrap();
            pass(millis(29_000)).await;
            assert_eq!((known(&cache).as_deref(), look_ups.get()), (Some("10.0.0.1"), 1));
            pass(millis(1_100)).await;
            assert_eq!((known(&cache).as_deref(), look_ups.get()), (Some("10.0.0.1"), 2));
            pass(millis(50)).await;
            // The look-up is in progress and is not started again.
            assert_eq!((known(&cache).as_deref(), look_ups.get()), (Some("10.0.0.1"), 2));
            pass(millis(60)).await;
            assert_eq!((known(&cache).as_deref(), look_ups.get()), (Some("10.0.0.2"), 2));
        });
    }

    #[test]
    fn a_failed_background_look_up_keeps_the_old_answer_and_is_not_repeated_at_once() {
        paused(async {
            let failing = (millis(5), Err("no such name"));
            let turns =
                [(millis(5), Ok("10.0.0.1")), failing, failing, (millis(5), Ok("10.0.0.2"))];
            let (cache, look_ups) = cache(millis(10_000), &turns);
            cache.find("name", 80).await.unwrap();
            pass(millis(10_001)).await;
            for (after, asked_by_then) in [(0, 2), (900, 2), (200, 3), (500, 3), (600, 4)] {
                pass(millis(after)).await;
                assert_eq!(
                    (known(&cache).as_deref(), look_ups.get()),
                    (Some("10.0.0.1"), asked_by_then)
                );
            }
            pass(millis(10)).await;
            assert_eq!(known(&cache).as_deref(), Some("10.0.0.2"));
            assert_eq!((cache.lookups().took.count(), cache.lookups().failed), (2, 2));
        });
    }

    #[test]
    fn unreachable_addresses_are_looked_up_again_when_next_needed() {
        paused(async {
            let turns = [(millis(5), Ok("10.0.0.1")), (millis(5), Ok("10.0.0.2"))];
            let (cache, look_ups) = cache(millis(30_000), &turns);
            cache.find("name", 80).await.unwrap();
            cache.forget("name", 80);
            cache.forget("other", 80);
            assert_eq!(known(&cache), None);
            assert_eq!(cache.find("name", 80).await.unwrap()[0].to_string(), "10.0.0.2:80");
            assert_eq!(look_ups.get(), 2);
        });
    }

    #[test]
    fn a_failed_first_look_up_is_reported_and_the_next_connection_starts_another() {
        paused(async {
            let turns = [(millis(5), Err("no such name")), (millis(5), Ok("10.0.0.1"))];
            let (cache, look_ups) = cache(millis(30_000), &turns);
            assert_eq!(cache.find("name", 80).await.unwrap_err(), "no such name");
            assert_eq!(known(&cache), None);
            assert!(cache.find("name", 80).await.is_ok());
            assert_eq!((look_ups.get(), cache.lookups().failed), (2, 1));
        });
    }

    #[test]
    fn a_look_up_that_hangs_blocks_no_task_beyond_its_limit() {
        paused(async {
            let turns = [(Duration::from_hours(1), Ok("10.0.0.1")), (millis(5), Ok("10.0.0.2"))];
            let (cache, look_ups) = cache(millis(30_000), &turns);
            let begun = clock::now();
            // The harness allows one second.
            assert_eq!(cache.find("name", 80).await.unwrap()[0].to_string(), "10.0.0.2:80");
            assert!(clock::now() - begun < millis(1_020));
            assert_eq!((look_ups.get(), cache.lookups().failed), (2, 1));
        });
    }

    #[test]
    fn a_look_up_that_hangs_ends_with_its_cache() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let local = tokio::task::LocalSet::new();
        let begun = local.block_on(&runtime, async { clock::now() });
        local.spawn_local(async {
            let (cache, _) = cache(millis(30_000), &[(Duration::from_hours(1), Ok("10.0.0.1"))]);
            let found = timeout(millis(100), cache.find("name", 80)).await;
            assert!(found.is_err());
        });
        // A `LocalSet` ends when all of its tasks have ended.
        runtime.block_on(local);
        assert!(runtime.block_on(async { clock::now() }) - begun < millis(110));
    }

    #[test]
    fn without_a_cache_each_connection_looks_up_the_name() {
        paused(async {
            let (cache, look_ups) = cache(Duration::ZERO, &[(millis(5), Ok("10.0.0.1"))]);
            let (first, second) = tokio::join!(cache.find("name", 80), cache.find("name", 80));
            assert!(first.is_ok() && second.is_ok());
            assert_eq!((known(&cache), look_ups.get()), (None, 2));
            assert_eq!(cache.lookups().took.count(), 2);
        });
    }

    #[test]
    fn the_number_of_remembered_ports_is_limited() {
        paused(async {
            let (cache, _) = cache(millis(30_000), &[(millis(1), Ok("10.0.0.1"))]);
            for port in 1..=500 {
                cache.find("name", port).await.unwrap();
            }
            assert!(cache.entries.borrow().len() <= AddressCache::MAX_ENTRIES);
            assert!(cache.under_way.borrow().len() <= 1);
        });
    }
}
