//! The task that fills one exchange slot: it takes an arrival, runs its steps, and takes the next.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::arrival_queue::{ArrivalQueue, QueuedArrival, SlotRank};
use crate::engine::connection::shared::SharedConnection;
use crate::engine::exchange::context::ExchangeContext;
use crate::engine::exchange::exchange_start::ExchangeStart;
use crate::engine::exchange::step_runner::StepRunner;
use crate::engine::time::clock::{self, Instant};
use crate::plan::ConnectionReuse;
use crate::record::{Dimension, Failure, Stage};
use crate::recorder::{Exchange, ExchangeFailure, ExchangeParts};
use crate::units::format_duration;

/// Fills one of a lane's exchange slots, on connections that it keeps.
pub(super) struct WorkerTask {
    context: Rc<ExchangeContext>,
    /// Its rank while its connection is not open.
    rank: SlotRank,
    runner: StepRunner,
}

impl WorkerTask {
    /// A task on its own connection, or on a shared one.
    ///
    /// `rank` holds while that connection is not open.
    pub(super) fn new(
        context: Rc<ExchangeContext>,
        rank: SlotRank,
        shared: Option<Rc<SharedConnection>>,
    ) -> Self {
        Self { runner: StepRunner::new(Rc::clone(&context), shared), context, rank }
    }

    /// Opens the connection with a first arrival once the gate lets it through, then takes its
    /// share of the remaining warm-up arrivals.
    ///
    /// After an exchange without an answer the task stops warming up: the measured stage asks the
    /// target again. It then closes the gate as well, so that the remaining tasks do not wait for a
    /// turn.
    pub(super) async fn warm_up(mut self, gate: Rc<Semaphore>, queue: Rc<ArrivalQueue>) -> Self {
        let context = Rc::clone(&self.context);
        let turn = tokio::select! {
            biased;
            turn = gate.acquire() => turn,
            () = context.drain.started() => return self,
        };
        let now = clock::now();
        let mut was_answered = self.run_steps(queue.immediate(now), Stage::Warmup, now).await;
        if !was_answered {
            gate.close();
        }
        drop(turn);
        while was_answered {
            let Some(arrival) = queue.next(|| self.rank()).await else { break };
            was_answered = self.run_steps(arrival, Stage::Warmup, clock::now()).await;
        }
        self
    }

    /// Runs arrivals until there are no more.
    pub(super) async fn serve(mut self, queue: Rc<ArrivalQueue>) -> Self {
        while let Some(arrival) = queue.next(|| self.rank()).await {
            let claimed = clock::now();
            if claimed - arrival.dispatched(claimed) >= self.context.timeouts.whole {
                drop_arrival(&self.context, &arrival);
            } else {
                self.run_steps(arrival, Stage::Measured, claimed).await;
            }
        }
        self
    }

    fn rank(&mut self) -> SlotRank {
        match self.rank {
            SlotRank::Base => SlotRank::Base,
            SlotRank::Open | SlotRank::Closed(_) if self.runner.is_connected() => SlotRank::Open,
            rank => rank,
        }
    }

    /// Runs the scenario's steps for an arrival that this task took at `claimed`. Each step is due
    /// when the one before it was done. Returns whether the last of them was answered.
    ///
    /// While the run is draining, no further step starts.
    async fn run_steps(&mut self, arrival: QueuedArrival, stage: Stage, claimed: Instant) -> bool {
        let context = Rc::clone(&self.context);
        let accounting = &context.accounting;
        accounting.begin(arrival.due);
        let _in_progress = context.begin_exchange();
        let mut start = start_of(&arrival, claimed, &context);
        let mut captured = context.begin_state(stage, arrival.index);
        // When the prober started to build the next step.
        let mut building = claimed;
        let (mut was_answered, mut own_failure) = (false, None);
        let steps = context.steps_of(stage, arrival.index);
        for (at, prepared) in steps.iter().enumerate() {
            if at > 0 && context.drain.is_started() {
                accounting.abandon(arrival.due);
                return false;
            }
            let step = match prepared.for_arrival(captured.as_ref()) {
                Ok(step) => {
                    if captured.is_some() {
                        start.built = clock::now() - building;
                    }
                    step
                }
                Err(failed) => {
                    prepared.note_failure(&mut captured, failed.failure);
                    own_failure = own_failure.or(own_failure_of(&failed, stage));
                    let left_out = Exchange { failed: Some(failed), ..Exchange::default() };
                    accounting.record(prepared.index, stage, start.due, left_out);
                    continue;
                }
            };
            let Some(end) = self.runner.run_step(&step, start, stage, &mut captured).await else {
                accounting.abandon(arrival.due);
                return false;
            };
            was_answered = end.was_answered;
            if let Some(failed) = &end.exchange.failed {
                prepared.note_failure(&mut captured, failed.failure);
                own_failure = own_failure.or(own_failure_of(failed, end.stage));
            }
            let span = (start.due, end.done);
            accounting.keep_sample(prepared.index, end.stage, span, &end.exchange);
            accounting.record(prepared.index, end.stage, start.due, *end.exchange);
            if at + 1 < steps.len() {
                start = context.start_now(Some(end.done));
                building = start.dispatched;
            }
        }
        if context.reuse == ConnectionReuse::Fresh {
            self.runner.disconnect();
        }
        if let Some(failure) = own_failure {
            accounting.count_own_failure(failure);
        }
        accounting.end(arrival.due);
        was_answered
    }
}

/// The start of the first exchange of an arrival that a task took at `claimed`.
fn start_of(arrival: &QueuedArrival, claimed: Instant, context: &ExchangeContext) -> ExchangeStart {
    ExchangeStart {
        due: arrival.due,
        dispatched: arrival.dispatched(claimed),
        stood_still: arrival.stood_still_before(context.stood_still_by(claimed)),
        built: Duration::ZERO,
    }
}

/// The failure of a step of the measured stage, if the prober's own side caused it.
fn own_failure_of(failed: &ExchangeFailure, stage: Stage) -> Option<Failure> {
    let is_own = stage == Stage::Measured && failed.failure.is_own_fault();
    is_own.then_some(failed.failure)
}

/// Records an arrival that no connection took in time: its first request was due and never sent.
pub(super) fn drop_arrival(context: &ExchangeContext, arrival: &QueuedArrival) {
    let mut parts = ExchangeParts::default();
    let now = clock::now();
    let dispatched = arrival.dispatched(now);
    parts.set_duration(Dimension::Lag, dispatched.saturating_duration_since(arrival.due));
    parts.set_failed(Dimension::Wait);
    parts.fail_answer();
    let seen = format!("no connection free within {}", format_duration(context.timeouts.whole));
    let failed = Some(Box::new(ExchangeFailure::in_phase(Failure::Dropped, Dimension::Wait, seen)));
    let mut exchange = Exchange { parts, failed, ..Exchange::default() };
    let stood_still = context.stood_still_by(now);
    let since_release = stood_still.saturating_sub(arrival.stood_still_before(stood_still));
    exchange.allow_for_standstill(since_release, now - dispatched);
    let steps = context.steps_of(Stage::Measured, arrival.index);
    let index = steps.first().map_or(0, |first| first.index);
    let (accounting, due) = (&context.accounting, arrival.due);
    accounting.begin(due);
    accounting.keep_sample(index, Stage::Measured, (due, now), &exchange);
    accounting.record(index, Stage::Measured, due, exchange);
    accounting.end(due);
}
