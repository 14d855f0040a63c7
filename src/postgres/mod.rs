//! Access to Postgres; the only module that runs queries.
//!
//! Behind a pooler in transaction mode (PgBouncer, Supabase's port 6543) each transaction may use a
//! different server connection. A statement that was prepared by name on one connection is unknown
//! on the next, or belongs to another client. The library, tokio-postgres, prepares statements by
//! name in most of its functions, so a query could return the rows of another. Therefore every
//! query goes through [`Transaction`]: an explicit transaction, unnamed statements, settings by
//! `set local`. This also works on a direct connection, so both use the same code. `clippy.toml`
//! forbids the library's own functions for queries everywhere else.

mod address;
mod documents;
mod error;
mod error_kind;
mod library_error;
mod message_body;
mod message_check;
mod message_guard;
mod opening;
mod passfile;
mod query;
mod row_walk;
#[cfg(test)]
mod scripted_server;
mod session;
mod statement;
mod statement_error;
mod tls;
mod tokens;
mod transaction_mode;
mod transaction_state;
mod wire;
mod wire_fault;

pub use address::{AddressError, DatabaseAddress, PoolerMode, PostgresTls};
pub use documents::RowDocuments;
pub use error::PgError;
pub use error_kind::PgErrorKind;
pub use query::{ArrayElement, BindValue, BoundQuery};
pub use session::{PgRow, PgSession, Transaction};
pub use statement::{SqlStatement, StatementError};
pub use transaction_mode::TransactionMode;
