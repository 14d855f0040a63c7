//! Connects to one of several addresses: staggered attempts, of which the first to connect wins.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

use super::rotation::{AddressOrder, ConnectAttempt};
use super::{at, connect_failed};
use crate::record::Failure;
use crate::recorder::ExchangeFailure;

/// Staggered attempts to connect to the addresses of a host (RFC 8305, section 5).
///
/// The next address is tried when an attempt fails, or when the delay is over without an answer.
/// Attempts in progress go on. The first to connect wins, and the others are given up.
pub(super) struct ConnectionRace<'a> {
    order: AddressOrder<'a>,
    delay: Duration,
    /// The attempts in progress, in the order in which they started.
    under_way: RefCell<Vec<ConnectAttempt<'a>>>,
}

impl<'a> ConnectionRace<'a> {
    /// RFC 8305's recommended *Connection Attempt Delay*.
    const DELAY: Duration = Duration::from_millis(250);
    /// RFC 8305's minimum of that delay.
    const MIN_DELAY: Duration = Duration::from_millis(10);

    /// A race that may last for `limit`. The delay is shorter than usual if the last address would
    /// otherwise have no turn, or no time to answer.
    pub(super) fn new(order: AddressOrder<'a>, limit: Duration) -> Self {
        let turns = u32::try_from(order.addresses.len()).unwrap_or(u32::MAX).saturating_add(1);
        let delay = (limit / turns).clamp(Self::MIN_DELAY, Self::DELAY);
        Self { order, delay, under_way: RefCell::default() }
    }

    /// Runs the race; the error is that of the last address to fail.
    pub(super) async fn run<T, F>(
        &self,
        connect: impl Fn(SocketAddr) -> F,
    ) -> Result<(T, SocketAddr), ExchangeFailure>
    where
        F: Future<Output = io::Result<T>>,
    {
        let mut running = FuturesUnordered::new();
        let mut untried = self.order.addresses.iter().copied();
        let mut failed = None;
        loop {
            if let Some(address) = untried.next() {
                self.under_way.borrow_mut().push(self.order.attempt(address, self.delay));
                let connecting = connect(address);
                running.push(async move { (address, connecting.await) });
            }
            let ended = running.next();
            let ended = match untried.len() {
                0 => ended.await,
                // No answer within the delay: the next address has its turn.
                _ => match timeout(self.delay, ended).await {
                    Ok(ended) => ended,
                    Err(_elapsed) => continue,
                },
            };
            match ended {
                Some((address, Ok(stream))) => {
                    self.win(address);
                    return Ok((stream, address));
                }
                Some((address, Err(error))) => {
                    let lost = self.lose(address, &error);
                    failed = Some(worse(failed, lost, is_unroutable(&error)));
                }
                None => return Err(failed.unwrap_or_else(no_address)),
            }
        }
    }

    /// The addresses that have not answered yet, in a fixed order.
    pub(super) fn unanswered(&self) -> Vec<SocketAddr> {
        let mut all: Vec<_> = self.under_way.borrow().iter().map(ConnectAttempt::address).collect();
        all.sort_unstable();
        all
    }

    /// Notes the winner. Attempts that started after it had less time to answer: nothing is known
    /// about their addresses.
    fn win(&self, winner: SocketAddr) {
        let mut before_winner = true;
        for attempt in self.under_way.take() {
            if attempt.address() == winner {
                attempt.reached();
                before_winner = false;
            } else if !before_winner {
                attempt.excused();
            }
        }
    }

    fn lose(&self, loser: SocketAddr, error: &io::Error) -> ExchangeFailure {
        let failed = at(connect_failed(error), &[loser]);
        let mut under_way = self.under_way.borrow_mut();
        if let Some(index) = under_way.iter().position(|attempt| attempt.address() == loser) {
            let attempt = under_way.remove(index);
            match failed.failure {
                Failure::Prober => attempt.excused(),
                _ if is_unroutable(error) => attempt.unroutable(),
                _ => attempt.failed(),
            }
        }
        failed
    }
}

/// Which of two failures to report. A failure of the target outranks one that says nothing about
/// the target: this machine lacks a resource, or a route to the address.
fn worse(
    before: Option<ExchangeFailure>,
    failed: ExchangeFailure,
    is_unroutable: bool,
) -> ExchangeFailure {
    match before {
        Some(before) if is_unroutable || failed.failure == Failure::Prober => before,
        _ => failed,
    }
}

/// Whether this machine has no route to the address: often it has no IPv6.
fn is_unroutable(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NetworkUnreachable
}

fn no_address() -> ExchangeFailure {
    connect_failed(&io::ErrorKind::HostUnreachable.into())
}

#[cfg(test)]
mod tests {
    use url::Host;

    use super::*;
    use crate::engine::connection::dial::rotation::AddressRotation;
    use crate::engine::tests::harness::{millis, paused};
    use crate::engine::time::clock;
    use crate::record::AddressAttempts;

    /// What an address does, and after how many milliseconds.
    #[derive(Clone, Copy)]
    enum Server {
        Answers(u64),
        Refuses(u64),
        HasNoRoute,
        Hangs,
    }
    use Server::{Answers, Hangs, HasNoRoute, Refuses};

