//! Judges the answer of one try, and keeps what it captures.

use serde_json::Value;

use super::arrival_state::ArrivalState;
use super::prepared::ArrivalStep;
use super::sql::{COMPARE_ROWS, SqlFailure};
use crate::engine::connection::http::unmet;
use crate::expect::{ResponseView, UnmetExpectation};
use crate::record::Failure;
use crate::recorder::ExchangeFailure;

/// Judges an HTTP response and keeps its captures. The failure is `None` if it is as expected.
pub(super) fn judge_response(
    step: &ArrivalStep<'_>,
    answer: &ResponseView<'_>,
    is_absent: bool,
    state: &mut Option<ArrivalState>,
) -> Option<Box<ExchangeFailure>> {
    let max_body = step.expectations.max_body();
    let judged = step.expectations.judge(answer);
    let captured = judged.and_then(|()| step.prepared.captures.extract(answer, max_body));
    let captured = captured.map(|captured| keep_captures(state, step, captured));
    captured.err().map(|broken| Box::new(failure_of(step, broken, is_absent)))
}

/// Judges the rows of an SQL statement and keeps their captures.
pub(super) fn judge_rows(
    step: &ArrivalStep<'_>,
    rows: &[Value],
    state: &mut Option<ArrivalState>,
) -> Option<Box<ExchangeFailure>> {
    let judged = step.expectations.judge_rows(rows);
    let captured = judged.and_then(|()| step.prepared.captures.extract_from_rows(rows));
    let captured = captured.map(|captured| keep_captures(state, step, captured));
    captured.err().map(|broken| {
        let failed = failure_of(step, broken, rows.is_empty());
        let next = (failed.failure == Failure::Unexpected).then_some(COMPARE_ROWS);
        Box::new(ExchangeFailure { next, ..failed })
    })
}

/// Judges a statement that failed; `None` if the step expects the database to deny it.
pub(super) fn judge_sql_failure(
    step: &ArrivalStep<'_>,
    failure: SqlFailure,
) -> Option<Box<ExchangeFailure>> {
    if failure.is_denial && step.expectations.wants_denial() {
        return None;
    }
    let mut failed = failure.failed;
    if let (Some(unquoted), true) = (failure.unquoted, step.expectations.is_sensitive()) {
        failed.seen = unquoted;
    }
    if failure.is_absence && step.prepared.may_be_absent {
        failed.failure = Failure::Absent;
    }
    Some(failed)
}

fn keep_captures(
    state: &mut Option<ArrivalState>,
    step: &ArrivalStep<'_>,
    captured: Vec<(String, Value)>,
) {
    if let Some(state) = state {
        state.add(captured, &step.prepared.captures);
    }
}

/// The failure of an answer that breaks an expectation.
fn failure_of(
    step: &ArrivalStep<'_>,
    broken: UnmetExpectation,
    is_absent: bool,
) -> ExchangeFailure {
    let mut failed = unmet(broken);
    // Admitting a client that should be denied is a failure even if there is nothing to see.
    if is_absent && step.prepared.may_be_absent && failed.failure != Failure::Admitted {
        failed.failure = Failure::Absent;
        failed.detail = None;
    }
    failed
}
