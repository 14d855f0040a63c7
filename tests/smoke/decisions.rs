//! `scenarios/supabase-smoke.toml`: the rules about events of the decision sync, each a step.

use super::bench::{Outcome, Target};
use super::cluster;
use super::database::{Cases, events};
use super::supabase::{smoke, smoke_with};

/// The outcome of the smoke check on a changed database.
fn after(cases: &Cases, changes: &str) -> Outcome {
    let url = cases.cluster.url_of(&cases.after(changes));
    smoke(&Target::start(&["--occ-log-database", &url]), &url)
}

#[test]
fn a_missing_view_or_column_is_reported_and_never_passes() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    after(&cases, "drop view public.decision_sync_events").failed(&[
        "`decision sync: columns`",
        "the whole view",
        "`decision sync: samples`: absent",
        "decision_sync_events\" does not exist",
    ]);
    let outcome = after(
        &cases,
        "drop view public.decision_sync_events; \
         create view public.decision_sync_events with (security_invoker = true) as \
         select decision_id as \"decisionId\", status, duration_ms as \"durationMs\", error_code as \"errorCode\", \
         \"timestamp\", scope from public.decision_sync_event_logs",
    );
    outcome.failed(&["`decision sync: columns`", "1 row, missing: attempt"]);
}

#[test]
fn too_few_and_stale_samples_are_reported_with_their_figures() {
    if cluster::is_left_out() {
        return;
    }
    let fresh_to_come = events(&[(9_999, -60), (9_999, -61), (9_999, -62)]);
    let changes = format!(
        "truncate public.decision_sync_event_logs; {}; {fresh_to_come}; \
         update public.decision_sync_event_logs set status = 'error' where duration_ms = 9999",
        events(&[(100, 120), (100, 121), (100, 122)])
    );
    let outcome = after(&Cases::start(), &changes);
    outcome.failed(&[
        "`decision sync: samples`",
        "3 instead of json_at_least",
        "= 5",
        "`decision sync: newest`",
        "120",
        "json_at_most",
        "= 90",
    ]);
    for holds in ["failure rate", "p95"] {
        assert!(!outcome.reasons().contains(holds), "{}", outcome.reasons());
    }
}

#[test]
fn an_excessive_failure_rate_and_p95_are_reported_with_their_figures() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    // With five events, nearest rank gives the slowest, a measured value; interpolation would give
    // a smaller value that nothing took.
    let slow = format!(
        "truncate public.decision_sync_event_logs; {}; update public.decision_sync_event_logs \
         set status = 'error', error_code = 'E1' where duration_ms = 400",
        events(&[(100, 5), (200, 6), (300, 7), (400, 8), (1500, 9)])
    );
    after(&cases, &slow).failed(&[
        "`decision sync: failure rate`",
        "0.2 instead of json_at_most",
        "`decision sync: p95`",
        "1500 instead of json_at_most",
        "p95_ms_nearest_rank",
    ]);
    // An event that has no status has not succeeded, and one that has no duration may have taken
    // any time.
    let unsaid = "update public.decision_sync_event_logs set status = null where duration_ms in (95, 120, 180); \
                  update public.decision_sync_event_logs set duration_ms = null where duration_ms = 640";
    after(&cases, unsaid).failed(&[
        "`decision sync: failure rate`",
        "0.5 instead of json_at_most",
        "`decision sync: p95`",
        "\"no duration\", no number instead of json_at_most",
    ]);
}

/// The application's alert rules look at the scope `ops` and at 90 minutes, and count `completed`
/// as success.
#[test]
fn the_rules_can_be_those_of_the_application() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    let name = cases.after(&format!(
        "truncate public.decision_sync_event_logs; {}; \
         update public.decision_sync_event_logs set scope = 'ops', status = 'completed'; {}; \
         update public.decision_sync_event_logs set status = 'error' where scope = 'orders'",
        events(&[(100, 5), (110, 6), (120, 7), (130, 8), (140, 89)]),
        events(&[(1_500, 4), (1_600, 5), (1_700, 100)]),
    ));
    let url = cases.cluster.url_of(&name);
    let target = Target::start(&["--occ-log-database", &url]);
    smoke(&target, &url).failed(&["`decision sync: failure rate`", "`decision sync: p95`"]);
    let own = [("DECISION_SCOPE", "ops"), ("DECISION_WINDOW", "90 minutes")];
    smoke_with(&target, &url, &own).passed();
    let shorter = [("DECISION_SCOPE", "ops"), ("DECISION_WINDOW", "1 hour")];
    smoke_with(&target, &url, &shorter).failed(&["`decision sync: samples`", "4 instead of"]);
}

#[test]
fn a_view_without_events_does_not_pass() {
    if cluster::is_left_out() {
        return;
    }
    let outcome = after(&Cases::start(), "truncate public.decision_sync_event_logs");
    outcome.failed(&[
        "`decision sync: samples`",
        "0 instead of json_at_least",
        "`decision sync: newest`",
        "`decision sync: failure rate`",
        "`decision sync: p95`",
        "null",
    ]);
}

#[test]
fn figures_a_little_beyond_a_rule_are_not_rounded_to_it() {
    if cluster::is_left_out() {
        return;
    }
    // 1,251 of 12,505 failed, and the newest is a little more than 90 minutes old.
    let changes = "truncate public.decision_sync_event_logs; \
        insert into public.decision_sync_event_logs (decision_id, status, duration_ms, error_code, \"timestamp\") \
        select n, 'success', 100, case when n <= 1251 then 'E1' end, now() - interval '90 minutes 1 second' \
        from generate_series(1, 12505) as n";
    after(&Cases::start(), changes).failed(&[
        "`decision sync: failure rate`",
        "0.1000399840063974",
        "json_at_most.\"/0/failure_rate\" = 0.1",
        "`decision sync: newest`",
        "90.",
        "json_at_most.\"/0/minutes_old\" = 90",
    ]);
}

#[test]
fn a_missing_right_on_the_view_is_not_reported_as_missing_columns() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    let name = cases.after(
        "create role reader login password 'reader'; grant usage on schema public to reader",
    );
    let outcome = smoke(&Target::start(&[]), &cases.cluster.url_as("reader", "reader", &name));
    outcome
        .failed(&["`decision sync: samples`", "permission denied for view decision_sync_events"]);
    assert!(!outcome.reasons().contains("`decision sync: columns`"), "{}", outcome.reasons());
}
