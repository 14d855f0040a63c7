//! The schema `tollgate`: its migrations and its state.

use std::collections::BTreeSet;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::DatabaseError;
use crate::postgres::{PgError, PgErrorKind, PgSession, Transaction, TransactionMode};

/// One migration of the schema.
struct SchemaMigration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

/// All migrations in order. A released migration never changes.
const MIGRATIONS: [SchemaMigration; 6] = [
    SchemaMigration {
        version: 1,
        name: "0001_runs",
        sql: include_str!("../../../migrations/0001_runs.sql"),
    },
    SchemaMigration {
        version: 2,
        name: "0002_sessions",
        sql: include_str!("../../../migrations/0002_sessions.sql"),
    },
    SchemaMigration {
        version: 3,
        name: "0003_alerts",
        sql: include_str!("../../../migrations/0003_alerts.sql"),
    },
    SchemaMigration {
        version: 4,
        name: "0004_rollups",
        sql: include_str!("../../../migrations/0004_rollups.sql"),
    },
    SchemaMigration {
        version: ROLLUPS,
        name: "0005_written_budgets",
        sql: include_str!("../../../migrations/0005_written_budgets.sql"),
    },
    SchemaMigration {
        version: 6,
        name: "0006_rendezvous",
        sql: include_str!("../../../migrations/0006_rendezvous.sql"),
    },
];

/// The version that has the table of tuning sessions.
pub(super) const SESSIONS: i32 = 2;

/// The version from which rollups are kept: it has their table, and budgets as they are written.
pub(super) const ROLLUPS: i32 = 5;

/// The version that this program needs.
const NEEDED: i32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// Creates the table of migrations. It runs before the first migration.
const LEDGER: &str = "\
    create schema if not exists tollgate;
    create table if not exists tollgate.migrations (
        version integer primary key,
        name text not null,
        sha256 text not null,
        applied timestamptz not null default now()
    );
    comment on table tollgate.migrations is 'The steps by which this schema was made.';
    comment on column tollgate.migrations.version is 'The step''s number.';
    comment on column tollgate.migrations.name is 'The file it came from.';
    comment on column tollgate.migrations.sha256 is 'The digest of that file, hexadecimal.';
    comment on column tollgate.migrations.applied is 'When it was applied.'";

/// Roles, rights and policies. Every `migrate` restores them, because they may have been changed.
const RIGHTS: &str = include_str!("../../../migrations/rights.sql");

/// Timeout of a statement of a migration, which may read every record.
const MIGRATION: Duration = Duration::from_hours(1);

/// The key of the advisory lock: the letters `tollgate`, which other programs are unlikely to use.
const LOCK: i64 = 0x746f_6c6c_6761_7465;

impl SchemaMigration {
    fn sha256(&self) -> String {
        format!("{:x}", Sha256::digest(self.sql.as_bytes()))
    }
}

/// Applies the missing migrations in one transaction: all of them or none.
///
/// The lock ends with the transaction, so that this works through a pooler too.
pub(super) async fn migrate(
    session: &mut PgSession,
    at: &str,
) -> Result<Vec<&'static str>, DatabaseError> {
    let mut transaction = session.begin_within(TransactionMode::ReadWrite, MIGRATION).await?;
    transaction.execute("select pg_advisory_xact_lock($1)", |query| query.bind(LOCK)).await?;
    if !exists(&mut transaction).await? {
        transaction.execute_script(LEDGER).await?;
    }
    let applied = applied(&mut transaction).await?;
    are_known(&applied, at)?;
    let missing = MIGRATIONS
        .iter()
        .filter(|known| applied.iter().all(|(version, _)| *version != known.version));
    let mut done = Vec::new();
    for migration in missing {
        transaction.execute_script(migration.sql).await?;
        let insert = "insert into tollgate.migrations (version, name, sha256) values ($1, $2, $3)";
        let (version, sha256) = (migration.version, migration.sha256());
        transaction
            .execute(insert, |query| query.bind(version).bind(migration.name).bind(sha256))
            .await?;
        done.push(migration.name);
    }
    transaction.execute_script(RIGHTS).await?;
    transaction.commit().await?;
    Ok(done)
}

/// The store's identity; an error if its schema is not the one that this program needs.
pub(super) async fn identity(
    transaction: &mut Transaction<'_>,
    at: &str,
) -> Result<Uuid, DatabaseError> {
    let (found, identity) = known_version(transaction, at).await?;
    let at = at.to_owned();
    identity.filter(|_| found == NEEDED).ok_or(DatabaseError::OldSchema {
        at,
        found,
        needed: NEEDED,
    })
}

