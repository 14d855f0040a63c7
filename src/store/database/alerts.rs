//! The state of alerts, one row for each scenario and environment.
//!
//! A row is replaced only if its version is still the one that was read. No lock outlives a
//! transaction, so this works behind a pooler too.

use time::OffsetDateTime;

use super::rows::text;
use super::{DatabaseError, schema};
use crate::history::{AlertKey, AlertState};
use crate::library_text::describe_json;
use crate::postgres::{PgSession, Transaction, TransactionMode};

/// How often a change is tried. Another prober has to be faster each time for all to fail.
const ATTEMPTS: u32 = 20;

/// A row as it was read.
struct ReadState {
    now: OffsetDateTime,
    /// `None` if there is no row yet.
    version: Option<i64>,
    state: AlertState,
}

/// Changes a state. `change` is called again with the new state if another prober was faster.
pub(super) async fn change<T>(
    session: &mut PgSession,
    at: &str,
    key: &AlertKey,
    mut change: impl FnMut(&mut AlertState, OffsetDateTime) -> T,
) -> Result<T, DatabaseError> {
    for _ in 0..ATTEMPTS {
        let mut transaction = session.begin(TransactionMode::ReadWrite).await?;
        schema::identity(&mut transaction, at).await?;
        let ReadState { now, version, mut state } = read(&mut transaction, at, key).await?;
        let before = state.clone();
        let changed = change(&mut state, now);
        if state == before || write(&mut transaction, at, key, (version, &state)).await? {
            transaction.commit().await?;
            return Ok(changed);
        }
        transaction.rollback().await?;
    }
    Err(DatabaseError::Unfit {
        what: format!("other probers keep changing the alerts of {} in {at}", key.scenario),
        remedy: "the next run tries again".to_owned(),
    })
}

async fn read(
    transaction: &mut Transaction<'_>,
    at: &str,
    key: &AlertKey,
) -> Result<ReadState, DatabaseError> {
    let sql = "select now() as now, a.version, a.state::text as state from (select) as one \
               left join tollgate.alerts a on a.scenario = $1 and a.environment = $2";
    let rows = transaction
        .fetch_rows(sql, |query| {
            query.bind(text(&key.scenario).into_owned()).bind(text(&key.environment).into_owned())
        })
        .await?;
    let row = rows.first().ok_or_else(|| damaged(at, key, "the query has no row"))?;
    let state: Option<String> = transaction.column_value(row, "state")?;
    let state = state.map(|state| {
        serde_json::from_str(&state).map_err(|error| damaged(at, key, &describe_json(&error)))
    });
    Ok(ReadState {
        now: transaction.column_value(row, "now")?,
        version: transaction.column_value(row, "version")?,
        state: state.transpose()?.unwrap_or_default(),
    })
}

/// Writes a state; returns whether no other prober was faster.
async fn write(
    transaction: &mut Transaction<'_>,
    at: &str,
    key: &AlertKey,
    (version, state): (Option<i64>, &AlertState),
) -> Result<bool, DatabaseError> {
    let json =
        serde_json::to_string(state).map_err(|error| damaged(at, key, &describe_json(&error)))?;
    let insert = "insert into tollgate.alerts (scenario, environment, version, state) \
                  values ($1, $2, $3, $4::text::jsonb) on conflict do nothing";
    let update = "update tollgate.alerts set version = $3 + 1, state = $4::text::jsonb, \
                  changed = now() where scenario = $1 and environment = $2 and version = $3";
    let (sql, version) = version.map_or((insert, 0), |version| (update, version));
    let written = transaction.execute(sql, |query| {
        let query = query.bind(text(&key.scenario).into_owned());
        query.bind(text(&key.environment).into_owned()).bind(version).bind(json)
    });
    Ok(written.await? > 0)
}

fn damaged(at: &str, key: &AlertKey, why: &str) -> DatabaseError {
    DatabaseError::Unfit {
        what: format!("the alerts of {} in {at} cannot be read or written: {why}", key.scenario),
        remedy: "delete the row of `tollgate.alerts` to start anew".to_owned(),
    }
}
