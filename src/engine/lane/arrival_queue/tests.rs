use std::rc::Rc;

use super::*;

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

#[test]
fn an_arrival_released_to_a_free_connection_does_not_wait() {
    paused().block_on(tokio::task::LocalSet::new().run_until(async {
        let queue = Rc::new(ArrivalQueue::open());
        let taker = tokio::task::spawn_local({
            let queue = Rc::clone(&queue);
            async move { queue.next(|| SlotRank::Base).await.unwrap() }
        });
        tokio::task::yield_now().await;
        queue.release((0, clock::now()), false, Duration::default);
        queue.release((0, clock::now()), false, Duration::default);
        assert!(taker.await.unwrap().queued.is_none());
        assert!(queue.next(|| SlotRank::Base).await.unwrap().queued.is_some());
    }));
}

/// The ranks of the tasks that take arrivals released one after the other, in order.
async fn ranks_that_take(queue: &Rc<ArrivalQueue>, ranks: &[SlotRank]) -> Vec<SlotRank> {
    let order = Rc::new(RefCell::default());
    for &rank in ranks {
        let (queue, order) = (Rc::clone(queue), Rc::clone(&order));
        tokio::task::spawn_local(async move {
            queue.next(|| rank).await.unwrap();
            RefCell::<Vec<_>>::borrow_mut(&order).push(rank);
            std::future::pending::<()>().await;
        });
    }
    tokio::task::yield_now().await;
    for _ in ranks {
        queue.release((0, clock::now()), false, Duration::default);
        tokio::task::yield_now().await;
    }
    order.take()
}

#[test]
fn slots_on_open_connections_are_called_before_those_that_would_open_one() {
    paused().block_on(tokio::task::LocalSet::new().run_until(async {
        let [base, open, third, fourth] =
            [SlotRank::Base, SlotRank::Open, SlotRank::Closed(3), SlotRank::Closed(4)];
        let queue = Rc::new(ArrivalQueue::open());
        let ranks = ranks_that_take(&queue, &[fourth, open, base, third, open, base]).await;
        assert_eq!(ranks, [base, base, open, open, third, fourth]);
    }));
}

#[test]
fn while_the_prober_is_saturated_no_further_connection_is_opened() {
    paused().block_on(tokio::task::LocalSet::new().run_until(async {
        let queue = Rc::new(ArrivalQueue::open());
        let further = tokio::task::spawn_local({
            let queue = Rc::clone(&queue);
            async move { queue.next(|| SlotRank::Closed(0)).await.is_some() }
        });
        tokio::task::yield_now().await;
        queue.release((0, clock::now()), true, Duration::default);
        tokio::task::yield_now().await;
        assert!(!further.is_finished());
        assert!(queue.next(|| SlotRank::Base).await.is_some());
        queue.release((0, clock::now()), false, Duration::default);
        assert!(further.await.unwrap());
    }));
}

#[test]
fn a_slot_that_becomes_free_is_faster_than_one_that_was_called_to_open_a_connection() {
    paused().block_on(tokio::task::LocalSet::new().run_until(async {
        let queue = Rc::new(ArrivalQueue::open());
        let further = tokio::task::spawn_local({
            let queue = Rc::clone(&queue);
            async move { queue.next(|| SlotRank::Closed(0)).await.unwrap().due }
        });
        tokio::task::yield_now().await;
        let first = clock::now();
        queue.release((0, first), false, Duration::default);
        assert_eq!(queue.next(|| SlotRank::Base).await.unwrap().due, first);
        tokio::time::advance(Duration::from_millis(1)).await;
        let second = clock::now();
        queue.release((0, second), false, Duration::default);
        assert_eq!(further.await.unwrap(), second);
    }));
}

