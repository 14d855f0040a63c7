//! When names are looked up: on a connection's way where nothing is known yet, in the background
//! from then on.

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
use crate::plan::TargetPlan;
use crate::record::LookupMeasurement;

/// What a look-up comes to.
pub(in crate::engine) type LookupFuture =
    Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>>>>;

/// Whoever knows the addresses of names.
pub(in crate::engine) trait NameResolver {
    fn look_up(&self, name: &str, port: u16) -> LookupFuture;
}

/// The system's resolver, on threads of its own.
pub(in crate::engine) struct SystemResolver;

impl NameResolver for SystemResolver {
    fn look_up(&self, name: &str, port: u16) -> LookupFuture {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name, port)).await?.collect()) })
    }
}

/// The usable addresses of a name, at least one; the error says why there is none.
type LookupResult = Result<Rc<[SocketAddr]>, String>;

/// How a look-up went, for those that wait for it; without a word where it took too long.
type LookupOutcome = watch::Receiver<Option<LookupResult>>;

/// A lane's addresses of names.
///
/// A name is looked up when a connection first needs it, and those who need it at the same time
/// wait for the same look-up. Afterwards what was found is used; where it is older than `refresh`,
/// the next one who needs it starts a look-up in the background.
pub(super) struct AddressCache {
    names: AddressRules,
    resolver: Box<dyn NameResolver>,
    refresh: Duration,
    limit: Duration,
    pages: RefCell<HashMap<(String, u16), SharedCacheEntry>>,
    lookups: Rc<RefCell<LookupMeasurement>>,
    under_way: RefCell<JoinSet<()>>,
}

/// A page and the look-up that will turn it.
type SharedCacheEntry = Rc<RefCell<CacheEntry>>;

/// What is known of one name.
#[derive(Default)]
struct CacheEntry {
    found: Option<CachedAddresses>,
    under_way: Option<LookupOutcome>,
}

struct CachedAddresses {
    addresses: Rc<[SocketAddr]>,
    /// When they are to be looked up again.
    fresh_until: Instant,
}

impl AddressCache {
    /// How many names are remembered; a target that redirects to ever other ports must not fill the
    /// memory.
    const PAGES: usize = 64;

    /// How much later than the phase a look-up runs out of time, so that those who waited for the
    /// whole of it are told of their own time first and start no other.
    const GRACE: Duration = Duration::from_millis(10);

    /// How long after a failed look-up in the background the next one may begin.
    const PAUSE: Duration = Duration::from_secs(1);

    /// An empty directory.
    pub(super) fn new(target: &TargetPlan, resolver: Box<dyn NameResolver>) -> Self {
        Self {
            names: AddressRules::new(target),
            resolver,
            refresh: target.dns_refresh,
            limit: target.timeouts.dns + Self::GRACE,
            pages: RefCell::default(),
            lookups: Rc::default(),
            under_way: RefCell::default(),
        }
    }

    /// How long look-ups took so far, and how many failed.
    pub(super) fn lookups(&self) -> LookupMeasurement {
        self.lookups.borrow().clone()
    }

    /// What is known of a name; looks it up again in the background where that is too old.
    pub(super) fn known(&self, name: &str, port: u16) -> Option<Rc<[SocketAddr]>> {
        let page = Rc::clone(self.pages.borrow().get(&(name.to_owned(), port))?);
        let (addresses, is_stale) = {
            let known = page.borrow();
            let found = known.found.as_ref()?;
            let is_stale = known.under_way.is_none() && clock::now() >= found.fresh_until;
            (Rc::clone(&found.addresses), is_stale)
        };
        if is_stale {
            self.start(name, port, &page);
        }
        Some(addresses)
    }

    /// Forgets what was found for a name: none of its addresses could be connected to.
    pub(super) fn forget(&self, name: &str, port: u16) {
        if let Some(page) = self.pages.borrow().get(&(name.to_owned(), port)) {
            page.borrow_mut().found = None;
        }
    }

    /// Looks up a name of which nothing is known.
    pub(super) async fn find(&self, name: &str, port: u16) -> LookupResult {
        let page = self.page(name, port);
        loop {
            if let Some(found) = &page.borrow().found {
                return Ok(Rc::clone(&found.addresses));
            }
            let under_way = page.borrow().under_way.clone();
            let mut outcome = under_way.unwrap_or_else(|| self.start(name, port, &page));
            // A look-up that took too long ends without a word; those who came late to it have time
            // for another.
            if let Ok(answer) = outcome.wait_for(Option::is_some).await
                && let Some(answer) = &*answer
            {
                return answer.clone();
            }
        }
    }