/// The version of a schema whose runs this program can read, and the store's identity. Migrations
/// so far only added a column to the tables of runs, and readers do without it.
pub(super) async fn readable_version(
    transaction: &mut Transaction<'_>,
    at: &str,
) -> Result<(i32, Uuid), DatabaseError> {
    match known_version(transaction, at).await? {
        (found, Some(identity)) if found > 0 => Ok((found, identity)),
        (found, _) => Err(DatabaseError::OldSchema { at: at.to_owned(), found, needed: NEEDED }),
    }
}

/// The version of the schema and the store's identity; an error if there is no schema, or a newer
/// one.
async fn known_version(
    transaction: &mut Transaction<'_>,
    at: &str,
) -> Result<(i32, Option<Uuid>), DatabaseError> {
    let sql = "select (select max(version) from tollgate.migrations) as version, \
               (select identity from tollgate.store) as identity";
    let rows = transaction
        .fetch_rows(sql, |query| query)
        .await
        .map_err(|error| without_schema(error, at))?;
    let row = rows.first().ok_or_else(|| DatabaseError::NoSchema { at: at.to_owned() })?;
    let found = transaction.column_value::<Option<i32>>(row, "version")?.unwrap_or(0);
    if found > NEEDED {
        return Err(DatabaseError::NewerSchema { at: at.to_owned(), found, known: NEEDED });
    }
    Ok((found, transaction.column_value(row, "identity")?))
}

fn without_schema(error: PgError, at: &str) -> DatabaseError {
    match error.kind {
        PgErrorKind::NoSchema => DatabaseError::NoSchema { at: at.to_owned() },
        _ => error.into(),
    }
}

