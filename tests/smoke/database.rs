//! Databases with the tables that the smoke scenarios query.

use std::cell::Cell;

use crate::cluster::Cluster;

/// A cluster with one healthy database, which is copied for each case.
pub(crate) struct Cases {
    pub(crate) cluster: Cluster,
    made: Cell<u32>,
}

impl Cases {
    /// Starts a separate cluster with Supabase's roles.
    pub(crate) fn start() -> Self {
        let cluster = Cluster::start();
        cluster.like_supabase();
        healthy(&cluster, "healthy");
        Self { cluster, made: Cell::new(0) }
    }

    /// Copies the healthy database and changes it by these statements; returns the name of the
    /// copy.
    pub(crate) fn after(&self, changes: &str) -> String {
        self.made.set(self.made.get() + 1);
        let name = format!("case_{}", self.made.get());
        self.cluster.sql("postgres", &format!("create database {name} template healthy"));
        self.cluster.sql(&name, changes);
        name
    }
}

/// Creates a healthy database, as the app, Chatwoot and `pg_cron` leave it; returns its URL.
pub(crate) fn healthy(cluster: &Cluster, name: &str) -> String {
    cluster.create_database(name);
    cluster.sql(name, include_str!("tables.sql"));
    cluster.sql(name, &events(&[(120, 5), (300, 20), (95, 40), (180, 60), (640, 80), (210, 100)]));
    cluster.url_of(name)
}

/// Events of the decision sync that succeeded: how long each took in ms, and how many minutes ago
/// it was.
pub(crate) fn events(events: &[(u32, i32)]) -> String {
    let rows: Vec<_> = events
        .iter()
        .map(|(took, ago)| {
            format!("('d-{took}', 'success', {took}, null, 1, 'orders', now() - interval '{ago} minutes')")
        })
        .collect();
    format!(
        "insert into public.decision_sync_event_logs \
         (decision_id, status, duration_ms, error_code, attempt, scope, \"timestamp\") values {}",
        rows.join(", ")
    )
}
