//! The settings of the services next to the tile loader.

use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret as _, SecretString};

use crate::postgres::DatabaseAddress;
use crate::target::TargetError;

const SERVICES: &str = "Services";

/// Flags of the services beside the tile loader.
#[derive(Debug, Clone, Args)]
pub struct ServiceSettings {
    /// Break a service in this way; repeat the flag for several faults.
    #[arg(long, value_name = "WHAT", value_enum, help_heading = SERVICES)]
    pub sick: Vec<ServiceFault>,

    /// Token that Chatwoot accepts in the header `api_access_token`.
    #[arg(long, value_name = "VALUE", default_value = "rehearsal", help_heading = SERVICES)]
    pub chatwoot_token: SecretString,

    /// Number of the only account in Chatwoot.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = SERVICES)]
    pub chatwoot_account: u64,

    /// Value of `access_token` in Chatwoot's profile, which a prober must not store.
    #[arg(long, value_name = "VALUE", default_value = "rehearsal-access-token", help_heading = SERVICES)]
    pub chatwoot_secret: SecretString,

    /// Key of Supabase's role anon.
    #[arg(long, value_name = "VALUE", default_value = "rehearsal-anon", help_heading = SERVICES)]
    pub supabase_anon_key: SecretString,

    /// Key of Supabase's role `service_role`.
    #[arg(long, value_name = "VALUE", default_value = "rehearsal-service", help_heading = SERVICES)]
    pub supabase_service_key: SecretString,

    /// Write the log lines that occ-log accepts to `public.observability_logs` of this Postgres
    /// database; without it they are discarded.
    #[arg(long, value_name = "URL", help_heading = SERVICES)]
    pub occ_log_database: Option<SecretString>,

    /// Answer MCP requests with events (text/event-stream) instead of JSON.
    #[arg(long, help_heading = SERVICES)]
    pub mcp_events: bool,
}

/// Something that is wrong with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ServiceFault {
    /// Chatwoot's `queue_services` are `failing`; the status stays 200.
    ChatwootQueue,
    /// Chatwoot's `data_services` are `failing`; the status stays 200.
    ChatwootData,
    /// Chatwoot does not require a token.
    ChatwootOpen,
    /// Chatwoot's conversations lack `meta`.
    ChatwootShape,
    /// The app's list of conversations answers 500.
    OccList,
    /// occ-log answers 503: it does not start.
    OccLogDown,
    /// occ-log answers ok and writes no row.
    OccLogLost,
    /// occ-log writes its row 8 s after it has answered.
    OccLogLate,
    /// occ-log accepts a body that is not a log line, and writes no row.
    OccLogLax,
    /// The role anon sees the rows that only `service_role` should see.
    AnonReads,
    /// The key of the role anon has expired: the REST API and the functions refuse it.
    AnonExpired,
    /// Supabase's REST API answers 503.
    NoRest,
    /// Supabase's auth answers 503.
    NoAuth,
    /// The MCP server's list of tools returns an error.
    McpTools,
    /// The app's pages lack security headers.
    EmbedHeaders,
    /// The app's inner pages are open without a session.
    EmbedOpen,
    /// Bots get 200, as if they had a session.
    Bots,
}

impl ServiceSettings {
    /// The database of occ-log's lines; returns an error if the URL is malformed.
    pub(super) fn log_database(&self) -> Result<Option<DatabaseAddress>, TargetError> {
        let url = self.occ_log_database.as_ref();
        url.map(|url| DatabaseAddress::parse(url.expose_secret()))
            .transpose()
            .map_err(TargetError::LogDatabase)
    }
}
