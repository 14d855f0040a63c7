//! One try of a step as an SQL statement.

use super::arrival_state::ArrivalState;
use super::context::ExchangeContext;
use super::in_progress::ExchangeInProgress;
use super::judgement::{judge_rows, judge_sql_failure};
use super::prepared::ArrivalStep;
use super::sql::{self, SqlSessions};
use crate::plan::SqlPlan;
use crate::record::Dimension;

/// One try of a step as an SQL statement.
pub(in crate::engine) struct SqlAttempt<'a> {
    pub(in crate::engine) context: &'a ExchangeContext,
    pub(in crate::engine) sessions: &'a mut SqlSessions,
    pub(in crate::engine) step: &'a ArrivalStep<'a>,
}

impl SqlAttempt<'_> {
    /// Runs the statement. Returns whether the database answered.
    pub(in crate::engine) async fn run(
        self,
        plan: &SqlPlan,
        exchange: &mut ExchangeInProgress,
        state: &mut Option<ArrivalState>,
    ) -> bool {
        let Self { context, sessions, step } = self;
        if let Err(failed) = context.admit_statement(&plan.address).await {
            exchange.totals.parts.set_failed(Dimension::Wait);
            exchange.end(Some(failed));
            return false;
        }
        let since = exchange.next_hop_since();
        let deadline = sql::deadline(&context.timeouts, since, exchange.end);
        let identify = || context.accounting.identify(None);
        let times = (since, deadline);
        let result = sessions.query(plan, &step.sql_values, times, identify).await;
        exchange.totals.parts.add_hop(&result.parts);
        exchange.totals.fresh = result.fresh;
        exchange.totals.connection = result.connection;
        exchange.totals.body_bytes = result.bytes;
        exchange.done = result.done;
        let (was_answered, mut failed) = match result.rows {
            Ok(rows) => (true, judge_rows(step, &rows, state)),
            Err(failure) => {
                let was_answered = !failure.failed.failure.is_without_answer();
                (was_answered, judge_sql_failure(step, failure))
            }
        };
        if let Some(failed) = &mut failed {
            context.setup.redact(failed);
            if let Some(state) = state.as_ref() {
                state.redact(failed);
            }
        }
        exchange.end(failed);
        was_answered
    }
}