    /// The page of a name; one of its own for each look-up where nothing is kept.
    fn page(&self, name: &str, port: u16) -> SharedCacheEntry {
        if self.refresh.is_zero() {
            return Rc::default();
        }
        let mut pages = self.pages.borrow_mut();
        let key = (name.to_owned(), port);
        if pages.len() >= Self::PAGES && !pages.contains_key(&key) {
            pages.clear();
        }
        Rc::clone(pages.entry(key).or_default())
    }

    /// Starts a look-up that goes on whoever waits for it, until the directory is gone.
    fn start(&self, name: &str, port: u16, page: &SharedCacheEntry) -> LookupOutcome {
        let (tell, outcome) = watch::channel(None);
        page.borrow_mut().under_way = Some(outcome.clone());
        let (finding, limit) = (self.resolver.look_up(name, port), self.limit);
        let (names, name) = (self.names.clone(), name.to_owned());
        let (page, lookups, refresh) = (Rc::clone(page), Rc::clone(&self.lookups), self.refresh);
        let work = async move {
            let begun = clock::now();
            let answer = match timeout(limit, finding).await {
                Ok(Ok(found)) => Some(names.usable(&name, found.into_iter()).map(Rc::from)),
                Ok(Err(error)) => Some(Err(error.to_string())),
                Err(_elapsed) => None,
            };
            let now = clock::now();
            note(
                &mut lookups.borrow_mut(),
                answer.as_ref().is_some_and(Result::is_ok),
                now - begun,
            );
            page.borrow_mut().turn(answer.as_ref(), now, refresh);
            if answer.is_some() {
                tell.send_replace(answer);
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
    /// Takes in how a look-up went: what was found before stays where nothing is found now.
    fn turn(&mut self, answer: Option<&LookupResult>, now: Instant, refresh: Duration) {
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

    /// What the resolver does when it is asked, and how long that takes.
    type Turn = (Duration, Result<&'static str, &'static str>);

    /// Gives its answers in turn, the last one for ever; counts how often it is asked.
    struct Scripted {
        turns: RefCell<VecDeque<Turn>>,
        asked: Rc<Cell<u32>>,
    }

    impl NameResolver for Scripted {
        fn look_up(&self, _: &str, port: u16) -> LookupFuture {
            self.asked.set(self.asked.get() + 1);
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

    fn directory(refresh: Duration, turns: &[Turn]) -> (Rc<AddressCache>, Rc<Cell<u32>>) {
        let mut target = harness::open(1.0, 1, 1).target;
        target.dns_refresh = refresh;
        let asked = Rc::new(Cell::new(0));
        let turns = RefCell::new(turns.iter().copied().collect());
        let resolver = Scripted { turns, asked: Rc::clone(&asked) };
        (Rc::new(AddressCache::new(&target, Box::new(resolver))), asked)
    }

    fn known(directory: &AddressCache) -> Option<String> {
        let known = directory.known("name", 80)?;
        Some(known.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(" "))
    }

    async fn pass(duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    #[test]
    fn those_who_need_a_name_at_the_same_time_wait_for_one_look_up() {
        paused(async {
            let (directory, asked) = directory(millis(30_000), &[(millis(50), Ok("10.0.0.1"))]);
            assert_eq!(known(&directory), None);
            let begun = clock::now();
            let late = async {
                pass(millis(20)).await;
                directory.find("name", 80).await
            };
            let (first, second) = tokio::join!(directory.find("name", 80), late);
            assert_eq!((first.unwrap(), asked.get()), (second.unwrap(), 1));
            assert!(clock::now() - begun < millis(55));
            assert_eq!(known(&directory).as_deref(), Some("10.0.0.1"));
            assert_eq!((directory.lookups().took.count(), directory.lookups().failed), (1, 0));
        });
    }

    #[test]
    fn an_answer_that_is_too_old_is_used_until_the_next_one_is_there() {
        paused(async {
            let turns = [(millis(5), Ok("10.0.0.1")), (millis(100), Ok("10.0.0.2"))];
            let (directory, asked) = directory(millis(30_000), &turns);
            directory.find("name", 80).await.unwrap();
            pass(millis(29_000)).await;
            assert_eq!((known(&directory).as_deref(), asked.get()), (Some("10.0.0.1"), 1));
            pass(millis(1_100)).await;
            assert_eq!((known(&directory).as_deref(), asked.get()), (Some("10.0.0.1"), 2));
            pass(millis(50)).await;
            // It is under way, and not started again.
            assert_eq!((known(&directory).as_deref(), asked.get()), (Some("10.0.0.1"), 2));
            pass(millis(60)).await;
            assert_eq!((known(&directory).as_deref(), asked.get()), (Some("10.0.0.2"), 2));
        });
    }

    #[test]
    fn a_look_up_that_fails_in_the_background_keeps_the_old_answer_and_is_not_repeated_at_once() {
        paused(async {
            let failing = (millis(5), Err("no such name"));
            let turns =
                [(millis(5), Ok("10.0.0.1")), failing, failing, (millis(5), Ok("10.0.0.2"))];
            let (directory, asked) = directory(millis(10_000), &turns);
            directory.find("name", 80).await.unwrap();
            pass(millis(10_001)).await;
            for (after, asked_by_then) in [(0, 2), (900, 2), (200, 3), (500, 3), (600, 4)] {
                pass(millis(after)).await;
                assert_eq!(
                    (known(&directory).as_deref(), asked.get()),
                    (Some("10.0.0.1"), asked_by_then)
                );
            }
            pass(millis(10)).await;
            assert_eq!(known(&directory).as_deref(), Some("10.0.0.2"));
            assert_eq!((directory.lookups().took.count(), directory.lookups().failed), (2, 2));
        });
    }

    #[test]
    fn what_led_nowhere_is_looked_up_again_by_the_next_who_needs_it() {
        paused(async {
            let turns = [(millis(5), Ok("10.0.0.1")), (millis(5), Ok("10.0.0.2"))];
            let (directory, asked) = directory(millis(30_000), &turns);
            directory.find("name", 80).await.unwrap();
            directory.forget("name", 80);
            directory.forget("other", 80);
            assert_eq!(known(&directory), None);
            assert_eq!(directory.find("name", 80).await.unwrap()[0].to_string(), "10.0.0.2:80");
            assert_eq!(asked.get(), 2);
        });
    }

    #[test]
    fn a_first_look_up_that_fails_is_told_and_the_next_need_starts_another() {
        paused(async {
            let turns = [(millis(5), Err("no such name")), (millis(5), Ok("10.0.0.1"))];
            let (directory, asked) = directory(millis(30_000), &turns);
            assert_eq!(directory.find("name", 80).await.unwrap_err(), "no such name");
            assert_eq!(known(&directory), None);
            assert!(directory.find("name", 80).await.is_ok());
            assert_eq!((asked.get(), directory.lookups().failed), (2, 1));
        });
    }

    #[test]
    fn a_look_up_that_hangs_blocks_nobody_beyond_its_limit() {
        paused(async {
            let turns = [(Duration::from_hours(1), Ok("10.0.0.1")), (millis(5), Ok("10.0.0.2"))];
            let (directory, asked) = directory(millis(30_000), &turns);
            let begun = clock::now();
            // The harness allows a second.
            assert_eq!(directory.find("name", 80).await.unwrap()[0].to_string(), "10.0.0.2:80");
            assert!(clock::now() - begun < millis(1_020));
            assert_eq!((asked.get(), directory.lookups().failed), (2, 1));
        });
    }

    #[test]
    fn a_look_up_that_hangs_ends_with_its_directory() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let local = tokio::task::LocalSet::new();
        let begun = local.block_on(&runtime, async { clock::now() });
        local.spawn_local(async {
            let (directory, _) =
                directory(millis(30_000), &[(Duration::from_hours(1), Ok("10.0.0.1"))]);
            let found = timeout(millis(100), directory.find("name", 80)).await;
            assert!(found.is_err());
        });
        // A set of tasks ends when all of them have.
        runtime.block_on(local);
        assert!(runtime.block_on(async { clock::now() }) - begun < millis(110));
    }

    #[test]
    fn where_nothing_is_kept_each_connection_looks_up_its_own() {
        paused(async {
            let (directory, asked) = directory(Duration::ZERO, &[(millis(5), Ok("10.0.0.1"))]);
            let (first, second) =
                tokio::join!(directory.find("name", 80), directory.find("name", 80));
            assert!(first.is_ok() && second.is_ok());
            assert_eq!((known(&directory), asked.get()), (None, 2));
            assert_eq!(directory.lookups().took.count(), 2);
        });
    }

    #[test]
    fn of_ever_other_ports_only_so_many_are_remembered() {
        paused(async {
            let (directory, _) = directory(millis(30_000), &[(millis(1), Ok("10.0.0.1"))]);
            for port in 1..=500 {
                directory.find("name", port).await.unwrap();
            }
            assert!(directory.pages.borrow().len() <= AddressCache::PAGES);
            assert!(directory.under_way.borrow().len() <= 1);
        });
    }
}
