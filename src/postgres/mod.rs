//! The one way to talk to Postgres.
//!
//! Behind a pooler in transaction mode (PgBouncer, Supabase's port 6543) every transaction may be carried out over another
//! connection of the server's. A statement that was prepared by name over one of them is unknown on the next, or another
//! client's; sqlx prepares by name unless it is told not to, and answers can then be another query's. So every query goes
//! through [`Transaction`]: an explicit transaction, statements without a name, settings by `set local`. That is right on a
//! direct connection too, so that there is one way and not two. Nothing else in the program may call sqlx's queries
//! (`clippy.toml` holds that).

mod address;
mod documents;
mod error;
mod pieces;
mod refused;
mod session;
mod statement;

pub use address::{Address, AddressError, Pooler, Tls};
pub use documents::Documents;
pub use error::{PgError, Trouble};
pub use session::{Mode, Session, Transaction};
pub use sqlx::AssertSqlSafe;
pub use sqlx::postgres::PgRow;
pub use statement::{Statement, StatementError};
