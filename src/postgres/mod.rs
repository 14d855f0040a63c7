//! Access to Postgres; the only module that runs queries.
//!
//! Behind a pooler in transaction mode (PgBouncer, Supabase's port 6543) each transaction may use a
//! different server connection. A statement that was prepared by name on one connection is unknown
//! on the next, or belongs to another client. sqlx prepares statements by name by default, so a
//! query could return the rows of another. Therefore every query goes through [`Transaction`]: an
//! explicit transaction, unnamed statements, settings by `set local`. This also works on a direct
//! connection, so both use the same code. `clippy.toml` forbids calls to sqlx's queries elsewhere.

mod address;
mod documents;
mod error;
mod library_error;
mod message_body;
mod message_check;
mod message_guard;
mod opening;
mod row_walk;
mod session;
mod statement;
mod statement_error;
mod tokens;
mod transaction_mode;
mod wire_fault;

pub use address::{AddressError, DatabaseAddress, PoolerMode, PostgresTls};
pub use documents::RowDocuments;
pub use error::{PgError, PgErrorKind};
pub use library_error::CharacterPlace;
pub use session::{BoundQuery, PgSession, Transaction};
pub use sqlx::AssertSqlSafe;
pub use sqlx::postgres::PgRow;
pub use statement::{SqlStatement, StatementError};
pub use transaction_mode::TransactionMode;
