//! A limited number of workers, with a queue in front of them: a target of known capacity.

use std::time::Duration;

/// Workers that each serve one page at a time, in the order of arrival.
///
/// N workers and pages that take `s` on average serve N / s pages per second. Above that rate the
/// queue grows for as long as the load lasts. A page keeps its place even if its client has given
/// up, as in most servers.
#[derive(Debug, Clone)]
pub(super) struct WorkerPool {
    /// When each worker is free, counted from the server's start; empty if there is no limit.
    free: Vec<Duration>,
}

impl WorkerPool {
    /// `number` idle workers; `None` for as many as there are pages.
    pub(super) fn new(number: Option<u32>) -> Self {
        Self { free: vec![Duration::ZERO; number.unwrap_or(0) as usize] }
    }

    /// Gives a page that is ready to be served at `ready` and takes `work` to the first free
    /// worker, and returns how long it waits for it.
    pub(super) fn wait(&mut self, ready: Duration, work: Duration) -> Duration {
        let Some(free) = self.free.iter_mut().min() else { return Duration::ZERO };
        let begin = (*free).max(ready);
        *free = begin + work;
        begin.saturating_sub(ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// The waits of pages of 20 ms that arrive at these times.
    fn waits(workers: Option<u32>, arrivals: &[u64]) -> Vec<u128> {
        let mut pool = WorkerPool::new(workers);
        arrivals.iter().map(|&at| pool.wait(millis(at), millis(20)).as_millis()).collect()
    }

    #[test]
    fn a_page_waits_for_those_before_it_if_no_worker_is_free() {
        assert_eq!(waits(Some(1), &[0, 5, 10, 100]), [0, 15, 30, 0]);
        assert_eq!(waits(Some(2), &[0, 5, 10, 15]), [0, 0, 10, 10]);
    }

    #[test]
    fn without_a_limit_no_page_waits() {
        assert_eq!(waits(None, &[0, 0, 0]), [0, 0, 0]);
    }

    #[test]
    fn at_more_than_the_capacity_the_queue_grows_and_at_less_it_stays_empty() {
        let at = |every: u64| (0..100).map(|number| every * number).collect::<Vec<_>>();
        assert_eq!(waits(Some(1), &at(20)).last(), Some(&0));
        assert_eq!(waits(Some(1), &at(16)).last(), Some(&(99 * 4)));
    }
}
