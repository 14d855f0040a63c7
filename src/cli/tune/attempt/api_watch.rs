//! Whether an app that refuses connections is worth waiting for.

use std::time::Duration;

/// How long an app may refuse connections before the API is asked whether it is there. Fly's proxy
/// accepts them also while a machine boots.
const UNCONNECTED: Duration = Duration::from_secs(20);

/// How long the API may then take to answer.
const API_PATIENCE: Duration = Duration::from_secs(20);

/// Asks whether the API answers while the app cannot be connected to: without either, no boot is
/// worth waiting for.
pub(super) struct ApiWatch<A> {
    /// Whether the API answers within a time.
    is_reachable: A,
    /// For how long the app has refused connections when the API is asked next.
    next: Duration,
    is_lost: bool,
}

impl<A: FnMut(Duration) -> bool> ApiWatch<A> {
    pub(super) fn new(is_reachable: A) -> Self {
        Self { is_reachable, next: UNCONNECTED, is_lost: false }
    }

    /// Whether to go on after the app has refused connections for this long.
    pub(super) fn goes_on(&mut self, unconnected: Duration) -> bool {
        if unconnected >= self.next {
            self.next = unconnected + UNCONNECTED;
            self.is_lost = !(self.is_reachable)(API_PATIENCE);
        }
        !self.is_lost
    }

    /// Whether neither the app nor the API could be reached.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the wait goes on at each of these seconds of refused connections, and how often the
    /// API was asked.
    fn watched(is_reachable: bool, seconds: &[u64]) -> (Vec<bool>, usize) {
        let mut asked = 0;
        let mut watch = ApiWatch::new(|_| {
            asked += 1;
            is_reachable
        });
        let goes_on = seconds.iter().map(|at| watch.goes_on(Duration::from_secs(*at))).collect();
        assert_ne!(watch.is_lost(), is_reachable);
        (goes_on, asked)
    }

    #[test]
    fn an_app_that_is_gone_with_its_api_is_not_waited_for() {
        assert_eq!(watched(false, &[0, 1, 19, 20]), (vec![true, true, true, false], 1));
    }

    #[test]
    fn an_app_whose_api_answers_is_waited_for_and_the_api_asked_again_from_time_to_time() {
        assert_eq!(watched(true, &[1, 20, 21, 39, 40, 41]), (vec![true; 6], 2));
    }
}