    fn address(last: usize) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, u8::try_from(last).unwrap()], 80))
    }

    async fn connect(servers: &[Server], to: SocketAddr) -> io::Result<()> {
        let at = (1..=servers.len()).find(|&last| address(last) == to).unwrap();
        match servers[at - 1] {
            Answers(after) => tokio::time::sleep(millis(after)).await,
            Refuses(after) => {
                tokio::time::sleep(millis(after)).await;
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            HasNoRoute => return Err(io::ErrorKind::NetworkUnreachable.into()),
            Hangs => std::future::pending().await,
        }
        Ok(())
    }

    /// Races to these servers within a second: the winner's last digit or the failure, the
    /// milliseconds it took, and the attempts by address (connected, failed, unanswered).
    async fn race(servers: &[Server]) -> (Result<usize, String>, u128, Vec<[u64; 3]>) {
        let turns = AddressRotation::new(0, millis(30_000));
        let (outcome, took) = race_again(&turns, servers).await;
        let named = turns.attempts().named();
        let counts = (1..=servers.len()).map(|last| {
            let of_host = named.get("several.test");
            let found = of_host.and_then(|all| all.get(&address(last).to_string()));
            let AddressAttempts { connected, failed, unanswered, .. } =
                found.copied().unwrap_or_default();
            [connected, failed, unanswered]
        });
        (outcome, took, counts.collect())
    }

    async fn race_again(
        turns: &AddressRotation,
        servers: &[Server],
    ) -> (Result<usize, String>, u128) {
        let all: Vec<_> = (1..=servers.len()).map(address).collect();
        let order = turns.order(&Host::Domain("several.test".to_owned()), 80, &all);
        let (race, begun) = (ConnectionRace::new(order, millis(1_000)), clock::now());
        let outcome = timeout(millis(1_000), race.run(|to| connect(servers, to))).await;
        let outcome = match outcome {
            Ok(Ok(((), winner))) => Ok(all.iter().position(|one| *one == winner).unwrap() + 1),
            Ok(Err(failed)) => Err(failed.seen),
            Err(_) => Err(format!("{:?}", race.unanswered())),
        };
        (outcome, (clock::now() - begun).as_millis())
    }

    #[test]
    fn the_next_address_is_tried_after_the_delay_and_an_earlier_one_may_still_win() {
        paused(async {
            let (winner, took, counts) = race(&[Hangs, Answers(1)]).await;
            assert_eq!((winner, counts), (Ok(2), vec![[0, 0, 1], [1, 0, 0]]));
            assert!((251..=253).contains(&took), "{took}");
            // A distant host: all its addresses take longer than the delay.
            let (winner, took, counts) = race(&[Answers(400), Answers(400)]).await;
            assert_eq!((winner, counts), (Ok(1), vec![[1, 0, 0], [0, 0, 0]]));
            assert!((400..=402).contains(&took), "{took}");
        });
    }

    #[test]
    fn after_an_error_the_next_address_is_tried_at_once() {
        paused(async {
            let (winner, took, counts) = race(&[Refuses(3), Refuses(3), Answers(3)]).await;
            assert_eq!((winner, counts), (Ok(3), vec![[0, 1, 0], [0, 1, 0], [1, 0, 0]]));
            assert!((9..=12).contains(&took), "{took}");
            let (winner, _, counts) = race(&[Hangs, Refuses(3), Answers(3)]).await;
            assert_eq!((winner, counts), (Ok(3), vec![[0, 0, 1], [0, 1, 0], [1, 0, 0]]));
        });
    }

    #[test]
    fn if_no_address_answers_the_failure_names_those_that_hang() {
        paused(async {
            let (outcome, took, counts) = race(&[Hangs, Hangs]).await;
            assert_eq!(outcome, Err("[10.0.0.1:80, 10.0.0.2:80]".to_owned()));
            assert_eq!((took / 10, counts), (100, vec![[0, 0, 1], [0, 0, 1]]));
            let (outcome, _, counts) = race(&[Refuses(1), Refuses(1)]).await;
            assert_eq!(outcome, Err("10.0.0.2:80: connection refused".to_owned()));
            assert_eq!(counts, [[0, 1, 0], [0, 1, 0]]);
        });
    }

    #[test]
    fn a_refusal_outranks_an_address_to_which_this_machine_has_no_route() {
        paused(async {
            let (outcome, ..) = race(&[Refuses(1), HasNoRoute]).await;
            assert_eq!(outcome, Err("10.0.0.1:80: connection refused".to_owned()));
        });
    }

    #[test]
    fn every_one_of_many_addresses_has_its_turn_within_the_timeout() {
        paused(async {
            let mut servers = vec![Hangs; 19];
            servers.push(Answers(1));
            let (winner, took, counts) = race(&servers).await;
            assert_eq!(winner, Ok(20));
            assert!((900..1_000).contains(&took), "{took}");
            assert_eq!(counts.iter().filter(|count| count[2] == 1).count(), 19);
        });
    }

    #[test]
    fn an_address_that_hung_is_tried_last_until_it_is_forgiven_and_answers() {
        paused(async {
            let turns = AddressRotation::new(0, millis(30_000));
            let servers = [Hangs, Answers(1)];
            assert!(race_again(&turns, &servers).await.1 > 250);
            for _ in 0..4 {
                let (winner, took) = race_again(&turns, &servers).await;
                assert_eq!((winner, took <= 3), (Ok(2), true));
            }
            tokio::time::sleep(millis(30_000)).await;
            let servers = [Answers(1), Answers(1)];
            let winners =
                [race_again(&turns, &servers).await.0, race_again(&turns, &servers).await.0];
            assert!(winners.contains(&Ok(1)) && winners.contains(&Ok(2)), "{winners:?}");
        });
    }
}
