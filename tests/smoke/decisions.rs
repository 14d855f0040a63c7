//! `scenarios/supabase-smoke.toml`: the rules about events of the decision sync, each a step.

use super::bench::{Outcome, Target, run};
use super::cluster::{self, Cluster};
use super::database::{events, healthy};

/// What the smoke check says of a database that was changed.
fn after(changes: &str) -> Outcome {
    let cluster = Cluster::start();
    cluster.like_supabase();
    let url = healthy(&cluster, "decisions");
    cluster.sql("decisions", changes);
    let target = Target::start(&["--occ-log-database", &url]);
    run(
        "supabase-smoke",
        &[
            ("SUPABASE_URL", &target.url),
            ("SUPABASE_ANON_KEY", "rehearsal-anon"),
            ("SUPABASE_SERVICE_ROLE_KEY", "rehearsal-service"),
            ("DATABASE_URL", &url),
        ],
    )
}

#[test]
fn a_view_that_is_absent_is_told_as_absent_and_never_passes() {
    if cluster::is_left_out() {
        return;
    }
    let outcome = after("drop view public.decision_sync_events");
    outcome.failed(&["`decision sync: columns`", "the whole view"]);
    outcome.failed(&["`decision sync: samples`: absent", "decision_sync_events\" does not exist"]);
}

#[test]
fn a_column_that_is_missing_is_named() {
    if cluster::is_left_out() {
        return;
    }
    let outcome = after(
        "drop view public.decision_sync_events; \
         create view public.decision_sync_events with (security_invoker = true) as \
         select decision_id as \"decisionId\", status, duration_ms as \"durationMs\", error_code as \"errorCode\", \
         \"timestamp\", scope from public.decision_sync_event_logs",
    );
    outcome.failed(&["`decision sync: columns`", "1 row: attempt"]);
}

#[test]
fn too_few_samples_and_stale_ones_are_told_with_their_figures() {
    if cluster::is_left_out() {
        return;
    }
    let few =
        format!("truncate public.decision_sync_event_logs; {}", events(&[(100, 5), (100, 6), (100, 7)]));
    after(&few).failed(&["`decision sync: samples`", "3 instead of json_at_least", "= 5"]);
    let stale = "update public.decision_sync_event_logs set \"timestamp\" = now() - interval '2 hours'";
    after(stale).failed(&["`decision sync: newest`", "120", "json_at_most", "= 90"]);
}

#[test]
fn a_failure_rate_and_a_p95_beyond_the_rule_are_told_with_their_figures() {
    if cluster::is_left_out() {
        return;
    }
    let failed = "update public.decision_sync_event_logs set status = 'error', error_code = 'E1' where duration_ms = 640";
    after(failed).failed(&["`decision sync: failure rate`", "0.1667 instead of json_at_most"]);
    // Of four events nearest rank takes the slowest, which was measured; interpolation would make up a smaller figure.
    let slow = format!(
        "truncate public.decision_sync_event_logs; {}",
        events(&[(100, 5), (200, 6), (300, 7), (400, 8), (1500, 9)])
    );
    after(&slow).failed(&["`decision sync: p95`", "1500 instead of json_at_most", "p95_ms_nearest_rank"]);
}

#[test]
fn no_events_at_all_are_no_pass() {
    if cluster::is_left_out() {
        return;
    }
    let outcome = after("truncate public.decision_sync_event_logs");
    outcome.failed(&[
        "`decision sync: samples`",
        "0 instead of json_at_least",
        "`decision sync: p95`",
        "null",
    ]);
}