#[test]
fn a_called_task_that_lost_its_connection_leaves_the_arrival_to_one_with_a_connection() {
    paused().block_on(tokio::task::LocalSet::new().run_until(async {
        let queue = Rc::new(ArrivalQueue::open());
        let held = Rc::new(Cell::new(SlotRank::Open));
        let place = |held: &Rc<Cell<SlotRank>>| {
            let (queue, held) = (Rc::clone(&queue), Rc::clone(held));
            tokio::task::spawn_local(async move { queue.next(|| held.get()).await.is_some() })
        };
        let (lost, kept) = (place(&held), place(&Rc::new(Cell::new(SlotRank::Open))));
        tokio::task::yield_now().await;
        held.set(SlotRank::Closed(0));
        queue.release((0, clock::now()), false, Duration::default);
        assert!(kept.await.unwrap());
        assert!(!lost.is_finished());
        queue.release((0, clock::now()), false, Duration::default);
        assert!(lost.await.unwrap());
    }));
}

#[test]
fn a_slot_without_a_connection_does_not_take_an_arrival_that_another_was_called_for() {
    paused().block_on(tokio::task::LocalSet::new().run_until(async {
        let queue = Rc::new(ArrivalQueue::open());
        let base = tokio::task::spawn_local({
            let queue = Rc::clone(&queue);
            async move { queue.next(|| SlotRank::Base).await.is_some() }
        });
        tokio::task::yield_now().await;
        queue.release((0, clock::now()), false, Duration::default);
        let mut further = std::pin::pin!(queue.next(|| SlotRank::Closed(0)));
        assert!(further.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(base.await.unwrap());
    }));
}

#[test]
fn a_called_task_that_is_dropped_leaves_the_arrival_to_another() {
    paused().block_on(tokio::task::LocalSet::new().run_until(async {
        let queue = Rc::new(ArrivalQueue::open());
        let place = || {
            let queue = Rc::clone(&queue);
            tokio::task::spawn_local(async move { queue.next(|| SlotRank::Base).await.is_some() })
        };
        let (gone, other) = (place(), place());
        tokio::task::yield_now().await;
        queue.release((0, clock::now()), false, Duration::default);
        gone.abort();
        assert!(other.await.unwrap());
        assert!(gone.await.unwrap_err().is_cancelled());
        assert_eq!(queue.called.get(), 0);
    }));
}

#[test]
fn while_the_prober_is_saturated_nothing_counts_as_waiting_for_a_connection() {
    paused().block_on(async {
        let queue = ArrivalQueue::open();
        queue.release((0, clock::now()), true, Duration::default);
        tokio::time::advance(Duration::from_secs(1)).await;
        let arrival = queue.next(|| SlotRank::Base).await.unwrap();
        assert_eq!(arrival.dispatched(clock::now()) - arrival.due, Duration::from_secs(1));
    });
}

#[test]
fn a_closed_queue_hands_out_what_is_queued_and_then_nothing() {
    paused().block_on(async {
        let queue = ArrivalQueue::open();
        queue.release((0, clock::now()), false, Duration::default);
        queue.close();
        assert!(queue.next(|| SlotRank::Base).await.is_some());
        assert!(queue.next(|| SlotRank::Base).await.is_none());
    });
}

#[test]
fn the_closed_model_counts_its_arrivals_and_stops_at_its_end() {
    paused().block_on(async {
        let until = clock::now() + Duration::from_secs(1);
        let queue = ArrivalQueue::closed(Some(until), 3, Shard { index: 1, of: 4 });
        for index in [1, 5] {
            assert_eq!(queue.next(|| SlotRank::Base).await.unwrap().index, index);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(queue.next(|| SlotRank::Base).await.is_none());
        assert_eq!(queue.claimed(), 2);
    });
}

#[test]
fn only_arrivals_that_waited_too_long_expire() {
    paused().block_on(async {
        let queue = ArrivalQueue::open();
        let limit = Duration::from_secs(10);
        queue.release((0, clock::now()), false, Duration::default);
        tokio::time::advance(Duration::from_secs(6)).await;
        queue.release((0, clock::now()), false, Duration::default);
        assert!(queue.expired(limit).is_none());
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(queue.expired(limit).is_some());
        assert!(queue.expired(limit).is_none());
    });
}