/// Refuses a schema whose applied migrations differ from those of this program.
fn are_known(applied: &[(i32, String)], at: &str) -> Result<(), DatabaseError> {
    for (version, sha256) in applied {
        let known = MIGRATIONS.iter().find(|known| known.version == *version);
        match known {
            None => {
                return Err(DatabaseError::NewerSchema {
                    at: at.to_owned(),
                    found: *version,
                    known: NEEDED,
                });
            }
            Some(known) if known.sha256() != *sha256 => {
                return Err(DatabaseError::OtherMigration { at: at.to_owned(), version: *version });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

async fn exists(transaction: &mut Transaction<'_>) -> Result<bool, PgError> {
    let rows = transaction
        .fetch_rows(
            "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             where n.nspname = 'tollgate' and c.relname = 'migrations') as there",
            |query| query,
        )
        .await?;
    rows.first().map_or(Ok(false), |row| transaction.column_value(row, "there"))
}

async fn applied(transaction: &mut Transaction<'_>) -> Result<Vec<(i32, String)>, PgError> {
    let rows = transaction
        .fetch_rows("select version, sha256 from tollgate.migrations order by version", |query| {
            query
        })
        .await?;
    let pair = |row| {
        Ok((transaction.column_value(row, "version")?, transaction.column_value(row, "sha256")?))
    };
    rows.iter().map(pair).collect()
}

/// The state of the schema and of the user's rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStatus {
    /// The server's version in its own words.
    pub server: String,
    /// Whether the server reports an encrypted connection; `None` if it does not report this.
    pub encrypted: Option<bool>,
    /// The version of the schema; `None` if there is no schema.
    pub version: Option<i32>,
    /// The version that this program needs.
    pub needed: i32,
    /// What the user may do.
    pub rights: BTreeSet<UserRight>,
    /// Tables of the schema that are not protected as they should be.
    pub unprotected: Vec<UnprotectedTable>,
    /// The number of runs; `None` if the user may not read that.
    pub runs: Option<i64>,
    /// The size of the whole schema in bytes.
    pub bytes: Option<i64>,
}

/// A right that a user may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserRight {
    /// Read the schema's version, as every user may who stores or reads runs.
    Version,
    /// Store runs.
    Store,
    /// Read runs.
    Read,
    /// Migrate, prune and expose, as the schema's owner may.
    Own,
}

/// A table that is not protected as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnprotectedTable {
    /// The table.
    pub table: String,
    /// What is missing.
    pub what: &'static str,
}

/// Reads the state of the schema and of the rights. Their defects are part of the result, not
/// errors.
pub(super) async fn standing(session: &mut PgSession) -> Result<SchemaStatus, DatabaseError> {
    let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
    let server = "select current_setting('server_version') as server, \
                  (select ssl from pg_stat_ssl where pid = pg_backend_pid()) as encrypted, \
                  exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace \
                      where n.nspname = 'tollgate' and c.relname = 'store') as there";
    let rows = transaction.fetch_rows(server, |query| query).await?;
    let mut standing = SchemaStatus {
        server: String::new(),
        encrypted: None,
        version: None,
        needed: NEEDED,
        rights: BTreeSet::new(),
        unprotected: Vec::new(),
        runs: None,
        bytes: None,
    };
    let Some(row) = rows.first() else { return Ok(standing) };
    standing.server = transaction.column_value(row, "server")?;
    standing.encrypted = transaction.column_value(row, "encrypted")?;
    if transaction.column_value(row, "there")? {
        standing.rights = rights(&mut transaction).await?;
        standing.unprotected = unprotected(&mut transaction).await?;
        fill(&mut standing, &mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(standing)
}

async fn rights(transaction: &mut Transaction<'_>) -> Result<BTreeSet<UserRight>, PgError> {
    // By object id: a user without the right to use the schema cannot refer to its tables by name.
    let sql = "select has_schema_privilege(n.oid, 'usage') as usage, has_table_privilege(m.oid, 'select') as version, \
               has_table_privilege(r.oid, 'insert') as store, has_table_privilege(r.oid, 'select') as read, \
               pg_has_role(nspowner, 'usage') as own from pg_namespace n \
               join pg_class m on m.relnamespace = n.oid and m.relname = 'migrations' \
               join pg_class r on r.relnamespace = n.oid and r.relname = 'runs' where nspname = 'tollgate'";
    let rows = transaction.fetch_rows(sql, |query| query).await?;
    let Some(row) = rows.first() else { return Ok(BTreeSet::new()) };
    let usage: bool = transaction.column_value(row, "usage")?;
    let columns = [
        ("version", UserRight::Version),
        ("store", UserRight::Store),
        ("read", UserRight::Read),
        ("own", UserRight::Own),
    ];
    let mut held = BTreeSet::new();
    for (column, right) in columns.into_iter().filter(|_| usage) {
        held.extend(transaction.column_value::<bool>(row, column)?.then_some(right));
    }
    Ok(held)
}

/// Tables without row level security, without a policy, or with rights for `public`.
async fn unprotected(transaction: &mut Transaction<'_>) -> Result<Vec<UnprotectedTable>, PgError> {
    let sql = "select relname::text as relation, relrowsecurity as secured, \
               exists (select from pg_policy where polrelid = c.oid) as policed, \
               exists (select from aclexplode(relacl) where grantee = 0) as public \
               from pg_class c join pg_namespace n on n.oid = relnamespace \
               where nspname = 'tollgate' and relkind in ('r', 'p') order by 1";
    let rows = transaction.fetch_rows(sql, |query| query).await?;
    let mut found = Vec::new();
    for row in &rows {
        let table: String = transaction.column_value(row, "relation")?;
        let what = [
            (!transaction.column_value::<bool>(row, "secured")?, "row level security is off"),
            (!transaction.column_value::<bool>(row, "policed")?, "it has no policy"),
            (transaction.column_value(row, "public")?, "everybody has a right to it"),
        ];
        found.extend(
            what.into_iter()
                .filter(|(missing, _)| *missing)
                .map(|(_, what)| UnprotectedTable { table: table.clone(), what }),
        );
    }
    Ok(found)
}

/// Adds what only a user with the right to read it can query.
async fn fill(
    standing: &mut SchemaStatus,
    transaction: &mut Transaction<'_>,
) -> Result<(), PgError> {
    if standing.rights.contains(&UserRight::Version) {
        let rows = transaction
            .fetch_rows("select max(version) as version from tollgate.migrations", |query| query)
            .await?;
        standing.version =
            rows.first().map_or(Ok(None), |row| transaction.column_value(row, "version"))?;
    }
    if standing.rights.contains(&UserRight::Read) {
        let sql = "select count(*) as runs, (select sum(pg_total_relation_size(oid))::bigint from pg_class \
                   where relnamespace = 'tollgate'::regnamespace and relkind = 'r') as bytes from tollgate.runs";
        let rows = transaction.fetch_rows(sql, |query| query).await?;
        if let Some(row) = rows.first() {
            standing.runs = transaction.column_value(row, "runs")?;
            standing.bytes = transaction.column_value(row, "bytes")?;
        }
    }
    Ok(())
}
