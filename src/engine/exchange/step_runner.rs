//! Runs one step, as often as it is to be tried, on connections that it keeps.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use super::arrival_state::ArrivalState;
use super::context::ExchangeContext;
use super::exchange_start::ExchangeStart;
use super::http_attempt::HttpAttempt;
use super::in_progress::ExchangeInProgress;
use super::prepared::{ArrivalStep, PreparedRequest, StepAction};
use super::sql::SqlSessions;
use super::sql_attempt::SqlAttempt;
use super::tries::StepTries;
use crate::engine::connection::set::ConnectionSet;
use crate::engine::connection::shared::SharedConnection;
use crate::engine::defect::defect_failure;
use crate::engine::time::clock::{self, Instant};
use crate::library_text::{Defect, await_without_panic};
use crate::record::Stage;
use crate::recorder::Exchange;

/// Runs steps one after the other.
pub(in crate::engine) struct StepRunner {
    context: Rc<ExchangeContext>,
    connections: ConnectionSet,
    sessions: SqlSessions,
    /// Memory for response bodies, used again by each exchange.
    body: Vec<u8>,
    /// How many tries of the latest step have ended.
    pub(in crate::engine) ended_tries: u32,
}

/// How a step ended.
pub(in crate::engine) struct StepEnd {
    pub(in crate::engine) exchange: Box<Exchange>,
    pub(in crate::engine) stage: Stage,
    pub(in crate::engine) done: Instant,
    /// Whether the last try got an answer, right or wrong.
    pub(in crate::engine) was_answered: bool,
    /// How often it was tried.
    pub(in crate::engine) tries: u32,
}

impl StepEnd {
    /// The end of a step by a panic.
    fn of_defect(defect: &Defect, stage: Stage, tries: u32) -> Self {
        let failed = Some(Box::new(defect_failure(defect)));
        let exchange = Box::new(Exchange { failed, ..Exchange::default() });
        Self { exchange, stage, done: clock::now(), was_answered: false, tries }
    }
}

impl StepRunner {
    /// A runner on its own connection, or on a shared one.
    pub(in crate::engine) fn new(
        context: Rc<ExchangeContext>,
        shared: Option<Rc<SharedConnection>>,
    ) -> Self {
        let (connections, sessions) = (ConnectionSet::new(shared), SqlSessions::default());
        Self { context, connections, sessions, body: Vec::new(), ended_tries: 0 }
    }

    /// Whether its connection to the base URL's origin is open.
    pub(in crate::engine) fn is_connected(&mut self) -> bool {
        self.connections.is_open()
    }

    /// Closes its connections and sessions.
    pub(in crate::engine) fn disconnect(&mut self) {
        self.connections.clear();
        self.sessions.clear();
    }

    /// Runs one step, as often as it is to be tried.
    ///
    /// `None` if the run started to drain before the step was sent, or between two tries;
    /// [`Self::ended_tries`] then counts those that were sent. A panic ends the step, and its
    /// connections, as a failure of the prober.
    pub(in crate::engine) async fn run_step(
        &mut self,
        step: &ArrivalStep<'_>,
        first: ExchangeStart,
        stage: Stage,
        captured: &mut Option<ArrivalState>,
    ) -> Option<StepEnd> {
        let ended = {
            let tries = pin!(self.run_tries(step, first, stage, captured));
            await_without_panic(tries).await
        };
        match ended {
            Ok(end) => end,
            Err(defect) => {
                self.disconnect();
                self.ended_tries += 1;
                Some(StepEnd::of_defect(&defect, stage, self.ended_tries))
            }
        }
    }

    async fn run_tries(
        &mut self,
        step: &ArrivalStep<'_>,
        mut first: ExchangeStart,
        stage: Stage,
        captured: &mut Option<ArrivalState>,
    ) -> Option<StepEnd> {
        let context = Rc::clone(&self.context);
        let mut tries = StepTries::begin(step.prepared.tries, first.dispatched);
        self.ended_tries = 0;
        let mut start = first;
        loop {
            let own_request = with_cookies(step, captured.as_ref(), &mut start);
            if tries.count == 1 {
                first = start;
            }
            let mut exchange = ExchangeInProgress::new(start, stage, tries.end());
            let request = own_request.as_deref().or(step.own_request.as_ref());
            let was_answered = self.attempt((step, request), &mut exchange, captured).await?;
            self.ended_tries = tries.count;
            exchange.allow_for_standstill(context.stood_still_by(exchange.done));
            if tries.are_several() {
                let index = step.prepared.tries_index;
                let stage = exchange.stage_of(&exchange.totals);
                let one = Exchange::clone(&exchange.totals);
                context.accounting.record_detail(index, stage, start.due, one);
            }
            let has_failed = exchange.totals.failed.is_some();
            let again = has_failed.then(|| tries.again(&exchange.totals, clock::now())).flatten();
            let Some(pause) = again else {
                exchange.end_tries(first, &tries);
                let (stage, done) = (exchange.stage_of(&exchange.totals), exchange.done);
                let exchange = exchange.totals;
                return Some(StepEnd { exchange, stage, done, was_answered, tries: tries.count });
            };
            self.pause(pause).await?;
            start = context.start_now(None);
        }
    }

    /// Runs one try of a step, recorded in `exchange`, with the arrival's own request if it has
    /// one. Returns whether there was an answer.
    async fn attempt(
        &mut self,
        (step, own_request): (&ArrivalStep<'_>, Option<&PreparedRequest>),
        exchange: &mut ExchangeInProgress,
        captured: &mut Option<ArrivalState>,
    ) -> Option<bool> {
        let Self { context, connections, sessions, body, .. } = self;
        match &step.prepared.action {
            StepAction::Http { request, redirects } => {
                let redirects = *redirects;
                let attempt = HttpAttempt { context, connections, body, step, redirects };
                attempt.run(own_request.unwrap_or(request), exchange, captured).await
            }
            StepAction::Sql(plan) => {
                let attempt = SqlAttempt { context, sessions, step };
                Some(attempt.run(plan, exchange, captured).await)
            }
        }
    }

    /// Lets time pass; `None` if the run starts to drain first.
    async fn pause(&self, pause: Duration) -> Option<()> {
        tokio::select! {
            biased;
            () = self.context.drain.started() => None,
            () = tokio::time::sleep(pause) => Some(()),
        }
    }
}

/// The request with the arrival's cookies; `None` if it sends none. Building it is the prober's
/// own time.
fn with_cookies(
    step: &ArrivalStep<'_>,
    captured: Option<&ArrivalState>,
    start: &mut ExchangeStart,
) -> Option<Box<PreparedRequest>> {
    let StepAction::Http { request, .. } = &step.prepared.action else { return None };
    let jar = captured?.jar()?;
    let building = clock::now();
    let request = step.own_request.as_ref().unwrap_or(request);
    let request = request.with_cookies(jar);
    start.built += clock::now() - building;
    request
}
