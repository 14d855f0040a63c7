//! What can be asked of the services beside the tile loader.

use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret as _, SecretString};

use crate::postgres::Address;
use crate::target::Error;

const SERVICES: &str = "Services";

/// Flags of the services beside the tile loader.
#[derive(Debug, Clone, Args)]
pub struct ServiceSettings {
    /// Let something be wrong with a service; may be given again for another.
    #[arg(long, value_name = "WHAT", value_enum, help_heading = SERVICES)]
    pub sick: Vec<Sickness>,

    /// Token that Chatwoot takes in the header `api_access_token`.
    #[arg(long, value_name = "VALUE", default_value = "rehearsal", help_heading = SERVICES)]
    pub chatwoot_token: SecretString,

    /// The one account that Chatwoot has.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = SERVICES)]
    pub chatwoot_account: u64,

    /// What Chatwoot's profile holds as `access_token`, which no prober may keep.
    #[arg(long, value_name = "VALUE", default_value = "rehearsal-access-token", help_heading = SERVICES)]
    pub chatwoot_secret: SecretString,

    /// Key of Supabase's role anon.
    #[arg(long, value_name = "VALUE", default_value = "rehearsal-anon", help_heading = SERVICES)]
    pub supabase_anon_key: SecretString,

    /// Key of Supabase's role `service_role`.
    #[arg(long, value_name = "VALUE", default_value = "rehearsal-service", help_heading = SERVICES)]
    pub supabase_service_key: SecretString,

    /// Write the lines that occ-log takes to `public.observability_logs` of this Postgres database; without it they are
    /// taken and forgotten.
    #[arg(long, value_name = "URL", help_heading = SERVICES)]
    pub occ_log_database: Option<SecretString>,

    /// Answer over MCP by events (text/event-stream) in place of JSON.
    #[arg(long, help_heading = SERVICES)]
    pub mcp_events: bool,
}

/// Something that is wrong with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sickness {
    /// Chatwoot's `queue_services` are `failing`; the status stays 200.
    ChatwootQueue,
    /// Chatwoot's `data_services` are `failing`; the status stays 200.
    ChatwootData,
    /// Chatwoot asks nobody for a token.
    ChatwootOpen,
    /// Chatwoot's conversations come without `meta`.
    ChatwootShape,
    /// The app's list of conversations is 500.
    OccList,
    /// occ-log is 503: it does not start.
    OccLogDown,
    /// occ-log answers ok and writes no row.
    OccLogLost,
    /// occ-log writes its row 8 s after it has answered.
    OccLogLate,
    /// occ-log takes what is no line of a log for one, and writes no row of it.
    OccLogLax,
    /// The role anon sees the rows that only `service_role` should see.
    AnonReads,
    /// The key of the role anon has expired: the REST API and the functions refuse it.
    AnonExpired,
    /// Supabase's REST API is 503.
    NoRest,
    /// Supabase's auth is 503.
    NoAuth,
    /// The MCP server's list of tools is an error.
    McpTools,
    /// The app's pages come without security headers.
    EmbedHeaders,
    /// The app's inner pages are open to whoever has no session.
    EmbedOpen,
    /// Bots get 200, as if they had a session.
    Bots,
}

impl ServiceSettings {
    /// Where occ-log's lines are written; an error where the URL is none.
    pub(super) fn log_database(&self) -> Result<Option<Address>, Error> {
        let url = self.occ_log_database.as_ref();
        url.map(|url| Address::parse(url.expose_secret())).transpose().map_err(Error::LogDatabase)
    }
}
